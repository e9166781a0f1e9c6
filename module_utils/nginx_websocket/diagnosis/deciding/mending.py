"""Which change of the files is offered: only one that was judged on a copy of the tree."""

from __future__ import annotations

import itertools
import re
from typing import Iterator, List, Optional, Sequence

from ... import codes
from ...behaviour.location import Location
from ...behaviour.route import Route
from ...behaviour.sample import own_match
from ...behaviour.server.listen import reached
from ...conf.splice import Edit
from ...conf.tree import Configuration, Directive, Source
from ...edit import memory
from ...edit.changes.by_code import change_for
from ...edit.changes.change import Change
from ...edit.cures import Fault, cures
from ...edit.judge import Asked, judge
from ...edit.lines import map_mended
from ...edit.mapping import by_map
from ...exchange.endpoint import address_text
from ...host.listeners import Listener
from ..evidence import place
from ..evidence.facts import BackendFacts, Facts
from ..reach import authority
from ..reload import refused_tree
from ..words.findings import Finding
from . import tested

MOST = 6
"""Candidates for one cause."""
TOGETHER = 24
"""Combinations that are judged, where there are several causes."""
BY_PATH = (
    codes.PROXY_PASS_KEEPS_PREFIX,
    codes.PROXY_PASS_STRIPS_PREFIX,
    codes.PROXY_PASS_DOUBLE_SLASH,
    codes.PROXY_PASS_NORMALIZES_PATH,
    codes.PROXY_PASS_VARIABLE_URI,
    codes.REWRITE_CHANGES_PATH,
    codes.QUERY_STRING_LOST,
)


def offer(causes: Sequence[Finding], facts: Facts) -> None:
    """Give each cause the change that cures it, if there is one that was judged to be fit.

    Causes are judged together: behind a lost header there may be a wrong path, and neither alone opens.
    """
    configuration, route = facts.configuration, facts.route
    offered = [list(itertools.islice(candidates(cause, facts), MOST)) for cause in causes]
    for cause in causes:
        commands = cause.change.commands if cause.change is not None else []
        cause.change = Change(commands=commands) if commands else None
    if configuration is None or route is None:
        return
    known = [(cause, found) for cause, found in zip(causes, offered) if found]
    for combination in itertools.islice(itertools.product(*[found for _, found in known]), TOGETHER):
        together = [edit for edits in combination for edit in edits]
        if known and _good(together, [cause for cause, _ in known], facts):
            for (cause, _), edits in zip(known, combination):
                cause.change = Change(text=memory.diff(configuration, edits), edits=edits)
            return
    for cause, found in known if len(known) > 1 else []:
        good = next((edits for edits in found if _good(edits, [cause], facts)), None)
        if good is not None:
            cause.change = Change(text=memory.diff(configuration, good), edits=good)


def _good(edits: Sequence[Edit], causes: Sequence[Finding], facts: Facts) -> bool:
    """Whether edits are fit, and this host's nginx takes them."""
    return fit(edits, causes, facts) and not tested.refused(facts, edits)


def fit(edits: Sequence[Edit], causes: Sequence[Finding], facts: Facts) -> bool:
    """Whether edits were judged to be fit for a URL that fails by these causes."""
    configuration, route = facts.configuration, facts.route
    assert configuration is not None and route is not None
    known = [cause.code for cause in causes]
    asked = Asked(
        facts.request or route.request,
        facts.version,
        place.file_kinds(facts),
        opening_target(facts) if any(code in BY_PATH for code in known) else "",
    )
    broken = facts.test is not None and not facts.test.valid
    return judge(
        configuration,
        edits,
        asked,
        refuses=lambda tree: refused_tree.refusals_in_tree(tree, facts.version),
        broken=broken or bool(refused_tree.refusals_in_tree(configuration, facts.version)),
    ).good


def candidates(cause: Finding, facts: Facts) -> Iterator[List[Edit]]:
    """Edits that may cure a cause, the best first."""
    configuration, route = facts.configuration, facts.route
    if configuration is None or route is None:
        return
    for edits in _candidates(cause, facts, configuration, route):
        mapped = by_map(configuration, route, edits)
        if mapped is not None:
            yield mapped
        yield edits


def _candidates(
    cause: Finding, facts: Facts, configuration: Configuration, route: Route
) -> Iterator[List[Edit]]:
    if cause.code == codes.CONNECTION_HEADER_WRONG:
        yield from map_mended(configuration, route)
    own = change_for(codes.NO_UPGRADE_HEADER, route) if _same_backend(cause, route) else None
    for change in (cause.change, change_for(cause.code, route), own):
        if change is not None and change.file:
            yield edits_of(configuration, change)
    fault = Fault(
        cause.code,
        directive=_directive(configuration, cause),
        server=opening_server(facts, cause.code),
        target=opening_target(facts),
        meant=cause.meant,
        host_known=_host_known(facts),
        tls_name=_certificate_name(facts, cause),
        authority=authority.verifying(facts, cause),
        variable=_unknown_variable(cause),
        message=_message(facts, cause),
    )
    yield from cures(configuration, route, fault)


def _same_backend(cause: Finding, route: Route) -> bool:
    """Whether what answers passes to the backend of the regex location that was meant.

    It takes the lines of that one, then: a location for this one path would be none for its neighbours.
    """
    meant, upstream = cause.meant, route.upstream
    if upstream is None or not isinstance(meant, Location) or not meant.regex:
        return False
    if not own_match(meant, route.first_uri, route.version):
        return False  # Its own regex is what has to be mended.
    return any(line.args == upstream.directive.args for line in meant.own(b"proxy_pass"))


def edits_of(configuration: Configuration, change: Change) -> List[Edit]:
    """A change of lines as a change of bytes; its line ends are the file's."""
    data = configuration.files[change.file]
    starts = [0] + [index + 1 for index, byte in enumerate(data) if byte == 0x0A]
    first = change.line - 1
    last = first + len(change.removed)
    start = starts[first] if first < len(starts) else len(data)
    end = starts[last] if last < len(starts) else len(data)
    feed = b"\r\n" if b"\r\n" in data else b"\n"
    text = b"".join(line.encode("utf-8", "surrogateescape") + feed for line in change.added)
    if start == len(data) and data and not data.endswith(b"\n"):
        text = feed + text
    if end == len(data) and last > first and not data.endswith(b"\n") and text.endswith(feed):
        text = text[: -len(feed)]  # the last line ends as it did
    return [Edit(Source(change.file, data), start, end, text)]


def _directive(configuration: Configuration, cause: Finding) -> Optional[Directive]:
    """The directive that the finding names first."""
    place = next(((item.file, item.line) for item in cause.evidence if item.file and item.line), None)
    found = [item for item in configuration.walk() if place == (item.file, item.line)]
    return next((item for item in found if item.block is None), found[0] if found else None)


def opening_target(facts: Facts) -> str:
    """Path and query with which a backend opened the socket; "" where none did."""
    for backend in facts.backends:
        if backend.search is not None and backend.search.opening is not None:
            return backend.search.opening.target
    return ""


def opening_server(facts: Facts, code: str) -> str:
    """The backend of this host at which the socket opens, as ``host:port``."""
    known: List[BackendFacts] = [*facts.backends, *([facts.elsewhere] if facts.elsewhere is not None else [])]
    for backend in known:
        if backend.other_port is not None:
            return _address_of(backend.other_port[0])
        good = [name for name, probe in backend.each if probe.lasting]
        if good and code == codes.UPSTREAM_SERVERS_DIFFER:
            return good[0]
        if code == codes.WRONG_PASS_DIRECTIVE and backend.plain is not None and backend.plain.opened:
            return backend.server
        if code == codes.BACKEND_IPV6_LOCALHOST and backend.listeners:
            return _address_of(backend.listeners[0])
    return ""


def _address_of(listener: Listener) -> str:
    return address_text((reached(listener.address), listener.port))


def _certificate_name(facts: Facts, cause: Finding) -> str:
    """A name that the backend's certificate holds, where nginx's log says that it looked for another."""
    if not any("does not match" in item.text for item in cause.evidence if item.kind == "log"):
        return ""
    for backend in facts.backends:
        seen = backend.as_sent.tls if backend.as_sent is not None else {}
        for name in seen.get("names", ()):
            if re.match(r"(?=.*[a-z])[a-z\d-]+(\.[a-z\d-]+)+$", str(name)):
                return str(name)
    return ""


def _unknown_variable(cause: Finding) -> str:
    """The variable for which nginx refuses its files, by its own words; "" for none."""
    words = (re.search(r'unknown "(\w+)" variable', item.text) for item in cause.evidence)
    return next((found.group(1) for found in words if found is not None), "")


def _message(facts: Facts, cause: Finding) -> str:
    """Why nginx refuses its files, in its own words with their place; else what the finding says first."""
    if facts.test is not None and not facts.test.valid:
        return facts.test.error
    first = next(iter(cause.evidence), None)
    if first is None:
        return ""
    return f"{first.text} in {first.file}:{first.line}" if first.file else first.text


def _host_known(facts: Facts) -> bool:
    upstream = facts.upstream
    return facts.live and upstream is not None and bool(place.resolve(facts, upstream.host))
