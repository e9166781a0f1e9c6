"""From facts to a report: the verdict, the cause first, what else was found, and the way of the request."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Sequence

from .. import codes
from ..behaviour.regex import CannotDecide
from ..behaviour.secret_values import SecretValues, secret_values
from ..conf.tree import Configuration, ConfSyntaxError
from ..edit.changes.change import Change
from ..exchange.masking import header_secrets, masked_url, url_secrets
from .deciding import risks
from .deciding.commands import commands_for
from .deciding.placed import place
from .deciding.static_rules import BROKEN, suspects
from .evidence import data
from .evidence.dumps import NoConfiguration, read_dump
from .evidence.facts import DEFAULT_VERSION, Facts, Question
from .evidence.following import followed
from .evidence.not_given import hides
from .evidence.probes import answered
from .evidence.way import way_of
from .reload import refused_tree, semicolon
from .words.discreet import discreet
from .words.findings import CANNOT_TELL, FAILS, WORKS, Evidence, Finding, conclude, ranked, scrubbed
from .words.suspect import Suspect, with_those_behind

MOST_HOPS = 3
"""Servers of one nginx that pass a request on to each other, and are diagnosed one after the other."""
MAY_EXPLAIN = ("undecided", codes.STATIC_LIVE_DISAGREE)


@dataclasses.dataclass
class Report:
    """What the diagnosis says about one URL."""

    question: Question
    verdict: str
    sentence: str
    findings: List[Finding]
    facts: Facts
    behind: Optional[Facts] = None
    """What was seen of the server of the same nginx, behind the one that is asked, that is at fault."""

    @property
    def at_fault(self) -> Facts:
        """What was seen where the fault lies."""
        return self.behind or self.facts

    def as_data(self) -> Dict[str, Any]:
        """Plain data for JSON, secrets masked, control characters escaped."""
        url, configuration = masked_url(self.question.url), self.facts.configuration
        secrets = secret_values(configuration, url) if configuration is not None else SecretValues()
        findings = [finding.as_data() for finding in self.findings]
        for finding in findings:
            finding["diff"] = secrets.hidden_in_lines(finding["diff"])
        said = {
            "url": url,
            "verdict": self.verdict,
            "sentence": discreet(self.sentence),
            "findings": findings,
            "route": data.route_data(self.facts),
            "way": [step.as_data() for step in way_of(self.facts)],
            "excerpts": data.excerpts(self.facts, self.findings, secrets),
            "probes": data.probe_data(self.facts),
            "nginx": data.nginx_data(self.facts),
            "notes": list(self.facts.notes),
        }
        shown = scrubbed(secrets.hide(said), secrets_of(self.question))
        assert isinstance(shown, dict)
        return shown


def secrets_of(question: Question) -> List[str]:
    """Words of the question that must not be printed: tokens in the URL and in the headers."""
    return url_secrets(question.url) + header_secrets(list(question.headers))


def diagnose(question: Question, *, binary: str = "", conf_path: str = "", prefix: str = "") -> Report:
    """Diagnose one URL on this host.

    Args:
        question: what is asked.
        binary: nginx binary that is meant, when several are there or none runs.
        conf_path: main configuration file that is meant.
        prefix: nginx's prefix, for one that does not run.

    Raises:
        ValueError: the URL, a header or the CA file cannot be used.
    """
    return _asked(question, binary, conf_path, prefix, MOST_HOPS)


def _asked(question: Question, binary: str, conf_path: str, prefix: str, hops: int) -> Report:
    """The report of one hop, or that of the server of this nginx behind it at which it fails."""
    from . import own_hop
    from .observe import observe  # a dump needs nothing of what asks a host

    report = conclude_live(observe(question, binary=binary, conf_path=conf_path, prefix=prefix))
    causes = [finding for finding in report.findings if finding.is_cause]
    hop = report.facts.main_hop
    if not hops or hop is None or hop.opened or any(map(own_hop.mended_here, causes)):
        return report
    further = own_hop.question_behind(report.facts)
    if further is None:
        return report
    nginx = report.facts.nginx
    inner = _asked(further, binary, nginx.conf_path if nginx is not None else conf_path, prefix, hops - 1)
    found = [finding for finding in inner.findings if finding.is_cause]
    if inner.verdict != FAILS or not found:
        return report
    found[0].evidence.append(own_hop.leads_there(report.facts))
    findings = ranked([*found, *(finding for finding in report.findings if not finding.is_cause)])
    sentence = _sentence(report.facts, FAILS, findings)
    return Report(question, FAILS, sentence, findings, report.facts, inner.at_fault)


def conclude_live(facts: Facts) -> Report:
    """The report for a host that was looked at."""
    from .capacity import open_socket
    from .deciding import answer, live_rules, unexplained

    found = _suspects(facts)
    causes = semicolon.explained(facts, live_rules.causes(facts, found))
    hop = facts.main_hop
    if not causes and hop is not None:
        causes = unexplained.proven(facts, answer.answered_by(facts, hop.probe) == "nginx")
    opened = hop.opened if hop is not None else None
    if not opened and not causes:
        opened = None  # A failure that no rule explains stays one nobody can explain: no verdict by guess.
    held = facts.hop("held")
    if opened and not causes and held is not None and not held.opened:
        opened = None  # It does not last, and nothing that was looked at says who ends it.
    others = risks.risks(facts, [suspect for suspect in found if suspect.finding not in causes])
    _offer(causes, facts)
    for cause in causes:
        complete(cause, facts)
    if not causes:
        others += unexplained.with_log(
            facts, unexplained.may_explain(facts) or live_rules.disagreement(facts, found)
        )
    lonely = open_socket.unreached(facts)
    others += lonely
    if opened and any(finding.code != codes.LISTEN_IPV6_MISSING for finding in lonely):
        opened = None  # It opens here; whether anybody else comes this far is another question.
    for other in others:
        other.change = None  # A diff is for what keeps the socket shut, and nothing else.
    findings = ranked([*causes, *semicolon.explained(facts, others)])
    return _report(facts, conclude(findings, opened), findings)


def _report(facts: Facts, verdict: str, findings: List[Finding]) -> Report:
    return Report(facts.question, verdict, _sentence(facts, verdict, findings), findings, facts)


def complete(finding: Finding, facts: Facts) -> None:
    """Give a cause its line in the files, and the commands that cure it or show what to cure."""
    place(finding, facts)
    commands = commands_for(finding.code, facts)
    if commands:
        finding.change = finding.change or Change()
        finding.change.commands = commands
    if facts.inside is not None:
        from .deciding import in_container

        in_container.tell_home(finding, facts)


def _offer(causes: Sequence[Finding], facts: Facts) -> None:
    """Give the causes their diffs, where there are any causes.

    What mends takes longer to import than a healthy host takes to be looked at.
    """
    if causes:
        from .deciding import mending, unread

        mending.offer(causes, facts)
        unread.offer(causes, facts)


def _suspects(facts: Facts) -> List[Suspect]:
    try:
        return suspects(facts)
    except (CannotDecide, *BROKEN) as error:
        facts.notes.append(f"the static analysis cannot decide: {error}")
        return []


def diagnose_dump(
    question: Question, dump: bytes, *, version: Sequence[int] = DEFAULT_VERSION, name: str = ""
) -> Report:
    """Diagnose one URL from a configuration alone.

    Args:
        question: what is asked.
        dump: output of ``nginx -T``, or a single configuration file.
        version: of the nginx that runs it.
        name: name of the file, when it is a single one.
    """
    try:
        endpoint = question.endpoint
        configuration = read_dump(dump, name, f"{endpoint.port}{' ssl' if endpoint.tls else ''}")
    except NoConfiguration as error:
        facts = Facts(question, version=tuple(version))
        sentence = f"{masked_url(question.url)}: cannot tell: {error}."
        return Report(question, CANNOT_TELL, sentence, [], facts)
    except ConfSyntaxError as error:
        unread = Finding(
            codes.NGINX_CONFIG_INVALID,
            is_cause=True,
            evidence=[Evidence("configuration", error.message, error.file, error.line)],
            detail=f"the configuration cannot be read: {error.message}",
        )
        return _report(Facts(question, version=tuple(version)), FAILS, [unread])
    return diagnose_configuration(question, configuration, version=version)


def diagnose_configuration(
    question: Question, configuration: Configuration, *, version: Sequence[int] = DEFAULT_VERSION
) -> Report:
    """Diagnose one URL from a loaded configuration alone: no host, no files, no probe."""
    facts = Facts(question, version=tuple(version), configuration=configuration)
    refusals = refused_tree.refusals_in_tree(configuration, facts.version)
    question.endpoint  # noqa: B018  a bad URL is the caller's mistake, and no broken configuration
    try:
        facts.route = followed(facts, question.route_request())
    except BROKEN as error:
        facts.notes.append(f"the configuration cannot be followed: {error}")
    found = _suspects(facts)
    certain = with_those_behind([suspect.finding for suspect in found if suspect.certain])
    causes = refusals[:1] or semicolon.explained(facts, certain)
    if causes and not refusals:
        facts.not_given = hides(facts)
    if facts.not_given is not None:
        causes = []  # What was not given might as well hold what is missing.
    _offer(causes, facts)
    for cause in causes:
        cause.is_cause = True
    others = risks.risks(facts, [suspect for suspect in found if suspect.finding not in causes])
    findings = ranked([*causes, *refusals[1:], *semicolon.explained(facts, others)])
    for finding in findings:
        if not finding.is_cause:
            finding.change = None
    return _report(facts, conclude(findings, None), findings)


def _sentence(facts: Facts, verdict: str, findings: Sequence[Finding]) -> str:
    """The verdict in one sentence."""
    url = masked_url(facts.question.url)
    if verdict == FAILS:
        return f"{url} fails: {findings[0].title}."
    if verdict == WORKS:
        return f"{url} works: the WebSocket opens{_where(facts)}."
    if facts.not_given is not None:
        statement = facts.not_given.directive
        named = " ".join(argument.decode("utf-8", "replace") for argument in statement.args)
        return (
            f"{url}: cannot tell: {statement.where()} includes {discreet(named)}, which was not given. "
            f"Without it: {findings[0].title}. The output of nginx -T has all files."
        )
    if not facts.live:
        risk = next((finding for finding in findings if finding.weight >= 40 and not finding.brief), None)
        reach = _reach(facts)
        hint = f"; the first risk is {risk.code}" if risk is not None else ""
        return f"{url}: cannot tell from the configuration alone{reach}{hint}."
    hop, held = facts.main_hop, facts.hop("held")
    if hop is not None and hop.opened and held is not None and not held.opened:
        return f"{url}: cannot tell: {answered(held).text}, and nothing that was looked at explains it."
    if hop is not None and hop.opened:
        return f"{url}: cannot tell: {findings[0].title}."
    seen = answered(hop).text if hop is not None else "no handshake could be made"
    if hop is not None and hop.probe.error_kind == "answer-timeout":
        seen += " (-e probe_timeout=60 waits longer)"
    if findings and findings[0].code in MAY_EXPLAIN and findings[0].detail:
        return f"{url}: cannot tell: {seen}; {findings[0].detail}."
    return f"{url}: cannot tell: {seen}, and nothing that was looked at explains it."


def _reach(facts: Facts) -> str:
    upstream = facts.upstream
    if upstream is None:
        return ""
    reached = f": the handshake reaches {discreet(upstream.url)} as nginx must send it"
    return reached + ", and only a probe shows what answers there"


def _where(facts: Facts) -> str:
    hop = facts.main_hop
    return f" ({hop.words})" if hop is not None else ""
