"""Mend the user's own file so that a WebSocket opens, or leave the host exactly as it was."""

from __future__ import annotations

import dataclasses
from typing import Dict, FrozenSet, List, Optional, Sequence, Tuple

from .. import codes
from ..compare.comparing import World as Compared
from ..compare.comparing import compare
from ..compare.differences import Difference
from ..conf.tree import Configuration
from ..diagnosis.engine import Report
from ..diagnosis.evidence.facts import Question
from ..diagnosis.reload.refused_tree import refusals_in_tree
from ..diagnosis.words.findings import FAILS, WORKS, Finding
from ..exchange.endpoint import parse_url
from ..exchange.masking import masked_url
from ..transaction.execute import FIX, Plan, execute
from ..transaction.live.instance import Instance
from ..transaction.running import REFUSE, bring_to_life
from ..transaction.site.model import (
    APPLIED,
    RELOAD_FAILED,
    Change,
    Failure,
    NotProven,
    Refused,
    RouteCheck,
    Site,
)
from ..transaction.socket_watch import SocketWatch
from ..transaction.surroundings.host import STATE_DIR, Host, listed, one_line
from ..transaction.surroundings.world import World
from ..transaction.tree.evidence import masked_line
from ..transaction.tree.overlay import Overlay
from ..transaction.undo import recover
from . import linking, moving, owners
from .intended import unintended
from .mending import Mended, changed, hunks, mend, opens
from .model import Ask, Edited, Fixed, Look, Wish
from .routes import failing

STALE = codes.STALE_CONFIG_NOT_RELOADED
NAMES = (codes.DEFAULT_SERVER_CAPTURED,)
"""Causes whose cure has a server answer for a name that it did not have."""
_SHOWN = 6
_LONG, _AROUND, _MASKED = 200, 40, 4000
"""Characters of a line that are shown, those before what changes, and those that are looked at."""
_ROLES = (
    "{path} is a site of the role nginx_websocket and is not patched; its variables say what stands there. "
    "Change them, and run site.yml:\n"
    "nginx_websocket_sites:\n"
    "  - websockets:\n"
    "      - path: /ws/          # as the page asks for it\n"
    "    backends:\n"
    "      - name: app\n"
    "        ports: [8000]       # where the application listens"
)


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
    try:
        with host.locked(lock_timeout):
            outcome.recovered = recover(host)
            _Fix(host, outcome, wish, ask or Look(conf_path=nginx.conf_path).report).run(question)
    except Failure as failure:
        outcome.stopped(failure)
    except (OSError, ValueError) as error:
        # ``execute`` undoes by itself what it writes; here only reading can have failed.
        outcome.failed = True
        outcome.message = f"the host's files could not be read or locked: {error}; nothing was changed"
    if outcome.recovered:
        outcome.changed = outcome.changed or not check
    return outcome


@dataclasses.dataclass
class _Case:
    """One URL that fails."""

    question: Question
    report: Report
    causes: List[Finding]


class _Fix:
    """One fix under way."""

    def __init__(self, host: Host, outcome: Fixed, wish: Wish, ask: Ask) -> None:
        self.host, self.outcome, self.wish, self.ask = host, outcome, wish, ask
        self.reasons: List[str] = []
        """Why a URL that fails was not mended."""
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
            questions = [question] if question is not None else failing(live)
            cases = [case for case in map(self._case, questions) if case is not None]
        if not cases:
            if self.reasons:
                raise Refused(" ".join(self.reasons))
            if question is None:
                self.outcome.message = "nothing to do: no WebSocket route of this host is known to fail"
            return
        if all(case.causes[0].code == STALE for case in cases):
            self._reload(live, cases)
            return
        unlinked = [case for case in cases if case.causes[0].code == linking.CODE]
        if unlinked:
            self._link(live, unlinked[0])
            return
        with self.host.step("choose"):
            after, mended = self._choose(live, cases)
        if not mended:
            raise Refused(" ".join(self.reasons))
        self._carry_out(live, self._changes(live, after), mended)

    def _link(self, live: Configuration, case: _Case) -> None:
        """The site stands in a file that no include takes: a link is all that it needs.

        Raises:
            Failure: it is not to be linked, or the socket does not open with it.
        """
        found = linking.link(case.report.facts, live, self.host.nginx.layout, self.host.files)
        if isinstance(found, str):
            self._told(case, found)
            raise Refused(" ".join(self.reasons))
        change, names = found
        self.outcome.causes = [linking.CODE]
        self.outcome.edits = [Edited(change.path, 0, (), (f"link to {change.after.target}",))]
        self._carry_out(live, [change], [case], names)

    def _case(self, question: Question) -> Optional[_Case]:
        """What is wrong with a URL; None where nothing is, or where no file of nginx is at fault."""
        report = self.ask(question)
        hop = report.facts.main_hop
        if report.verdict == WORKS or (hop is not None and hop.opened):
            # Who else comes as far as this host is no matter of its files.
            self.outcome.message = f"nothing to do: {report.sentence}"
            return None
        causes = [finding for finding in report.findings if finding.is_cause]
        if report.verdict != FAILS or not causes:
            self.outcome.undecided = True
            self.reasons.append(f"{report.sentence.rstrip('.')}; nothing was changed.")
            return None
        self.outcome.undecided = False
        facts = report.facts
        if facts.configuration is not None and facts.configuration.main != self.host.nginx.conf_path:
            self.reasons.append(
                f"{masked_url(question.url)} is served by another nginx, with {facts.configuration.main}; "
                "nothing was changed. Name that file (nginx_websocket_conf_path)."
            )
            return None
        return _Case(question, report, causes)

    def _reload(self, live: Configuration, cases: Sequence[_Case]) -> None:
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

    def _choose(self, live: Configuration, cases: Sequence[_Case]) -> Tuple[Configuration, List[_Case]]:
        """Edit a copy for one URL after the other; what is shared is edited once."""
        after, done = live, []
        for case in cases:
            url, first = masked_url(case.question.url), case.causes[0]
            if case.report.facts.configuration is None:
                self._told(case, "nginx's files cannot be read as they are")
                continue
            if after is not live and opens(case.report.facts, after):
                done.append(case)
                continue
            site = self._site_of_ours(case)
            if site:
                self.reasons.append(f"{case.report.sentence.rstrip('.')} ({first.code}), and {site}")
                continue
            mended = mend(case.report.facts, case.causes, after)
            if mended is None:
                known = first.change is not None and first.change.commands
                why = "what helps is no edit" if known else "no edit is known that opens it and is safe"
                self._told(case, why)
                continue
            why = moving.forbidden(case.report.facts, mended.codes, after, mended.after) or self._forbidden(
                live, mended
            )
            if why:
                self.reasons.append(f"{url}: {first.code}: {why}; nothing was changed.")
                continue
            told = moving.told(case.report.facts, mended.codes, after, mended.after)
            if told:
                self.host.find("backend-moved", told)
            after = mended.after
            self.outcome.causes += [code for code in mended.codes if code not in self.outcome.causes]
            done.append(case)
        return after, done

    def _told(self, case: _Case, why: str) -> None:
        """Say what is wrong and what helps, where it is not edited."""
        first = case.causes[0]
        if first.change is not None:
            self.outcome.commands += first.change.commands
        commands = (
            f" Try: {'; '.join(first.change.commands)}" if first.change and first.change.commands else ""
        )
        self.reasons.append(
            f"{case.report.sentence.rstrip('.')} ({first.code}); nothing was changed: {why}. "
            f"What helps: {first.fix}.{commands}"
        )

    def _site_of_ours(self, case: _Case) -> str:
        """What to do where the role wrote what answers; "" where it did not."""
        route, tree = case.report.facts.route, case.report.facts.configuration
        level = route.level or route.server if route is not None else None
        path = level.directive.file if level is not None and level.directive is not None else ""
        ours = tree is not None and path in tree.files and owners.ours(tree.files[path])
        return _ROLES.format(path=path) if ours else ""

    def _forbidden(self, live: Configuration, mended: Mended) -> str:
        """Why an edit must not be made without being told to; "" where it may."""
        if any(code in NAMES for code in mended.codes) and not self.wish.add_names:
            return (
                "the server would answer for a name that it did not have. Say that this is meant: "
                "nginx_websocket_fix_names: true (--add-names)"
            )
        overlay = Overlay((), self.host.files)
        for name, content in changed(live, mended.after).items():
            path, before = overlay.resolve(name), live.files[name]
            if owners.ours(before):
                return _ROLES.format(path=path)
            found = hunks(before, content)
            if owners.certbots_line(found) is not None:
                return f"{path}: a line that certbot manages would have to change, and certbot needs it"
            owner = owners.owner(path, before, self.host.files.read)
            if owner and not self.wish.managed:
                return (
                    f"{path} is not yours alone: {owner}. Make the change where that tool takes it from, or "
                    "have the file edited all the same: nginx_websocket_fix_managed: true (--managed)"
                )
        return ""

    def _changes(self, live: Configuration, after: Configuration) -> List[Change]:
        """The files that the edits change, and what is told of them.

        Raises:
            Refused: somebody else changed a file meanwhile.
        """
        overlay = Overlay((), self.host.files)
        changes = []
        for name, content in changed(live, after).items():
            path = overlay.resolve(name)
            current = self.host.files.entry(path)
            if current.kind != "file" or current.content != live.files[name]:
                raise Refused(f"{path} changed while it was being read; nothing was changed. Run again.")
            changes.append(Change(path, current, dataclasses.replace(current, content=content)))
            self.outcome.edits += [
                Edited(path, hunk.line, *_shown(hunk.removed, hunk.added))
                for hunk in hunks(current.content, content)
            ]
            self._shared(live, name, path)
        return changes

    def _carry_out(
        self,
        live: Configuration,
        changes: List[Change],
        cases: Sequence[_Case],
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
        with host.step("validate"):
            verdict = host.world.validate(changes, host.nginx)
            outcome.method, outcome.warnings = verdict.method, verdict.warnings
        if not verdict.valid:
            raise Refused(
                f"nginx does not accept the edit: {verdict.errors[0].sentence()}; nothing was changed",
                verdict.errors,
            )
        staged = host.tree(changes).configuration
        self._compare(live, staged, [case.question.url for case in cases], names)
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

    def _shared(self, live: Configuration, name: str, path: str) -> None:
        """List the servers that read an include which is edited, where there are several."""
        readers: Dict[int, str] = {}
        for directive in live.walk():
            if directive.file != name:
                continue
            server = directive.parent
            while server is not None and server.name != b"server":
                server = server.parent
            if server is not None and server.file != name:
                words = [
                    arg.decode("utf-8", "replace")
                    for one in server.children(b"server_name")
                    for arg in one.args
                ]
                readers[id(server)] = f"{' '.join(words[:3]) or 'a server without a name'} ({server.where()})"
        if len(readers) > 1:
            self.host.find(
                "shared-include",
                f"{path} is read by {len(readers)} servers, and the edit holds for all of them: "
                + listed(list(readers.values())),
            )

    def _compare(
        self, live: Configuration, staged: Configuration, urls: List[str], names: FrozenSet[str]
    ) -> None:
        """See that users get what is intended, and nothing else.

        Raises:
            Refused: somebody would get something else.
        """
        host, outcome = self.host, self.outcome
        with host.step("compare requests"):
            result = compare(
                live, staged, version=host.nginx.version, urls=urls, world=Compared(now=host.world.time())
            )
        outcome.comparison = result.as_dict()
        bad = unintended(result, urls, live, staged, host.nginx.version, names)
        if bad and not self._refused(live):
            raise Refused(
                "the edit would open the socket and change something else for users, so nothing was changed: "
                + "; ".join(one.sentence() for one in bad[:_SHOWN])
            )
        told = [_difference(one) for one in result.differences]
        if told:
            more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
            host.find(
                "changes-for-users",
                "\n".join(["What changes for users:", *told[:_SHOWN], *more]),
            )

    def _refused(self, live: Configuration) -> bool:
        """Whether nginx refuses the files as they are, so that what it serves is something else.

        What they would do then is no measure of what users have.
        """
        nginx = self.host.nginx
        return bool(refusals_in_tree(live, nginx.version)) or not self.host.world.validate([], nginx).valid


def _difference(one: Difference) -> str:
    """What a request got and gets, on one line; where it stands, the edits show."""
    more = f" and {one.requests - 1} more like it" if one.requests > 1 else ""
    whose = f" ({one.whose})" if one.whose else ""
    often = f", {one.hits:,} of the last day's requests" if one.hits else ""
    return f"- {one.examples[0]}{more}{whose}{often}: before, {one.parting.was}; after, {one.parting.now}"


def _shown(removed: Sequence[str], added: Sequence[str]) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """Lines as they are shown: secrets masked, and of a long line the part that changes."""
    old, new = ([masked_line(line, _MASKED) for line in lines] for lines in (removed, added))
    first = 0
    if old and new and max(len(old[0]), len(new[0])) > _LONG:
        same = (number for number, (one, other) in enumerate(zip(old[0], new[0])) if one != other)
        first = max(0, next(same, min(len(old[0]), len(new[0]))) - _AROUND)
    lead = "…" if first else ""
    cut = [
        tuple(
            lead + line[first : first + _LONG] if index == 0 else line[:_LONG]
            for index, line in enumerate(lines)
        )
        for lines in (old, new)
    ]
    return cut[0], cut[1]


def _sites(cases: Sequence[_Case], *, must_open: bool) -> List[Site]:
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
