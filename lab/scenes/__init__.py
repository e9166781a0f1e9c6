"""Scenes: the states in which a host is found, each a set of files that are there before the host boots.

A host's state is fully given by its image and its scenes, in any order; to have a scene again, start
the host over (`lab/lab up NAME --scene … --recreate`), which takes two seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Iterable, List

from ..files import pki
from ..files.bundle import bundle
from ..files.tree import Tree
from ..state import LabError
from . import layouts

SITES = Path(__file__).resolve().parent / "sites"
NAMES = ("lammp.test", "www.lammp.test", "other.test")
BACKEND_DROP_INS = "/etc/systemd/system/lammp-backend.service.d"

#: The scenes that need more than files; `lab.containers.network` and `lab.hosts` have the rest of them.
IPV6 = "ipv6"
PTRACE = "ptrace"
OPENRC = "openrc"

OTHER_PAGE = "<!doctype html>\n<title>other.test</title>\n<p>Another site on the same host.</p>\n"


def application(tree: Tree) -> None:
    """Add what every host has beside nginx: the built page and certbot's certificate of lammp.test."""
    for path, content in bundle().items():
        tree.file(f"/var/www/lammp.test/{path}", content)
    pki.certbot(tree, ["lammp.test", "www.lammp.test"])


def fresh(tree: Tree) -> None:
    """Leave nginx as Debian ships it."""


def broken(tree: Tree) -> None:
    """Serve lammp.test by a file whose HTTPS server lacks WebSockets: `wss://` ends in `/api/`."""
    _site(tree, "lammp.test")


def neighbour(tree: Tree) -> None:
    """Serve the unrelated site other.test, with a map for a variable of the usual name."""
    _site(tree, "other.test")
    tree.file("/var/www/other.test/index.html", OTHER_PAGE)
    pki.certbot(tree, ["other.test"])


def port_3000(tree: Tree) -> None:
    """Let the backend listen on port 3000."""
    _drop_in(tree, "port", "Environment=LAMMP_PORT=3000")


def no_websocket_library(tree: Tree) -> None:
    """Let uvicorn run as without a WebSocket library: upgrades get 400 (before 0.18) or 404."""
    _drop_in(tree, "websocket", "Environment=LAMMP_WS=none")


def backend_down(tree: Tree) -> None:
    """Leave the backend stopped."""
    tree.link("/etc/systemd/system/lammp-backend.service", "/dev/null")


def ipv6(tree: Tree) -> None:
    """Speak IPv6, at ``::1`` and an address of the lab's own, where this machine's kernel has it."""


def ptrace(tree: Tree) -> None:
    """Let root look at every process, as on a machine of its own; in a container it may not by default."""


def conf_d(tree: Tree) -> None:
    """Serve lammp.test as `broken` does, from conf.d, the only directory that nginx includes."""
    layouts.conf_d(tree, _content("lammp.test"))


def nginx_org(tree: Tree) -> None:
    """Serve it as nginx.org's package lays files out: conf.d, user nginx, reload by a signal."""
    layouts.nginx_org(tree, _content("lammp.test"))


def el(tree: Tree) -> None:
    """Serve it as the packages of Fedora's family lay files out: conf.d, a default server in nginx.conf."""
    layouts.el(tree, _content("lammp.test"))


def openrc(tree: Tree) -> None:
    """Serve lammp.test as `broken` does, on a host that OpenRC has booted."""
    _site(tree, "lammp.test")


def alpine(tree: Tree) -> None:
    """Serve it as Alpine's package lays files out: sites in http.d; the init is systemd, though."""
    layouts.alpine(tree, _content("lammp.test"))


def opensuse(tree: Tree) -> None:
    """Serve it as openSUSE's package lays files out: conf.d and vhosts.d."""
    layouts.opensuse(tree, _content("lammp.test"))


def arch(tree: Tree) -> None:
    """Lay nginx out as Arch's package does, with no directory for sites."""
    layouts.arch(tree, _content("lammp.test"))


def panel(tree: Tree) -> None:
    """Serve it as a hosting panel does: another binary and another tree, and /etc/nginx unused beside it."""
    layouts.panel(tree, _content("lammp.test"))


SCENES: Dict[str, Callable[[Tree], None]] = {
    "fresh": fresh,
    "broken": broken,
    "neighbour": neighbour,
    "port-3000": port_3000,
    "no-websocket-library": no_websocket_library,
    "backend-down": backend_down,
    "conf-d": conf_d,
    "nginx-org": nginx_org,
    "panel": panel,
    "el": el,
    "alpine": alpine,
    OPENRC: openrc,
    "opensuse": opensuse,
    "arch": arch,
    IPV6: ipv6,
    PTRACE: ptrace,
}


def check(names: Iterable[str]) -> List[str]:
    """Return scene names sorted and once each, `fresh` when there are none; complain of an unknown one."""
    wanted = sorted({name for name in names if name != "fresh"}) or ["fresh"]
    for name in wanted:
        if name not in SCENES:
            raise LabError(f"scene: {name!r} is unknown, expected some of {', '.join(SCENES)}")
    return wanted


def build(names: Iterable[str]) -> Tree:
    """Return the files of a host in the given scenes."""
    tree = Tree()
    application(tree)
    for name in check(names):
        SCENES[name](tree)
    return tree


def addresses(address: str) -> Dict[str, str]:
    """Return the scenes' DNS names, all leading to one host."""
    return dict.fromkeys(NAMES, address)


def _content(name: str) -> bytes:
    """Return a site's file."""
    return (SITES / name).read_bytes()


def _site(tree: Tree, name: str) -> None:
    """Add a site file and its symbolic link, as Debian's layout has it."""
    tree.file(f"/etc/nginx/sites-available/{name}", _content(name))
    tree.link(f"/etc/nginx/sites-enabled/{name}", f"/etc/nginx/sites-available/{name}")


def _drop_in(tree: Tree, name: str, line: str) -> None:
    """Add a drop-in to the backend's unit."""
    tree.file(f"{BACKEND_DROP_INS}/{name}.conf", f"[Service]\n{line}\n")
