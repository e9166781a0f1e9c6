"""What every transaction on a host has: its files, its state, its nginx, its clock."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import time
from typing import TYPE_CHECKING, Dict, Iterator, List, Mapping, Optional, Sequence

from ..history.backup import Backups
from ..history.journal import Journal
from ..safety.guard import Guard, Notes
from ..site.instance import Instance
from ..site.model import STATE_DIR, Change, Failure, Finding, Outcome, Refused, Step
from ..tree.files import Filesystem, temporary_name
from ..tree.overlay import Overlay
from .world import World

if TYPE_CHECKING:
    from ...conf.tree import Configuration

_MISSING = (errno.ENOENT, errno.ELOOP)
_BROKEN_FILES = 20
"""So many files that cannot be read are looked past, to see what the rest of a broken tree holds."""


@dataclasses.dataclass
class Host:
    """One host, for the length of one transaction."""

    nginx: Instance
    state_dir: str = STATE_DIR
    check: bool = False
    keep: int = 10
    deadline: float = 15.0
    """Seconds that reload and proof may take together."""
    world: World = dataclasses.field(default_factory=World)
    """All that is outside the transaction: files, nginx, systemd, the clock."""
    outcome: Outcome = dataclasses.field(default_factory=lambda: Outcome("unchanged"))
    window: float = 0.0
    """Seconds that a controller has to confirm a release; 0: a proven release needs no confirmation."""
    reason: str = ""
    """Why this is done, in the user's words; it stands in the list of backups."""

    @property
    def files(self) -> Filesystem:
        """The host's files."""
        return self.world.files

    @property
    def journal(self) -> Journal:
        """The host's journal."""
        return Journal(self.files, self.state_dir)

    @property
    def backups(self) -> Backups:
        """The host's backups."""
        return Backups(self.files, self.state_dir)

    @property
    def notes(self) -> Notes:
        """That the host went back by itself."""
        return Notes(self.files, self.state_dir)

    @property
    def guard(self) -> Optional[Guard]:
        """What goes back by itself; None where there is no systemd to run it."""
        return self.world.guard(self.nginx, self.state_dir)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step; it is listed also when it fails."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.outcome.steps.append(Step(name, time.monotonic() - start))

    @contextlib.contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Nobody else changes the configuration meanwhile: no second transaction, no certbot.

        Args:
            timeout: seconds to wait for each of them.
        """
        directory = os.path.dirname(self.nginx.conf_path)
        with contextlib.ExitStack() as stack:
            with self.step("lock"):
                stack.enter_context(
                    self.world.locked(self.state_dir, directory, timeout, write=not self.check)
                )
            yield

    @contextlib.contextmanager
    def concluded(self, unread: str) -> Iterator[None]:
        """Put into the outcome why a transaction could not go on, and what an earlier one left to heal.

        Args:
            unread: what to say where files cannot be read: ``execute`` undoes by itself what it writes.
        """
        try:
            yield
        except Failure as failure:
            self.outcome.stopped(failure)
        except (OSError, ValueError) as error:
            self.outcome.failed = True
            self.outcome.message = f"{unread}: {error}; nothing was changed"
        if self.outcome.recovered:
            self.outcome.changed = self.outcome.changed or not self.check

    def tree(self, changes: Sequence[Change] = ()) -> Tree:
        """The configuration on the disk, with some changes laid over it.

        Raises:
            Refused: not even the main file can be read.
        """
        return read_tree(self.nginx, Overlay(changes, self.files))

    def now(self, later: float = 0.0) -> str:
        """The time, in UTC, or some seconds later."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.world.time() + later))

    def find(self, code: str, message: str, fix: str = "") -> None:
        """Add a finding to the outcome."""
        self.outcome.findings.append(Finding(code, message, fix))

    def deployed(self) -> Mapping[str, Mapping[str, str]]:
        """Site name → path and release of what the last transaction left."""
        latest = self.backups.latest()
        return latest.sites if latest else {}

    def untidy(self) -> bool:
        """Whether an earlier run left something that the next one takes away."""
        guard = self.guard
        return (
            bool(self.backups.unfinished())
            or self.files.entry(temporary_name(self.journal.path)).kind != "absent"
            or (guard is not None and guard.armed())
        )

    def count_draining(self) -> None:
        """Put into the outcome how many old workers still hold how many connections."""
        if self.nginx.master is not None:
            old = self.world.draining(self.nginx.master)
            counts = [count for count in old.values() if count is not None]
            known = len(counts) == len(old)
            self.outcome.old_workers = {"workers": len(old), "connections": sum(counts) if known else None}


@dataclasses.dataclass
class Tree:
    """The configuration on the disk, as far as it can be read."""

    configuration: Configuration
    broken: Dict[str, bytes]
    """Files that nginx would not read, by path, with their content; the configuration has them empty."""


def one_line(text: str) -> str:
    """A text of a user as one printable line of 200 characters at most."""
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()


def read_tree(nginx: Instance, overlay: Optional[Overlay] = None) -> Tree:
    """Read a tree, looking past files that cannot be read.

    Raises:
        Refused: not even the main file can be read.
    """
    from ...conf.load import load
    from ...conf.tree import ConfSyntaxError

    overlay = overlay or Overlay()
    broken: Dict[str, bytes] = {}

    def read(path: str) -> bytes:
        if path in broken:
            return b""
        try:
            return overlay.read(path)
        except OSError as error:
            if error.errno not in _MISSING or path == nginx.conf_path or len(broken) >= _BROKEN_FILES:
                raise
            broken[path] = b""  # a link to a file that somebody took away
            return b""

    while True:
        try:
            return Tree(load(nginx.conf_path, prefix=nginx.prefix, read=read, glob=overlay.glob), broken)
        except ConfSyntaxError as error:
            if error.file in broken or error.file == nginx.conf_path or len(broken) >= _BROKEN_FILES:
                raise Refused(
                    f"nginx's configuration cannot be read, and was so before we came: {error}"
                ) from error
            broken[error.file] = overlay.read(error.file)
        except OSError as error:
            raise Refused(
                f"nginx's configuration cannot be read, and was so before we came: {error}"
            ) from error


def listed(items: List[str]) -> str:
    """A list for a sentence, cut where it gets long."""
    shown = ", ".join(items[:5])
    return shown + (f" and {len(items) - 5} more" if len(items) > 5 else "")
