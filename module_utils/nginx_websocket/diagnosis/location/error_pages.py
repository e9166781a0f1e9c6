"""``error_page``: the page that the client sees is not what happened."""

from __future__ import annotations

import re
from typing import Iterator, List, Sequence, Tuple

from ... import codes
from ...behaviour.response import ErrorPage, error_pages
from ...exchange.result import Probe
from ..backend import refusals
from ..evidence.facts import BackendFacts, Facts
from ..experiments.search import differences
from ..reach import no_answer
from ..words.findings import Evidence, Finding
from ..words.suspect import HEADER_FAULTS, Suspect, at, suspected, words_of

REDIRECTS = (301, 302, 303, 307, 308)
FAILURES = (500, 502, 504)
"""What nginx answers by itself when it gets no answer of a backend."""


def backend_is_silent(facts: Facts) -> bool:
    """Whether every backend of the route was asked directly, and none gave an HTTP answer."""
    asked = [backend.direct for backend in facts.backends]
    return bool(asked) and all(probe is not None and probe.status is None for probe in asked)


def pages(facts: Facts) -> Tuple[ErrorPage, ...]:
    """The error pages in force at the place that answers."""
    return error_pages(facts.level) if facts.level is not None else ()


def hidden_failure(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """nginx got no answer of the backend, and an error_page shows something else in place of its 502 or 504.

    The refused connection and nginx's own log decide, never the look of the page.
    """
    route = facts.route
    if route is None or route.answer.kind != "proxy" or probe.status in (502, 504):
        return []
    line = no_answer.upstream_line(facts.log)
    if line is not None and line.code == codes.CAPTURE_LOST:
        return []  # No backend was asked at all.
    unresolved = line is not None and line.code in (codes.UPSTREAM_HOST_NOT_FOUND, codes.RESOLVER_MISSING)
    if not unresolved and not backend_is_silent(facts):
        return []
    hiding = [page for page in pages(facts) if page.status in FAILURES]
    if line is None and (facts.log_readable or not hiding):
        return []
    found = no_answer.unreachable_backend(facts, suspects)
    for finding in found[:1]:
        finding.evidence += _hiding(hiding[:1], f"nginx's own answer is replaced by this: {probe.status}")
    return found


def _hiding(found: Sequence[ErrorPage], words: str) -> Iterator[Evidence]:
    for page in found:
        if page.directive is not None:
            yield from at(page.directive, f"{words_of(page.directive)}: {words}")


def hidden_refusal(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """``proxy_intercept_errors``: the client sees a page, the backend said something else."""
    suspect = suspected(suspects, codes.ERROR_PAGE_INTERCEPT)
    if suspect is None:
        return []
    for backend in facts.backends:
        direct = backend.as_sent
        if (
            direct is not None
            and direct.status is not None
            and direct.status >= 300
            and any(page.status == direct.status for page in pages(facts))
            and (direct.status, direct.body) != (probe.status, probe.body)
        ):
            own = refusals.refused_by_backend(facts, suspects, direct)
            said = f"the backend itself, asked the same: {direct.status} {direct.reason}"
            hiding = [*suspect.evidence, Evidence("probe", said)]
            if own and (own[0].code in HEADER_FAULTS or _spoilt(backend)):
                # Without the page it would be as shut as before: what it hides is the cause.
                own[0].evidence += hiding
                return own
            return [Finding(codes.ERROR_PAGE_INTERCEPT, evidence=hiding), *own]
    return []


def _spoilt(backend: BackendFacts) -> bool:
    """Whether the backend minds what nginx made of the request, and would open the client's own."""
    search, sent, client = backend.search, backend.sent, backend.client
    if search is None or sent is None or client is None:
        return False
    return bool(set(search.fatal) & set(differences(sent, client)))


def shown_as(facts: Facts, statuses: Sequence[int], probe: Probe) -> bool:
    """Whether nginx's own refusal with one of these statuses may reach the client as this answer."""
    for page in pages(facts):
        if page.status not in statuses:
            continue
        if page.answers:
            fits = page.answers == probe.status
        elif re.match(r"https?://", page.target):
            fits = probe.status in REDIRECTS
        else:  # The target answers with what it likes; a page whose file is missing is a 404.
            fits = page.answers == 0 or probe.status == 404
        if fits:
            return True
    return False
