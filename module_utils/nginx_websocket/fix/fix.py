"""Mend the user's own file so that a WebSocket opens, or leave the host exactly as it was."""

from __future__ import annotations

import dataclasses
from typing import FrozenSet, List, Mapping, Optional, Sequence

from .. import codes
from ..conf.tree import Configuration
from ..diagnosis.engine import Report, diagnose_configuration
from ..diagnosis.evidence.facts import Question
from ..diagnosis.words.findings import FAILS, WORKS
from ..exchange.endpoint import parse_url
from ..exchange.masking import masked_url
from ..transaction.execute import FIX, Plan, execute
from ..transaction.running import REFUSE, bring_to_life
from ..transaction.site.instance import Instance
from ..transaction.site.model import (
    APPLIED,
    RELOAD_FAILED,
    STATE_DIR,
    Change,
    NotProven,
    Refused,
    RouteCheck,
    Site,
)
from ..transaction.socket_watch import SocketWatch
from ..transaction.surroundings.host import Host, listed, one_line
from ..transaction.surroundings.world import World
from ..transaction.tree.overlay import Overlay
from ..transaction.undo import recover
from . import linking, showing, unended
from .choosing import Chooser
from .judging import Unfit, judged
from .mending import hunks, opens
from .model import Ask, Case, Edited, Fixed, Look, Wish
from .routes import failing

STALE = codes.STALE_CONFIG_NOT_RELOADED
_BY_NGINX = (500, 502, 503, 504)
"""Statuses of nginx's own where it gets no answer of a backend."""


def fix(
    question: Optional[Question],
    *,
    nginx: Instance,
    state_dir: str = STATE_DIR,
    check: bool = False,
    wish: Wish = Wish(),  # noqa: B008  frozen
    keep: int = 10,
    deadline: float = 15.0,
    lock_timeout: float = 60.0,
    confirm_window: float = 0.0,
    reason: str = "",
    world: Optional[World] = None,
    ask: Optional[Ask] = None,
) -> Fixed:
    """Mend what keeps WebSockets from opening, as one transaction with one reload.

    Args:
        question: the URL, and how the page asks for it; None mends every WebSocket route of the host that
            fails.
        nginx: from ``find_instance``.
        state_dir: where lock, journal and backups live.
        check: say what would be changed, and touch nothing.
        wish: what may be done beyond the ordinary limits.
        keep: how many backups to keep.
        deadline: seconds that reload and proof may take.
        lock_timeout: seconds to wait for another transaction, or for certbot.
        confirm_window: seconds within which ``confirm`` must follow, or the host goes back by itself;
            0 when nobody is going to confirm.
        reason: why this is done, for the list of backups.
        world: everything outside the transaction; unit tests hand in another.
        ask: how a URL is diagnosed; unit tests hand in another.

    Returns:
        The outcome: ``unchanged`` where it opens already, ``applied`` where it opens now; ``failed`` says
        whether the caller should fail, which is so where a socket does not open in the end.
    """
    outcome = Fixed("unchanged")
    host = Host(nginx, state_dir, check, keep, deadline, world or World(), outcome=outcome)
    host.window, host.reason = max(0.0, confirm_window), one_line(reason)
    with host.concluded("the host's files could not be read or locked"), host.locked(lock_timeout):
        outcome.recovered = recover(host)
        _Fix(host, outcome, wish, ask or Look(conf_path=nginx.conf_path).report).run(question)
    return outcome


class _Fix:
    """One fix under way."""

    def __init__(self, host: Host, outcome: Fixed, wish: Wish, ask: Ask) -> None:
        self.host, self.outcome, self.wish, self.ask = host, outcome, wish, ask
        self.chooser = Chooser(host, outcome, wish)
        self.reasons = self.chooser.reasons
        self.works = ""
        """What is said of a URL that opens."""
        self.made_up = False
        """Whether nobody named a URL, so that an application may refuse the paths that are asked for."""

    def run(self, question: Optional[Question]) -> None:
        """Diagnose, choose, judge, and carry out.

        Raises:
            Failure: a socket does not open, and nothing was changed.
        """
        self.made_up = question is None
        live = self.host.tree().configuration
        with self.host.step("diagnose"):
            ends = unended.missing(self.host)
            meant = self.host.tree(ends).configuration if ends else live
            questions = [question] if question is not None else failing(meant)
            cases = [case for case in map(self._case, questions) if case is not None]
        if not cases:
            if self.reasons:
                raise Refused(" ".join(self.reasons))
            works = self.works if question is not None else "no WebSocket route of this host is known to fail"
            self.outcome.message = f"nothing to do: {works}"
            return
        if ends:
            self._end(meant, ends, cases)
            return
        if all(case.causes[0].code == STALE for case in cases):
            self._reload(live, cases)
            return
        unlinked = [case for case in cases if case.causes[0].code == linking.CODE]
        if unlinked:
            self._link(live, unlinked[0])
            return
        if len(cases) == 1:
            self._first_fit(live, cases[0])
            return
        with self.host.step("choose"):
            after, mended = self.chooser.choose(live, cases)
        if not mended:
            raise Refused(" ".join(self.reasons))
        self._carry_out(live, self._changes(live.files, live, after), mended)

    def _first_fit(self, live: Configuration, case: Case) -> None:
        """The best edits that change nothing else for users.

        Raises:
            Failure: none of them is fit; the best one's reason is told.
        """
        outcome, chosen = self.outcome, self.chooser.ways(live, case)
        before, refused, told = outcome.of_a_choice(), None, {}
        while True:
            with self.host.step("choose"):
                after = next(chosen, None)
            if after is None:
                break
            try:
                self._carry_out(live, self._changes(live.files, live, after), [case])
                return
            except Unfit as error:
                if refused is None:
                    refused, told = error, outcome.of_a_choice()
                outcome.take_back(before)
        if refused is None:
            raise Refused(" ".join(self.reasons))
        outcome.take_back(told)
        raise refused

    def _end(self, meant: Configuration, ends: Sequence[Change], cases: Sequence[Case]) -> None:
        """The semicolons come that nginx misses, and what is wrong behind them is mended with them.

        Args:
            meant: the tree with them.
            ends: the files that get them.
            cases: the URLs that fail.

        Raises:
            Failure: it is not to be done, or a socket does not open with it.
        """
        with self.host.step("choose"):
            for change in ends:
                why = self.chooser.not_yours(change.path, change.before.content, change.after.content)
                if why:
                    raise Refused(f"{unended.CODE}: {why}; nothing was changed.")
            self.outcome.causes = [unended.CODE]
            behind = [
                case for case in (self._behind(meant, one.question) for one in cases) if case is not None
            ]
            after, mended = self.chooser.choose(meant, behind)
        open_now = [one for one in cases if all(one.question is not case.question for case in behind)]
        if not open_now and not mended:
            raise Refused(" ".join(self.reasons))
        self.host.find(
            "files-read-again",
            "nginx has refused its files and run with what it had read before; all that they say now is in "
            "force with this change",
        )
        overlay = Overlay((), self.host.files)
        was = {change.path: change.before.content for change in ends}
        before = {name: was.get(overlay.resolve(name), data) for name, data in meant.files.items()}
        self._carry_out(meant, self._changes(before, meant, after), [*open_now, *mended])

    def _behind(self, meant: Configuration, question: Question) -> Optional[Case]:
        """What a tree that nginx has not read yet has against a URL; None where nothing."""
        report = diagnose_configuration(question, meant, version=self.host.nginx.version)
        causes = [finding for finding in report.findings if finding.is_cause]
        return Case(question, report, causes) if report.verdict == FAILS and causes else None

    def _link(self, live: Configuration, case: Case) -> None:
        """The site stands in a file that no include takes: a link is all that it needs.

        Raises:
            Failure: it is not to be linked, or the socket does not open with it.
        """
        found = linking.link(case.report.facts, live, self.host.nginx.layout, self.host.files)
        if isinstance(found, str):
            self.chooser.told(case, found)
            raise Refused(" ".join(self.reasons))
        change, names = found
        self.outcome.causes = [linking.CODE]
        self.outcome.edits = [Edited(change.path, 0, (), (f"link to {change.after.target}",))]
        self._carry_out(live, [change], [case], names)

    def _case(self, question: Question) -> Optional[Case]:
        """What is wrong with a URL; None where nothing is, or where no file of nginx is at fault."""
        report = self.ask(question)
        hop = report.facts.main_hop
        if report.verdict == WORKS or (hop is not None and hop.opened):
            # Who else comes as far as this host is no matter of its files.
            self.works = report.sentence
            return None
        if self.made_up and _passed_on(report):
            self.host.find(
                "made-up-path-refused",
                f"{masked_url(question.url)}: nginx passes the upgrade on, and the application refuses this "
                "path, which is made up",
                "name the URL that the page asks for",
            )
            return None
        causes = [finding for finding in report.findings if finding.is_cause]
        if report.verdict != FAILS or not causes:
            self.outcome.undecided = True
            self.reasons.append(f"{report.sentence.rstrip('.')}; nothing was changed.")
            return None
        self.outcome.undecided = False
        facts = report.facts
        if facts.inside is not None:
            self.reasons.append(
                f"{masked_url(question.url)} is served by the nginx of {facts.inside.words}; "
                "nothing was changed. The diagnosis says what to change, and where those files come from."
            )
            return None
        if facts.configuration is not None and facts.configuration.main != self.host.nginx.conf_path:
            self.reasons.append(
                f"{masked_url(question.url)} is served by another nginx, with {facts.configuration.main}; "
                "nothing was changed. Name that file (nginx_websocket_conf_path)."
            )
            return None
        return Case(question, report, causes)

    def _reload(self, live: Configuration, cases: Sequence[Case]) -> None:
        """The files are right already, and nginx has not read them."""
        outcome, host = self.outcome, self.host
        outcome.causes, outcome.urls = [STALE], [masked_url(case.question.url) for case in cases]
        verdict = host.world.validate([], host.nginx)
        if not verdict.valid:
            raise Refused(
                f"nginx would not take its files: {verdict.errors[0].sentence()}; nothing was changed",
                verdict.errors,
            )
        outcome.changed = True
        if host.check:
            outcome.message = "would reload nginx, which has not read its files since they were changed"
            return
        try:
            bring_to_life(host, live, _sites(cases, must_open=not self.made_up))
        except NotProven as error:
            outcome.outcome = RELOAD_FAILED
            raise NotProven(
                f"nginx was reloaded, which it needed, but {error}. No file was changed."
            ) from error
        outcome.outcome = APPLIED
        outcome.message = f"reloaded, and {listed(outcome.urls)} opens; no file was changed"

    def _changes(
        self, before: Mapping[str, bytes], tree: Configuration, after: Configuration
    ) -> List[Change]:
        """The files that the edits change, and what is told of them.

        Args:
            before: what the files hold on the disk.
            tree: the configuration that was edited.
            after: the edited one.

        Raises:
            Refused: somebody else changed a file meanwhile.
        """
        overlay = Overlay((), self.host.files)
        changes = []
        for name, content in after.files.items():
            if before.get(name) == content:
                continue
            path = overlay.resolve(name)
            current = self.host.files.entry(path)
            if current.kind != "file" or current.content != before[name]:
                raise Refused(f"{path} changed while it was being read; nothing was changed. Run again.")
            changes.append(Change(path, current, dataclasses.replace(current, content=content)))
            self.outcome.edits += [
                Edited(path, hunk.line, *showing.lines(hunk.removed, hunk.added))
                for hunk in hunks(current.content, content)
            ]
            readers = showing.shared(tree, name, path)
            if readers:
                self.host.find("shared-include", readers)
        return changes

    def _carry_out(
        self,
        live: Configuration,
        changes: List[Change],
        cases: Sequence[Case],
        names: FrozenSet[str] = frozenset(),
    ) -> None:
        """Judge the changed tree, and make it the live one.

        Args:
            live: the tree on the disk.
            changes: of its files.
            cases: the URLs that shall open.
            names: of a site that comes whole.

        Raises:
            Failure: it is not fit, or the socket does not open with it.
        """
        host, outcome = self.host, self.outcome
        outcome.urls = [masked_url(case.question.url) for case in cases]
        outcome.files = [{"site": "", "path": change.path} for change in changes]
        outcome.diff = [change.difference() for change in changes]
        staged = judged(host, outcome, live, changes, [url for case in cases for url in case.urls], names)
        what = f"{listed([change.path for change in changes])} for {listed(outcome.urls)}: " + listed(
            outcome.causes
        )
        if host.check:
            outcome.changed = True
            outcome.message = f"would edit {what}"
            return
        if host.nginx.master is None:
            raise Refused(f"a fix could not be proven, and nothing was changed: {host.nginx.not_running()}")
        deployed = host.deployed()
        plan = Plan(FIX, changes, staged, deployed, deployed, _sites(cases, must_open=not self.made_up))
        with SocketWatch(host, live):
            execute(host, plan, stopped=REFUSE)
        if outcome.outcome == APPLIED:
            left = f" Left as they are: {' '.join(self.reasons)}" if self.reasons else ""
            proof = "it opens, proven by a handshake and a pong"
            if self.made_up:
                proof = (
                    "nginx passes each upgrade on; the paths are made up, so an application may refuse them"
                )
            outcome.message = f"edited {what}; {proof}.{left}"
            outcome.failed = bool(self.reasons)


def _passed_on(report: Report) -> bool:
    """Whether a backend gets the upgrade as it should and answers with something else."""
    facts = report.facts
    status = facts.main_hop.probe.status if facts.main_hop is not None else None
    tree = facts.configuration
    return status is not None and status not in _BY_NGINX and tree is not None and opens(facts, tree)


def _sites(cases: Sequence[Case], *, must_open: bool) -> List[Site]:
    """The URLs as what must open; how the page asks for them is how they are proven."""
    sites = []
    for case in cases:
        question = case.question
        host = parse_url(question.url).host
        check = RouteCheck(
            question.url,
            origin=question.sent_origin or "",
            subprotocols=tuple(question.subprotocols),
            headers=tuple(question.headers),
            must_open=must_open,
        )
        sites.append(Site(host, b"", (host,), (check,)))
    return sites
