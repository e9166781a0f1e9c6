"""Sets one recorded case up against a real nginx and real backends, as its case.json says.

A case's folder holds ``nginx.conf`` (run as ``nginx -p PREFIX -c nginx.conf``) and ``case.json``; ``lab``
in it says
which backends stand behind nginx, what happened before (steps) and what the client sends.  The steps that
only look (connect, http, await_close, poll_then_ws) are what a diagnosis is asked to explain; the others
(install a file, reload, occupy a port, stop or start a backend, open a socket and keep it) are done here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from typing import Any, Dict, Iterator, List, Optional, Tuple
from urllib.parse import urlsplit

from tests.cases.certificates import make_certificates
from tests.cases.lab_backend import lab_backend, read_head

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
LOOKING_STEPS = {"connect", "http", "await_close", "poll_then_ws", "nginx_t"}


def case_names(data: str = DATA) -> List[str]:
    """The folders that hold a case, in order."""
    return sorted(name for name in os.listdir(data) if os.path.exists(os.path.join(data, name, "case.json")))


def load_case(name: str, data: str = DATA) -> Dict[str, Any]:
    """The case.json of a folder, with ``folder`` added."""
    folder = os.path.join(data, name)
    with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
        case: Dict[str, Any] = json.load(file)
    case["folder"] = folder
    return case


def version_tuple(version: str) -> Tuple[int, ...]:
    """``1.22.1`` as (1, 22, 1)."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def expected_cause(case: Dict[str, Any], version: str) -> str:
    """The recorded cause, as it is on that nginx version."""
    cause: str = case["cause"]
    for edge in case.get("by_version", ()):
        above = not edge.get("min") or version_tuple(version) >= version_tuple(edge["min"])
        below = not edge.get("max") or version_tuple(version) <= version_tuple(edge["max"])
        if above and below:
            cause = edge.get("cause", cause)
    return cause


def nginx_version(nginx: str) -> str:
    """What ``nginx -v`` says."""
    said = subprocess.run([nginx, "-v"], check=True, stderr=subprocess.PIPE, text=True).stderr
    match = re.search(r"nginx/([\d.]+)", said)
    if not match:
        raise RuntimeError(f"nginx -v says {said!r}")
    return match.group(1)


class Replay:
    """One case, running; a context manager that takes everything down at its end."""

    def __init__(self, case: Dict[str, Any], work: str, nginx: str = "nginx") -> None:
        """Nothing happens before ``with``; ``work`` is a directory of our own."""
        self.case = case
        self.lab: Dict[str, Any] = case.get("lab", {})
        self.nginx = nginx
        self.prefix = os.path.join(work, os.path.basename(case["folder"]))
        self.config_error = ""
        self.process: Optional[subprocess.Popen] = None
        self.backends: List[Any] = []
        self._kept: List[socket.socket] = []

    def __enter__(self) -> Replay:
        """Copy the folder, start the backends and nginx, do the steps."""
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        for backend in self.backends:
            backend.close()
        for sock in self._kept:
            sock.close()
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _start(self) -> None:
        shutil.copytree(
            self.case["folder"], self.prefix, ignore=shutil.ignore_patterns("case.json", "nginx-T.txt")
        )
        kind = self.lab.get("certs") or ("valid" if self._needs_certificates() else "")
        if kind:
            make_certificates(kind, os.path.join(self.prefix, "certs"))
        if self.lab.get("start_with"):
            os.rename(self._path("nginx.conf"), self._path(".final.conf"))
            shutil.copy(self._path(self.lab["start_with"]), self._path("nginx.conf"))
        for line in self.lab.get("hosts_start", ()):
            add_hosts_line(line)
        test = subprocess.run([*self._command(), "-t"], stderr=subprocess.PIPE, text=True)
        self.backends = [lab_backend(spec, self.prefix) for spec in self.lab.get("backends", ())]
        if test.returncode:
            self.config_error = test.stderr
            return
        for name in ("error.log", "access.log"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(name))
        with open(self._path("stderr.log"), "wb") as stderr:
            # A relative unix socket is looked for below nginx's working directory.
            self.process = subprocess.Popen(
                self._command(), stdout=subprocess.DEVNULL, stderr=stderr, cwd=self.prefix
            )
        self._wait_for(
            lambda: self.workers() and os.path.exists(self._path("nginx.pid")), "nginx did not start"
        )
        steps = self.lab.get("steps", ())
        looks = [index for index, step in enumerate(steps) if step["op"] in LOOKING_STEPS]
        for index, step in enumerate(steps):
            if step["op"] not in LOOKING_STEPS:
                self._step(step)
            elif index != looks[-1] and step["op"] in ("connect", "http"):
                # An earlier request is part of the story: it fills a cache, or marks a backend as failed.
                send_request(step.get("url", self.case["url"]), step)

    def _needs_certificates(self) -> bool:
        if any(backend.get("tls") for backend in self.lab.get("backends", ())):
            return True
        for root, _, names in os.walk(self.prefix):
            for name in names:
                with open(os.path.join(root, name), "rb") as file:
                    if b"certs/" in file.read() and name != "case.json":
                        return True
        return False

    def _path(self, name: str) -> str:
        return os.path.join(self.prefix, name)

    def _command(self) -> List[str]:
        with open(self._path("nginx.conf"), "rb") as file:
            own_user = re.search(rb"^\s*user\s", file.read(), re.M)
        # Workers of the lab's nginx run as root where the case does not name a user: /tmp may be closed to
        # others.
        settings = "daemon off;" if own_user or os.geteuid() else "user root root; daemon off;"
        return [self.nginx, "-p", self.prefix, "-c", "nginx.conf", "-g", settings]

    @staticmethod
    def _wait_for(condition: Any, otherwise: str, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(otherwise)
            time.sleep(0.02)

    def workers(self) -> List[int]:
        """Process ids of nginx's workers."""
        if not self.process:
            return []
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def _step(self, step: Dict[str, Any]) -> None:
        name = step["op"]
        if name == "install":
            # Long enough after the workers' start that a file's time tells: nobody edits within milliseconds.
            self._wait_for(lambda: all(age(pid) > 0.3 for pid in self.workers()), "")
            shutil.copy(self._path(step.get("file") or ".final.conf"), self._path("nginx.conf"))
        elif name == "reload":
            self.reload(step.get("wait", 0.8) + 0.5)
        elif name == "sleep":
            time.sleep(step["s"])
        elif name == "occupy":
            host, port = step["addr"].rsplit(":", 1)
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, int(port)))
            sock.listen(1)
            self._kept.append(sock)
        elif name == "stop_backend":
            self.backends[step.get("i", 0)].close()
        elif name == "start_backend":
            self.backends.append(lab_backend(step["spec"], self.prefix))
        elif name == "certs":
            # As a renewal does it: new files on disk, and nobody tells nginx.
            self._wait_for(lambda: all(age(pid) > 0.3 for pid in self.workers()), "")
            make_certificates(step["kind"], os.path.join(self.prefix, "certs"))
        elif name == "hosts":
            set_hosts_line(step["line"])
        elif name == "open":
            self._kept.append(open_socket(self.case["url"]))
        else:
            raise ValueError(f"unknown step {name!r}")

    def reload(self, seconds: float) -> None:
        """Reload nginx and wait until new workers alone accept; a reload that is refused starts none."""
        before = set(self.workers())
        assert self.process
        self.process.send_signal(signal.SIGHUP)
        try:
            self._wait_for(lambda: set(self.workers()) - before, "", seconds)
        except RuntimeError:
            return
        self._wait_for(lambda: all(ending(pid) for pid in before), "old workers still accept")

    def client(self) -> Dict[str, Any]:
        """What the client of this case sends, in the words of the diagnosis' arguments."""
        client = dict(self.lab.get("client", {}))
        for step in self.lab.get("steps", ()):
            if step["op"] in LOOKING_STEPS:
                client.update({key: value for key, value in step.items() if key not in ("op", "path", "max")})
        return client


def ending(pid: int) -> bool:
    """Whether a worker is gone, or has stopped to accept (its title says so)."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"shutting down" in file.read()
    except (FileNotFoundError, ProcessLookupError):  # gone before the open, or between the two
        return True


def age(pid: int) -> float:
    """Seconds since a process started."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        ticks = int(file.read().rsplit(b")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def open_socket(url: str) -> socket.socket:
    """A WebSocket that stays open, or RuntimeError."""
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname, parts.port), 5)
    sock.sendall(
        (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: "
            f"Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
    )
    line = read_head(sock)[0]
    if " 101 " not in line:
        raise RuntimeError(f"no WebSocket: {line}")
    return sock


def send_request(url: str, step: Dict[str, Any]) -> str:
    """One request of the story, a handshake or an ordinary one; the first line of its answer."""
    parts = urlsplit(url)
    target = step.get("path") or parts.path + ("?" + parts.query if parts.query else "")
    lines = [f"GET {target} HTTP/1.1", "Host: " + step.get("host", parts.netloc)]
    if step["op"] == "http":
        lines.append("Connection: close")
    else:
        lines += [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
    with contextlib.suppress(OSError), socket.create_connection((parts.hostname, parts.port), 5) as sock:
        sock.sendall(("\r\n".join([*lines, *step.get("headers", ())]) + "\r\n\r\n").encode())
        return read_head(sock)[0]
    return ""


def add_hosts_line(line: str) -> None:
    """Add one line to /etc/hosts."""
    with open("/etc/hosts", "a", encoding="utf-8") as file:
        file.write(line + " # case\n")


def set_hosts_line(line: str) -> None:
    """Put one line into /etc/hosts in place of the one put there before."""
    with open("/etc/hosts", encoding="utf-8") as file:
        kept = [old for old in file if not old.endswith("# case\n")]
    with open("/etc/hosts", "w", encoding="utf-8") as file:
        file.writelines([*kept, line + " # case\n"])


@contextlib.contextmanager
def in_directory(path: str) -> Iterator[str]:
    """An empty directory for one case; removed at the end."""
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
