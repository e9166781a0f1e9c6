"""Which edits mend the URLs that fail, and which of them may be made."""

from __future__ import annotations

import itertools
from typing import Iterator, List, Sequence, Tuple

from .. import codes
from ..conf.tree import Configuration
from ..exchange.masking import masked_url
from ..transaction.surroundings.host import Host
from ..transaction.tree.overlay import Overlay
from . import moving, owners, without_tls
from .mending import Mended, changed, hunks, opens, ways
from .model import Case, Fixed, Wish

WAYS = 4
"""So many are tried, where the best changes something else for users."""
NAMES = (codes.DEFAULT_SERVER_CAPTURED,)
"""Causes whose cure has a server answer for a name that it did not have."""
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


class Chooser:
    """Chooses, and keeps why something was not mended."""

    def __init__(self, host: Host, outcome: Fixed, wish: Wish) -> None:
        """Nothing is chosen yet; ``outcome`` gets the causes and the commands that help."""
        self.host, self.outcome, self.wish = host, outcome, wish
        self.reasons: List[str] = []
        """Why a URL that fails was not mended."""

    def choose(self, live: Configuration, cases: Sequence[Case]) -> Tuple[Configuration, List[Case]]:
        """Edit a copy for one URL after the other; what is shared is edited once.

        Args:
            live: the tree on the disk.
            cases: the URLs that fail.

        Returns:
            The edited tree, and the URLs that open in it.
        """
        after, done = live, []
        for case in cases:
            if after is not live and _opens(case, after):
                done.append(case)
                continue
            mended = next(self._fit(live, case, after), None)
            if mended is not None:
                self._take(case, after, mended)
                after = mended.after
                done.append(case)
        return after, done

    def ways(self, live: Configuration, case: Case) -> Iterator[Configuration]:
        """The edited trees in which the one URL opens that fails, the best first.

        Args:
            live: the tree on the disk.
            case: the URL.
        """
        for mended in itertools.islice(self._fit(live, case, live), WAYS):
            self._take(case, live, mended)
            yield mended.after

    def _fit(self, live: Configuration, case: Case, after: Configuration) -> Iterator[Mended]:
        """The edits that may be made for a URL; where there are none, the reason is kept."""
        first, none = case.causes[0], True
        if case.report.at_fault.configuration is None:
            self.told(case, "nginx's files cannot be read as they are")
            return
        site = _site_of_ours(case)
        if site:
            self.reasons.append(f"{case.report.sentence.rstrip('.')} ({first.code}), and {site}")
            return
        for mended in ways(case.report.at_fault, case.causes, after):
            if without_tls.not_spoken(after, mended.after):
                continue
            why = moving.forbidden(case.report.at_fault, mended.codes, after, mended.after)
            why = why or _bare(after, mended.after) or self._forbidden(live, mended)
            if why:
                if none:
                    url = masked_url(case.question.url)
                    self.reasons.append(f"{url}: {first.code}: {why}; nothing was changed.")
                return
            none = False
            yield mended
        if none:
            known = first.change is not None and first.change.commands
            self.told(
                case, "what helps is no edit" if known else "no edit is known that opens it and is safe"
            )

    def _take(self, case: Case, after: Configuration, mended: Mended) -> None:
        """Keep what is said of the edits that are chosen."""
        moved = moving.told(case.report.at_fault, mended.codes, after, mended.after)
        if moved:
            self.host.find("backend-moved", moved)
        self.outcome.causes += [code for code in mended.codes if code not in self.outcome.causes]

    def told(self, case: Case, why: str) -> None:
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

    def _forbidden(self, live: Configuration, mended: Mended) -> str:
        """Why an edit must not be made without being told to; "" where it may."""
        if any(code in NAMES for code in mended.codes) and not self.wish.add_names:
            return (
                "the server would answer for a name that it did not have. Say that this is meant: "
                "nginx_websocket_fix_names: true (--add-names)"
            )
        overlay = Overlay((), self.host.files)
        for name, content in changed(live, mended.after).items():
            why = self.not_yours(overlay.resolve(name), live.files[name], content)
            if why:
                return why
        return ""

    def not_yours(self, path: str, before: bytes, after: bytes) -> str:
        """Why a file must not be edited without being told to; "" where it may.

        Args:
            path: its real path.
            before: what it holds.
            after: what it would hold.
        """
        if owners.ours(before):
            return _ROLES.format(path=path)
        found = hunks(before, after)
        if owners.certbots_line(found) is not None:
            return f"{path}: a line that certbot manages would have to change, and certbot needs it"
        owner = owners.owner(path, before, self.host.files.read)
        if not owner and owners.tools_block(before, found) is not None:
            owner = "Ansible's blockinfile writes these lines again"
        if owner and not self.wish.managed:
            return (
                f"{path} is not yours alone: {owner}. Make the change where that tool takes it from, or "
                "have the file edited all the same: nginx_websocket_fix_managed: true (--managed)"
            )
        if owner:
            self.host.find(
                "managed-file",
                f"{path} is not yours alone: {owner}, and the edit may be gone after its next run",
                "make the same change where that tool takes the file from",
            )
        return ""


def _bare(before: Configuration, after: Configuration) -> str:
    backend = without_tls.given_up(before, after)
    if not backend:
        return ""
    return (
        f"{backend} is not of this host, and what goes there would go without TLS. If it is meant to, write "
        "http:// into proxy_pass"
    )


def _opens(case: Case, tree: Configuration) -> bool:
    return case.report.at_fault.configuration is not None and opens(case.report.at_fault, tree)


def _site_of_ours(case: Case) -> str:
    """What to do where the role wrote what answers; "" where it did not."""
    route, tree = case.report.at_fault.route, case.report.at_fault.configuration
    level = route.level or route.server if route is not None else None
    path = level.directive.file if level is not None and level.directive is not None else ""
    ours = tree is not None and path in tree.files and owners.ours(tree.files[path])
    return _ROLES.format(path=path) if ours else ""
