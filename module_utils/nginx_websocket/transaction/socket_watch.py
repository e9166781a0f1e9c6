"""How many open sockets to backends a transaction ended: counted before and after."""

from __future__ import annotations

from types import TracebackType
from typing import Optional, Type

from ..conf.tree import Configuration
from .live.sockets import Open, backends
from .surroundings.host import Host


class SocketWatch:
    """Counts before and after; ``with`` it around what may cost a socket.  In check mode nothing may, and
    nothing is counted.

    The sockets that must survive are those seen both when this was built and when the block begins: a
    short request is over by then, and is nobody's loss.  Idle connections to a backend, which a reload
    closes, look like any other from outside: as many as nginx may keep are not counted as lost.
    """

    def __init__(self, host: Host, *trees: Configuration) -> None:
        """Count for the first time.

        Args:
            host: its outcome takes the result.
            trees: the configurations whose backends count, live and candidate.
        """
        self._host = host
        self._backends = backends(*trees)
        self._first = self._count()
        self._kept: Optional[Open] = None
        self._workers = 0

    def __enter__(self) -> SocketWatch:
        """Count again."""
        self._kept = self._count()
        master = self._host.nginx.master
        self._workers = 0 if master is None else len(self._host.world.serving(master))
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """Count for the last time and report."""
        before, after = self._kept, self._count()
        if before is None or after is None or self._first is None:
            return
        gone = (self._first.all & before.all) - after.all
        certain = len(gone & before.lasting)
        lost = certain + max(0, len(gone) - certain - self._backends.idle * self._workers)
        first, kept, left = self._first.clients, before.clients, after.clients
        if first is not None and kept is not None and left is not None and not self._backends.local_clients:
            lost = min(lost, len((first & kept) - left))
        host = self._host
        host.outcome.sockets = {"before": len(before.all), "after": len(after.all), "lost": lost}
        if lost:
            host.find(
                "sockets-lost",
                f"{lost} of {len(before.all)} sockets that were open before ended during the transaction",
                "a reload keeps open sockets in the old workers: look for worker_shutdown_timeout and for "
                "something that restarts nginx or the backend; clients may also have left on their own",
            )
        surviving = len(self._first.all & before.all & after.all)
        if surviving and self._backends.cut and host.outcome.changed:
            host.find(
                "sockets-will-end",
                f"{surviving} sockets from before are still open; nginx ends them {self._backends.cut} after "
                "the reload",
                "remove worker_shutdown_timeout, or have the clients connect again",
            )

    def _count(self) -> Optional[Open]:
        master = None if self._host.check else self._host.nginx.master
        return None if master is None else self._host.world.open_sockets(master, self._backends)
