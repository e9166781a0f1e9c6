"""The host in memory, whose nginx others restart, upgrade and end while a transaction runs.

What happens at a reload, an answer, a start or a pause is put into ``on`` as functions.
"""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence

from simulated_host import MAIN, ROOT, STATE, SimulatedWorld

from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.live.instance import Masters
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import (
    Change,
    ConfError,
    Entry,
    NotProven,
    Site,
    Validation,
)
from module_utils.nginx_websocket.transaction.site.release import LITERAL, claimed, stamped
from module_utils.nginx_websocket.transaction.surroundings.host import Host, read_tree
from module_utils.nginx_websocket.transaction.tree.overlay import Overlay

DIRECTORY = f"{ROOT}/conf.d"
PATH = f"{DIRECTORY}/site.conf"
NONSENSE = b"nonsense"


def content(word: str) -> bytes:
    """A site file, as it stands on the disk."""
    return stamped(
        b"# %s %s\nserver { listen 80; server_name a.test; location = /.well-known/nginx-websocket/%s "
        b"{ return 200; } }\n" % (word.encode(), LITERAL, LITERAL)
    )


def file(word: str) -> Entry:
    """The same as an entry."""
    return Entry("file", content=content(word))


class Machine(SimulatedWorld):
    """Files, one nginx, and what others do to it."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.files.plant(f"{STATE}/lock", Entry("file"))
        for word in words:
            self.files.plant(PATH, file(word))
        self.processes = Masters(100)
        self.restart_under_way = False
        self.running: Dict[int, Mapping[str, bytes]] = {100: self.live()}
        """What each master has read."""
        self.on: Dict[str, List[Callable[[], None]]] = {}
        self.told: List[int] = []
        self.refuses: Optional[Callable[[Sequence[Change]], bool]] = None
        """Changes that nginx does not accept."""
        self.paused = 0
        self.starts = 0

    # -- what the tests do -------------------------------------------------------------------

    def instance(self) -> Instance:
        return Instance("/usr/sbin/nginx", MAIN, master=self.processes.current)

    def host(self, deadline: float = 0.2) -> Host:
        return Host(self.instance(), STATE, deadline=deadline, world=self)

    def live(self) -> Mapping[str, bytes]:
        """What nginx would read now."""
        return dict(read_tree(Instance("/usr/sbin/nginx", MAIN), Overlay((), self.files)).configuration.files)

    def happens(self, when: str, *what: Callable[[], None]) -> None:
        """At each ``reload``, ``prove``, ``start`` or ``pause``, one function more of these is called."""
        self.on.setdefault(when, []).extend(what)

    def replace_master(self, pid: int, *, older: Optional[int] = None) -> None:
        """Somebody restarts nginx (or begins an upgrade): a master that has read what is on the disk."""
        self.running[pid] = self.live()
        self.processes = Masters(pid, older)

    def end_master(self) -> None:
        self.processes = Masters()

    def edit(self, text: bytes = b"# by hand\n") -> None:
        """A person writes into the live file."""
        self.files.names_seen[PATH].entry = Entry("file", content=text)

    def serves(self) -> Mapping[str, bytes]:
        assert self.processes.current is not None, "nginx does not run"
        return self.running[self.processes.current]

    def _now(self, when: str) -> None:
        waiting = self.on.get(when)
        if waiting:
            waiting.pop(0)()

    # -- the world ---------------------------------------------------------------------------

    def validate(self, changes: Sequence[Change], nginx: Instance) -> Validation:
        tree = read_tree(nginx, Overlay(changes, self.files)).configuration
        bad = [
            ConfError('unknown directive "nonsense"', path, 1)
            for path, text in tree.files.items()
            if NONSENSE in text
        ]
        if self.refuses is not None and self.refuses(changes):
            bad.append(ConfError("nginx refuses it"))
        return Validation(not bad, errors=bad)

    def masters(self, nginx: Instance) -> Masters:
        return self.processes

    def restarting(self, nginx: Instance) -> bool:
        return self.restart_under_way

    def pause(self) -> None:
        self.paused += 1
        self._now("pause")

    def reload(self, tree: Configuration, nginx: Instance, master: int, deadline: float) -> None:
        assert nginx.master == master
        self.told.append(master)
        self._now("reload")
        if master != self.processes.current:
            raise NotProven(f"process {master} ended")
        self.running[master] = self.live()

    def start(self, nginx: Instance, deadline: float) -> Instance:
        self._now("start")
        self.starts += 1
        self.replace_master(500)
        return self.instance()

    def prove(self, tree: Configuration, nginx: Instance, deadline: float, *, settled: bool = False) -> None:
        self._now("prove")
        if _releases(self.serves()) != _releases(tree.files):
            raise NotProven("another release is served")

    def prove_untouched(
        self, tree: Configuration, undone: Configuration, nginx: Instance, deadline: float
    ) -> None:
        if not _releases(tree.files) and not _releases(undone.files):
            raise NotProven("nobody can be asked")
        self.prove(tree, nginx, deadline)

    def check_live(self, sites: Sequence[Site], tree: Configuration) -> list:
        return []


def _releases(files: Mapping[str, bytes]) -> Dict[str, str]:
    return {path: claimed(text) or "" for path, text in files.items() if claimed(text)}


def refuse(words: str = "nginx refused to reload") -> Callable[[], None]:
    """A reload or a proof fails."""

    def fail() -> None:
        raise NotProven(words)

    return fail


def nothing() -> None:
    """All goes well."""
