"""What a transaction asks of everything outside it: nginx, other processes, systemd, the clock.

The real host is one implementation; a unit test hands in another and runs deploy, rollback, confirm and the
undo through every branch without a host.  Files are part of it (``files``).
"""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from typing import TYPE_CHECKING, FrozenSet, Iterator, List, Mapping, Optional, Sequence

from ...host.processes.children import booted
from ..safety.guard import Guard
from ..safety.lock import certbot_lock, host_lock
from ..safety.statedir import secure
from ..site.instance import Instance
from ..site.model import Change, Refused, Site, Validation
from ..tree.files import Filesystem

if TYPE_CHECKING:
    from ...conf.tree import Configuration
    from ..live.instance import Masters
    from ..live.routes import LiveCheck
    from ..live.sockets import Backends, Open

# What asks nginx, or reads its tree, is imported by the method that needs it. A confirmation needs none,
# and spent most of its time on a host on such imports.


class World:
    """The real host."""

    def __init__(self, files: Optional[Filesystem] = None) -> None:
        """Keep the file system.

        Args:
            files: where everything is read and written; the real one by default.
        """
        self.files = files or Filesystem()

    # -- nginx's judgement -------------------------------------------------------------------

    def validate(self, changes: Sequence[Change], nginx: Instance) -> Validation:
        """What ``nginx -T`` says of the tree with some changes in it."""
        from ..tree.validation import validate

        return validate(changes, nginx)

    # -- nginx's processes -------------------------------------------------------------------

    def masters(self, nginx: Instance) -> Masters:
        """The masters that run this nginx at this moment."""
        from ..live.instance import masters_of

        return masters_of(nginx)

    def restarting(self, nginx: Instance) -> bool:
        """Whether somebody's restart or start of nginx is under way."""
        from ..live.starting import restarting

        return restarting(nginx)

    def pause(self) -> None:
        """Let the other processes of the host go on for a moment."""
        time.sleep(0.05)

    def serving(self, master: int) -> FrozenSet[int]:
        """Worker processes that take new connections."""
        from ..live import workers

        return workers.serving(master)

    def draining(self, master: int) -> Mapping[int, Optional[int]]:
        """Old workers that still hold connections, and how many; None where that is not known."""
        from ..live import workers

        return workers.draining(master)

    def stale_files(self, tree: Configuration, master: int) -> List[str]:
        """Files that changed after the workers of a master had begun to serve."""
        from ..live.instance import serving_since
        from ..live.stale import stale_files

        return stale_files(tree, serving_since(master))

    def reload(self, tree: Configuration, nginx: Instance, master: int, deadline: float) -> None:
        """Send the reload signal once, and wait until only new workers take connections.

        Raises:
            NotProven: nginx did not take the configuration; the message says why.
        """
        from ..live.errorlog import LogWatch, log_paths
        from ..live.reload import reload

        log = LogWatch(log_paths(nginx, [tree]))
        try:
            reload(tree, nginx, master, log, deadline)
        finally:
            log.close()

    def start(self, nginx: Instance, deadline: float) -> Instance:
        """Start an nginx that is stopped.

        Raises:
            NotProven: it does not start, or no worker comes up.
        """
        from ..live.starting import start

        return start(nginx, deadline)

    # -- what the running nginx answers ------------------------------------------------------

    def prove(self, tree: Configuration, nginx: Instance, deadline: float, *, settled: bool = False) -> None:
        """Ask the running nginx for every release of a tree.

        Raises:
            NotProven: it serves something else.
        """
        from ..live.answers import prove, questions

        prove(questions(tree, nginx), deadline, settled=settled)

    def prove_untouched(
        self, tree: Configuration, undone: Configuration, nginx: Instance, deadline: float
    ) -> None:
        """See that an nginx which did not take the reload serves a tree, and not the one that was undone.

        Raises:
            NotProven: it serves something else, or cannot be asked.
        """
        from ..live.answers import prove_untouched, questions

        prove_untouched(questions(tree, nginx), questions(undone, nginx), deadline)

    def check_live(self, sites: Sequence[Site], tree: Configuration) -> List[LiveCheck]:
        """Open every WebSocket URL through the running nginx."""
        from ..live.routes import check_live

        return check_live(sites, tree)

    def open_sockets(self, master: int, where: Backends) -> Open:
        """The open sockets between one nginx and its backends."""
        from ..live.sockets import opened

        return opened(master, where)

    def silent_backends(self, tree: Configuration, files: FrozenSet[str]) -> List[str]:
        """Loopback addresses to which some files pass requests and at which nothing listens."""
        from ..live.sockets import silent_backends

        return silent_backends(tree, files)

    # -- the machine -------------------------------------------------------------------------

    def guard(self, nginx: Instance, state_dir: str) -> Optional[Guard]:
        """What goes back by itself; None where there is no systemd to run it."""
        return Guard(nginx, state_dir, self.files) if booted() else None

    def secure(self, state_dir: str, conf_dir: str = "", *, mend: bool = False) -> None:
        """See that nobody but root could have written the state that we are going to believe.

        Raises:
            Refused: somebody could; the message has the command that mends it.
        """
        secure(state_dir, conf_dir, mend=mend)

    @contextlib.contextmanager
    def locked(self, state_dir: str, conf_dir: str, timeout: float, *, write: bool) -> Iterator[None]:
        """Hold the host's lock, and certbot's where a directory of it is given.

        Args:
            state_dir: where the lock file is.
            conf_dir: directory of nginx's main file; "" when nothing of nginx is touched.
            timeout: seconds to wait for each of them.
            write: false in check mode, where no file may be made or changed.

        Raises:
            Refused: somebody else held a lock all the time, or we are not root.
        """
        if write and conf_dir and os.geteuid() != 0:
            raise Refused("only root can change nginx's configuration; run with become: true")
        self.secure(state_dir, conf_dir, mend=write)
        if write and conf_dir:
            self.files.make_directory(state_dir, 0o700)
        with contextlib.ExitStack() as stack:
            stack.enter_context(host_lock(state_dir, timeout=timeout, write=write))
            if conf_dir:
                stack.enter_context(certbot_lock(conf_dir, timeout=timeout, write=write))
            yield

    def by_whom(self) -> str:
        """Who runs this, for the list of backups."""
        user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
        client = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
        return f"{user} from {client}" if client else user

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()
