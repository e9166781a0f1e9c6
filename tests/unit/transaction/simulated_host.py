"""A host in memory: files, and an nginx that reads them when it is told to.

nginx's own judgement is taken from our reader of configurations; the rest of the transaction is the real one.
"""

from __future__ import annotations

import contextlib
from typing import Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence

from simulated import SimulatedFilesystem

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import Configuration, ConfSyntaxError
from module_utils.nginx_websocket.host.layout import Layout
from module_utils.nginx_websocket.transaction.deploy import deploy
from module_utils.nginx_websocket.transaction.live.instance import Masters
from module_utils.nginx_websocket.transaction.live.sockets import Backends, Open
from module_utils.nginx_websocket.transaction.rollback import kept, rollback
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import (
    Change,
    ConfError,
    Entry,
    NotProven,
    Outcome,
    Site,
    Validation,
)
from module_utils.nginx_websocket.transaction.site.servers import servers
from module_utils.nginx_websocket.transaction.surroundings.world import World
from module_utils.nginx_websocket.transaction.tree.overlay import Overlay
from module_utils.nginx_websocket.transaction.tree.validation import parsed

ROOT = "/simulated/nginx"
STATE = "/simulated/state"
MAIN = f"{ROOT}/nginx.conf"
MASTER = 4242
_MAIN = f"events {{}}\nhttp {{\n    include {ROOT}/conf.d/*.conf;\n    include {ROOT}/sites-enabled/*;\n}}\n"


def candidate(name: str, tail: object = "", names: Sequence[str] = (), path: str = "") -> Site:
    """A site whose content differs with ``tail``."""
    called = tuple(names or (f"{name}.test",))
    content = (
        f"server {{\n    listen 80;\n    server_name {' '.join(called)};\n"
        "    location = /.well-known/nginx-websocket/@RELEASE@ { return 200 @RELEASE@; }\n"
        f"    location / {{ return 200 {name}; }}\n}}\n# {tail}\n"
    )
    return Site(name, content.encode(), called, path=path)


class SimulatedGuard:
    """Remembers whether it would go back by itself."""

    code = f"{STATE}/guard.zip"

    def __init__(self) -> None:
        self.armed_for: Optional[int] = None

    def arm(self, number: int, window: float, runs: str) -> None:
        self.armed_for = number

    def armed(self) -> bool:
        return self.armed_for is not None

    def disarm(self) -> None:
        self.armed_for = None


class SimulatedWorld(World):
    """One nginx, which serves what it read last."""

    files: SimulatedFilesystem

    def __init__(self) -> None:
        super().__init__(SimulatedFilesystem())
        self.files.plant(MAIN, Entry("file", content=_MAIN.encode()))
        for name in ("conf.d", "sites-available", "sites-enabled"):
            self.files.plant(f"{ROOT}/{name}/.keep", Entry("file"))
        self.served: Dict[str, bytes] = {}
        self.reloads = 0
        self.clock = 0.0
        self.somebody = "somebody"
        self.watch = SimulatedGuard()
        self.unready: List[str] = []
        """What nginx says at the next reloads instead of taking the tree."""

    # -- nginx -------------------------------------------------------------------------------

    def validate(self, changes: Sequence[Change], nginx: Instance) -> Validation:
        overlay = Overlay(changes, self.files)
        try:
            configuration = load(nginx.conf_path, read=overlay.read, glob=overlay.glob)
        except ConfSyntaxError as error:
            return Validation(False, [ConfError(error.message, error.file, error.line)])
        dump = b"".join(
            b"# configuration file " + path.encode() + b":\n" + content
            for path, content in configuration.files.items()
        )
        return Validation(True, dump=dump, method="simulated")

    def masters(self, nginx: Instance) -> Masters:
        return Masters(MASTER)

    def restarting(self, nginx: Instance) -> bool:
        return False

    def serving(self, master: int) -> FrozenSet[int]:
        return frozenset((master + 1 + self.reloads,))

    def draining(self, master: int) -> Mapping[int, Optional[int]]:
        return {}

    def stale_files(self, tree: Configuration, master: int) -> List[str]:
        return []

    def reload(self, tree: Configuration, nginx: Instance, master: int, deadline: float) -> None:
        if self.unready:
            raise NotProven(self.unready.pop(0))
        self.reloads += 1
        read = parsed(Overlay((), self.files), nginx)
        assert read is not None
        self.served = dict(read.files)

    def prove(self, tree: Configuration, nginx: Instance, deadline: float, *, settled: bool = False) -> None:
        for server in servers(tree):
            if server.release and server.release.encode() not in self.served.get(server.file, b""):
                raise NotProven(f"{server.where()} is not served")

    def open_sockets(self, master: int, where: Backends) -> Open:
        return Open()

    def silent_backends(self, tree: Configuration, files: FrozenSet[str]) -> List[str]:
        return []

    # -- the machine -------------------------------------------------------------------------

    def guard(self, nginx: Instance, state_dir: str) -> SimulatedGuard:  # type: ignore[override]
        return self.watch

    @contextlib.contextmanager
    def locked(self, state_dir: str, conf_dir: str, timeout: float, *, write: bool) -> Iterator[None]:
        if write:
            self.files.make_directory(state_dir, 0o700)
        yield

    def by_whom(self) -> str:
        return self.somebody

    def time(self) -> float:
        self.clock += 1.0
        return self.clock


class SimulatedHost:
    """The verbs, on a host in memory."""

    def __init__(self) -> None:
        self.world = SimulatedWorld()
        layout = Layout(
            "sites-available",
            MAIN,
            f"{ROOT}/sites-available",
            f"{ROOT}/sites-enabled",
            f"{ROOT}/sites-enabled/*",
            f"{MAIN}:4",
        )
        self.nginx = Instance("/usr/sbin/nginx", MAIN, layout=layout, version=(1, 22, 1), master=MASTER)
        self.world.reload(Configuration("", [], {}), self.nginx, MASTER, 0.0)

    def deploy(self, *sites: Site, **more: object) -> Outcome:
        return deploy(sites, nginx=self.nginx, state_dir=STATE, world=self.world, **more)  # type: ignore[arg-type]

    def rollback(self, to: object = "previous", **more: object) -> Outcome:
        return rollback(str(to), nginx=self.nginx, state_dir=STATE, world=self.world, **more)  # type: ignore[arg-type]

    def kept(self) -> List[int]:
        return [one["number"] for one in kept(state_dir=STATE, world=self.world)]

    def files(self) -> Dict[str, str]:
        """All of nginx's tree: path → content, or where a link leads."""
        return {
            path: entry.target or entry.content.decode()
            for path, entry in self.world.files.tree(ROOT).items()
        }

    def served(self) -> List[str]:
        """What the running nginx read last, the main file aside."""
        return [content.decode() for path, content in self.world.served.items() if path != MAIN]
