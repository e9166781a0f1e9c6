"""What the host says: which nginx owns the port, what nginx -t says, what changed after the workers
started."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
from typing import Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from ...behaviour.effective import Level, http_level
from ...behaviour.location import Location
from ...behaviour.sample import own_match
from ...behaviour.server.listen import WILDCARD4, WILDCARD6, listens_of
from ...behaviour.upgrade.meant import carries_upgrade, titled
from ...conf.globbing import is_pattern
from ...conf.load import load
from ...conf.regular import read_file
from ...conf.tree import Configuration, ConfSyntaxError, Directive
from ...host.describe import Nginx
from ...host.executed import is_private, without_words
from ...host.listeners import Listener
from ...host.masters import Master
from ...host.processes.children import run
from ...host.processes.proc import Proc
from .facts import ConfigTest, NewerFile

MARGIN = 0.05
"""Seconds by which a file must be newer than a worker: two clock ticks and the kernel's coarse clock."""
RENAMED = 2.0
"""Seconds by which a directory may be newer than the workers without a sign of an unloaded change."""
USUAL = ("/etc/nginx/sites-available", "/etc/nginx/sites-enabled", "/etc/nginx/conf.d")
"""Directories in which people keep sites."""
STRAY_LIMIT = 300
STRAY_SIZE = 1 << 20
BACKUP = re.compile(
    r"(?i)(\.(bak|backup|old|orig|save|swp|tmp|rpmsave|rpmnew)|~|\.dpkg-\w+|\.\d{6,}"
    r"|[-_.](bak|backup|old|copy)\b[^/]*)$"
)
"""Names that editors, package managers and people give to what they keep aside."""
# Before the error log of the configuration is open nginx writes "nginx: [emerg] …", afterwards a line of
# that log.
_PLACE = re.compile(r" in (/\S.*):\d+$")
_MESSAGE = re.compile(r"^(?:nginx: |\d{4}/\S+ \S+ )(\[(?:warn|error|crit|alert|emerg)\]) (?:\d+#\d+: )?(.*)$")


def is_local(address: str) -> bool:
    """Whether an IP address is one of this host's: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


def own_address(family: int = socket.AF_INET) -> str:
    """The address of this host from which it would reach the world; loopback without a route."""
    target = ("192.0.2.1", 9) if family == socket.AF_INET else ("2001:db8::1", 9)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(target)  # A datagram socket sends nothing here; the kernel only picks the source.
            return str(sock.getsockname()[0])
    except OSError:
        return "127.0.0.1" if family == socket.AF_INET else "::1"


def resolve(host: str) -> List[str]:
    """IP addresses of a name, in the order in which a client tries them; empty when there is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(target[0]) for *_, target in found))


def covering(listeners: Iterable[Listener], address: str, port: int) -> Optional[Listener]:
    """The listening socket that takes a connection to an address: the exact one, else a wildcard."""
    wanted = "tcp6" if ":" in address else "tcp"
    tcp = [item for item in listeners if item.port == port and item.family != "unix"]
    own = [item for item in tcp if item.family == wanted]
    exact = [item for item in own if item.address == address]
    everywhere = [item for item in own if item.address in (WILDCARD4, WILDCARD6)]
    if exact or everywhere:
        return (exact or everywhere[::-1])[0]
    both = (item for item in tcp if item.family == "tcp6" and item.address == WILDCARD6)
    return next(filter(_dual_stack, both), None) if wanted == "tcp" else None


def _dual_stack(listener: Listener) -> bool:
    """Whether [::] takes IPv4 as well: asked of the kernel by connecting, for /proc does not tell."""
    try:
        with socket.create_connection(("127.0.0.1", listener.port), 0.3):
            return True
    except OSError:
        return False


def master_of(listener: Optional[Listener], masters: Sequence[Master]) -> Optional[Master]:
    """The nginx master that holds a socket."""
    if listener is None:
        return None
    for master in masters:
        if master.pid in listener.pids or any(worker.pid in listener.pids for worker in master.workers):
            return master
    return None


def run_config_test(nginx: Nginx, prefix: str = "") -> ConfigTest:
    """``nginx -t`` with the running master's own options.

    With nginx stopped, -t would leave an empty pid file behind, which breaks a later reload; it is removed
    again.
    """
    command = [nginx.binary.path]
    if prefix or (nginx.master and nginx.master.prefix):
        command += ["-p", prefix or (nginx.master.prefix if nginx.master else "")]
    command += ["-c", nginx.conf_path]
    if nginx.master and nginx.master.directives:
        command += ["-g", nginx.master.directives]
    had_pid_file = os.path.lexists(nginx.pid_path)
    try:
        done = run([*command, "-t"], 60, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return ConfigTest(True, [f"nginx -t could not be run: {error}"], " ".join(command))
    finally:
        if not had_pid_file and _empty(nginx.pid_path):
            os.unlink(nginx.pid_path)
    messages = [
        f"{match.group(1)} {_discreet(match.group(2), nginx.conf_path)}"[:600]
        for match in map(_MESSAGE.match, done.stderr.decode("utf-8", "replace").splitlines())
        if match
    ]
    return ConfigTest(done.returncode == 0, messages, " ".join([*command, "-t"]))


def _discreet(message: str, conf_path: str) -> str:
    place = _PLACE.search(message)
    return without_words(message) if place and is_private(place.group(1), conf_path) else message


def _empty(path: str) -> bool:
    try:
        return os.lstat(path).st_size == 0
    except OSError:
        return False


def newer_files(configuration: Optional[Configuration], main: str, started: float) -> List[NewerFile]:
    """Files of the configuration that changed after the workers started."""
    if not started:
        return []
    paths: Set[str] = {main}
    if configuration is not None:
        paths |= set(configuration.files)
        for include in configuration.includes:
            if is_pattern(include.pattern):
                paths.add(os.path.dirname(include.pattern))
    found = []
    for path in sorted(paths):
        for look in (os.stat, os.lstat):
            try:
                status = look(path)
            except OSError:
                continue
            times = {path: (status.st_mtime, status.st_ctime, stat.S_ISDIR(status.st_mode))}
            newer = newer_than(started, times)
            if newer:
                found += newer
                break
    return found


def newer_than(started: float, times: Mapping[str, Tuple[float, float, bool]]) -> List[NewerFile]:
    """Those of some files that changed after the workers started.

    Args:
        started: seconds since the epoch; 0 when no worker runs.
        times: for each path, when its content and its inode changed last, and whether it is a directory.
    """
    found = []
    for path, (content, inode, directory) in sorted(times.items()):
        # A directory is as new as the last rename in it, which a reload follows within moments.
        margin = RENAMED if directory else MARGIN
        if started and max(content, inode) > started + margin:
            found.append(NewerFile(path, max(content, inode), content > started + margin))
    return found


def worker_limits(master: Master) -> Dict[str, int]:
    """Descriptors that a worker may have, and what the fullest worker has open."""
    proc = Proc()
    limits: Dict[str, int] = {}
    for worker in master.workers:
        most = proc.open_files(worker.pid)
        if most is not None and most[0].isdigit():
            limits["files"] = min(limits.get("files", 1 << 30), int(most[0]))
        try:
            limits["used"] = max(limits.get("used", 0), len(os.listdir(proc.path(worker.pid, "fd"))))
        except OSError:
            continue
    return limits


def firewall_drops(port: int) -> List[str]:
    """Rules of nftables, iptables or ufw that drop or reject traffic to a port; empty when none can be
    read."""
    found: List[str] = []
    for command in (["nft", "list", "ruleset"], ["iptables-save"], ["ufw", "status"]):
        try:
            done = run(command, 5, stderr=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            continue
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            if re.search(rf"\b{port}\b", line) and re.search(r"(?i)\b(drop|reject|deny)\b", line):
                found.append(f"{command[0]}: {line.strip()[:200]}")
    return found


# ---------------------------------------------------------------------------------------- stray files


def stray_files(
    configuration: Configuration,
    server: Optional[Level],
    uri: bytes,
    host: bytes,
    version: Tuple[int, ...],
    port: int,
) -> List[Tuple[str, str, int]]:
    """Files that look like configuration, lie beside it, are not part of it, and hold a location for the
    path.

    Args:
        configuration: the one in force.
        server: the server block that answers now; None where nginx does not listen on the port.
        uri: normalised path of the request.
        host: its host name.
        version: of nginx.
        port: that the request goes to.

    Returns:
        Path of the file, the location in words, its line.
    """
    loaded = {os.path.realpath(path) for path in configuration.files}
    http = http_level(configuration)
    found = []
    for path in _neighbours(configuration):
        if os.path.realpath(path) in loaded:
            continue
        for location in _locations_in(path, configuration.main, server, http, host, port):
            if carries_upgrade(location) and own_match(location, uri, version):
                line = location.directive.line if location.directive is not None else 0
                found.append((path, titled(location), line))
                break
    return found


def _neighbours(configuration: Configuration) -> List[str]:
    """Files beside those that patterns include, and in the sites-available beside them."""
    directories: List[str] = []
    for include in configuration.includes:
        directory = os.path.dirname(include.pattern)
        if is_pattern(include.pattern):
            directories += [directory, os.path.join(os.path.dirname(directory), "sites-available")]
    # Two trees on one host: the one that people edit, and the one of the nginx that runs.
    directories += USUAL
    found: List[str] = []
    for directory in dict.fromkeys(map(os.path.normpath, directories)):
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names[:STRAY_LIMIT]:
            path = os.path.join(directory, name)
            if not BACKUP.search(name) and os.path.isfile(path) and os.path.getsize(path) <= STRAY_SIZE:
                found.append(path)
    return found[:STRAY_LIMIT]


def _beside(path: str, main: str) -> Callable[[str], bytes]:
    """Reads what a file includes as the main file would read it; nothing for what is missing."""
    own, base = os.path.dirname(path), os.path.dirname(main)

    def read(name: str) -> bytes:
        if name == path:
            return read_file(path)
        try:
            return read_file(os.path.join(base, os.path.relpath(name, own)) if name.startswith(own) else name)
        except OSError:
            return b""

    return read


def _locations_in(
    path: str, main: str, server: Optional[Level], http: Level, host: bytes, port: int
) -> List[Location]:
    """The locations that a file would bring in: its own ones into the server, those of servers with the
    name and the port."""
    try:
        if b"location" not in read_file(path):
            return []
        parsed = load(path, read=_beside(path, main), glob=lambda pattern: [])
    except (ConfSyntaxError, OSError, ValueError):
        return []
    found: List[Location] = []
    for directive in _top(parsed):
        if directive.name == b"location":
            found += [Location(directive, server)] if server is not None else []
        elif directive.name == b"server":
            names = [name.lower() for child in directive.children(b"server_name") for name in child.args]
            if host in names or not names or b"_" in names:
                own = Level("server", directive, http)
                ports = {address.port for listen in listens_of(own) for address in listen.addresses}
                if port not in ports:
                    continue
                found += [Location(child, own) for child in directive.children(b"location")]
    return found


def _top(parsed: Configuration) -> List[Directive]:
    """Top directives, with those of an http block."""
    found: List[Directive] = []
    for directive in parsed.root:
        found += (directive.block or []) if directive.name == b"http" else [directive]
    return found
