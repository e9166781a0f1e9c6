"""One configuration, broken in one way on a real nginx, mended, asked, mended again and taken back."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import http.client
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.exchange.probe import probe
from module_utils.nginx_websocket.fix.fix import fix
from module_utils.nginx_websocket.fix.model import Fixed, Wish
from module_utils.nginx_websocket.transaction.live.instance import find_instance
from module_utils.nginx_websocket.transaction.rollback import rollback

from .application import Application
from .faults import FAULTS, Fault
from .site import NAME, OTHER, SOCKET, Site
from .sites import SITES
from .written import load

ETC = "/etc/nginx"
STATE = "/var/lib/nginx_websocket"
PATIENCE = 60.0
"""Seconds that an answer may take: it comes at once, unless others use the machine as well."""
REFUSED = ConnectionRefusedError.__name__
TOPS = (ETC, "/www/server/panel", "/data")
"""Where nginx's files stand."""
ALL = [*SITES, *load()]
PATHS = (
    "/", "/index.html", "/app.js", "/api/x?a=1", "/.env", "/.git/config", "/index.php", "/other/deep/path",
    "/wsx", "/a/ws/", "/mqtt", "/notes/", "/desk/x", "/desk/assets/a.png", "/room/42/live", "/room/abc",
    "/a%20b//c", "/health",
)  # fmt: skip
HOSTS = (NAME, f"www.{NAME}", "blog.example.test", "x.shop.test", "nobody.test")
PASSING = ("Date", "ETag", "Last-Modified", "Connection")
"""Headers of an answer that say nothing of what is configured for the request."""
BROKEN = ((500,), (502,), (504,))
HOP_LINES = re.compile(r"(?mi)^(?:connection|upgrade): .*\n?|HTTP/1\.[01]$")


def run(site: Site, fault: Fault, checked: bool = True) -> Dict[str, Any]:
    """Break a site, mend it, and take it back.

    Args:
        site: as it works.
        fault: what is broken.
        checked: whether ``--check`` is asked before.

    Returns:
        ``wrong``: what should not be so, nothing for a pass; ``opened``: whether one run opened the socket;
        ``reason``: what it said; and more.
    """
    result: Dict[str, Any] = {"wrong": [], "opened": False, "reason": "", "fault": True}
    _applications(site)
    _write(site, site.files)
    nginx = _Nginx()
    if not _opens(site):
        return {**result, "wrong": ["the configuration does not open before it is broken"]}
    good = _answers(site)
    broken = fault.make(site)
    assert broken is not None
    refused = False
    if fault.stale:
        nginx.stop()
        _write(site, broken)
        nginx.start()
        time.sleep(1.1)  # nginx's own files must be seen to be older than their edit, which counts in seconds
        _write(site, site.files)
        before = good
    else:
        _write(site, broken)
        refused = bool(subprocess.run(["nginx", "-t"], capture_output=True, check=False).returncode)
        if refused:
            # It runs with what it had before anybody wrote this.
            nginx.stop()
            _clear(site)
            nginx.start()
            _write(site, broken)
            before = good
        else:
            nginx.reload()
            before = _answers(site)
    if _opens(site):
        return {**result, "fault": False}
    digest = _digest()
    files = _contents()
    wish = Wish(managed=site.managed, add_names=fault.names)
    wrong: List[str] = result["wrong"]

    seen = _fix(site, wish, check=True) if checked else None
    if _digest() != digest:
        wrong.append("--check wrote something")
    if fault.names and "nginx_websocket_fix_names" not in _fix(site, Wish(managed=site.managed)).message:
        wrong.append("a name was not asked for")
    done = _fix(site, wish)
    result.update(opened=_opens(site), reason=done.message, outcome=done.outcome, causes=done.causes)
    result["edits"] = [edit.text() for edit in done.edits]
    if result["opened"] and (shut(site, fault)):
        wrong.append("a guard or somebody's redirect was taken away")
    if not result["opened"]:
        if not done.failed:
            wrong.append(f"it says {done.outcome}, and the socket does not open: {done.message}")
        if _digest() != digest:
            wrong.append("refused, and the files are others")
        if not done.message:
            wrong.append("no reason was given")
        return result
    if seen is not None and bool(seen.failed) != bool(done.failed):
        wrong.append(f"--check said otherwise: {seen.message}")
    after = _answers(site)
    wrong += _parted(site, fault, before, after)
    wrong += _outside(files, done)
    lines = sum(len(edit.before) + len(edit.after) for edit in done.edits)
    if any("map $http_upgrade" in line for edit in done.edits for line in edit.after):
        lines -= 4  # so that plain requests of a general location stay as they are
    if lines > fault.lines + site.lines:
        wrong.append(f"{lines} lines for what {fault.lines} mend")
    mended = _digest()
    again = _fix(site, wish)
    if again.changed or again.failed or _digest() != mended:
        wrong.append(f"the second run: {again.outcome} {again.message}")
    if done.edits or done.backup is not None:
        back = rollback(nginx=find_instance(), state_dir=STATE)
        if refused:
            # What nginx does not take comes back only to somebody who says so, and without a reload.
            if not back.failed or _digest() != mended:
                wrong.append("rollback to what nginx refuses was not refused")
            back = rollback(nginx=find_instance(), state_dir=STATE, allow_invalid=True)
            if not _opens(site):
                wrong.append("nginx was reloaded with files that it refuses")
        if back.failed or _digest() != digest:
            wrong.append(f"rollback left other bytes: {back.message}")
    return result


def _fix(site: Site, wish: Wish, *, check: bool = False) -> Fixed:
    # The certificate is nobody's: what is in question is the way to the application.
    question = Question(site.url, cafile=f"{ETC}/tls/cert.pem")
    return fix(question, nginx=find_instance(), wish=wish, check=check, state_dir=STATE)


class _Nginx:
    """The one of this namespace."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        # No pipe: nginx keeps its standard error where error_log stands in http alone.
        if subprocess.call(["nginx"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            said = subprocess.run(["nginx", "-t"], capture_output=True, text=True, check=False).stderr
            raise ValueError(f"nginx does not start: {said}")
        # What started it ends before it has its name and its file.
        _wait(self._serves)

    def _serves(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(self._workers())
        return False

    def stop(self) -> None:
        """End at once, and wait for it."""
        pid = self._pid()
        os.kill(pid, signal.SIGTERM)
        _wait(lambda: not os.path.exists(f"/proc/{pid}") or _state(pid) == "Z")

    def reload(self) -> None:
        """Read the files, and wait until only new workers are left."""
        old = self._workers()
        os.kill(self._pid(), signal.SIGHUP)
        _wait(lambda: bool(self._workers()) and not set(self._workers()) & set(old))

    @staticmethod
    def _pid() -> int:
        with open("/run/nginx.pid", encoding="ascii") as file:
            return int(file.read())

    def _workers(self) -> List[str]:
        with open(f"/proc/{self._pid()}/task/{self._pid()}/children", encoding="ascii") as file:
            return file.read().split()


def _state(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()[0]
    return "Z"


def _wait(condition: Any, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("nginx did not do what it was told")
        time.sleep(0.01)


def _applications(site: Site) -> None:
    Application(site.backend, site.knows)
    Application(f"127.0.0.1:{OTHER}")
    if site.backend != f"127.0.0.1:{SOCKET}":
        Application(f"127.0.0.1:{SOCKET}")


def _place(path: str) -> str:
    return path if path.startswith("/") else os.path.join(ETC, path)


def _write(site: Site, files: Dict[str, str]) -> None:
    _clear(site)
    for path, text in files.items():
        if not text:
            continue
        place = _place(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    for name in site.links:
        if f"sites-enabled/{name}" not in files:
            os.symlink(f"../sites-available/{name}", f"{ETC}/sites-enabled/{name}")


def _clear(site: Site) -> None:
    for name in ("conf.d", "sites-available", "sites-enabled", "snippets"):
        shutil.rmtree(f"{ETC}/{name}", ignore_errors=True)
        os.mkdir(f"{ETC}/{name}")
    for top in ("/www/server/panel", "/data/nginx"):
        shutil.rmtree(top, ignore_errors=True)


def _contents() -> Dict[str, bytes]:
    found = {}
    for top in TOPS:
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                if not os.path.islink(path):
                    with open(path, "rb") as file:
                        found[path] = file.read()
    return found


def _digest() -> str:
    total = hashlib.sha256()
    for top in TOPS:
        for directory, below, names in os.walk(top):
            below.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                info = os.lstat(path)
                total.update(f"{path} {info.st_mode} {info.st_uid} {info.st_gid}\0".encode())
                if os.path.islink(path):
                    total.update(os.readlink(path).encode())
                else:
                    with open(path, "rb") as file:
                        total.update(file.read())
    return total.hexdigest()


def _opens(site: Site) -> bool:
    """A handshake and a pong, as a page has them."""
    tls = site.url.startswith("wss")
    seen = probe(
        site.url,
        address=("127.0.0.1", 443 if tls else 80),
        origin=f"http{'s' * tls}://{NAME}",
        verify=False,
        timeout=PATIENCE,
    )
    return seen.opened and bool(seen.pong)


Answer = Tuple[Any, ...]


def _answers(site: Site) -> Dict[Tuple[str, str, str], Answer]:
    """What nginx says to everybody else, and what the applications get."""
    own = site.own.rstrip("/")
    paths = [*PATHS, *site.paths, f"{own}/", f"{own}/admin/x", f"{own}/x"]
    found = {}
    for scheme in ("http", "https"):
        connection = _connection(scheme)
        closed = _answer(connection, NAME, "/") == (REFUSED,)  # Nobody listens, whatever the request.
        for host in HOSTS:
            for path in paths:
                found[scheme, host, path] = (REFUSED,) if closed else _answer(connection, host, path)
        connection.close()
    return found


def _connection(scheme: str) -> http.client.HTTPConnection:
    """One that opens itself again where nginx closed it."""
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", 80, timeout=PATIENCE)
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", 443, timeout=PATIENCE, context=context)


def _answer(connection: http.client.HTTPConnection, host: str, path: str) -> Answer:
    try:
        connection.request("GET", path, headers={"Host": host, "Accept-Encoding": "identity"})
        reply = connection.getresponse()
        body = reply.read().decode("latin-1")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return (type(error).__name__,)
    headers = sorted((key, value) for key, value in reply.getheaders() if key not in PASSING)
    return reply.status, headers, body


def _parted(
    site: Site,
    fault: Fault,
    before: Dict[Tuple[str, str, str], Answer],
    after: Dict[Tuple[str, str, str], Answer],
) -> List[str]:
    """Requests that get something else, though they are not the socket's."""
    wrong = []
    for key, was in before.items():
        now = after[key]
        if was == now:
            continue
        below = key[2].startswith(site.own) or key[2] + "/" == site.own
        own = below and (key[1].endswith(NAME) or site.name != "several")
        if own and (fault.moves or fault.names or fault.stale):
            continue
        if own and was[:1] in ((426,), (400,)) and now[:1] == was[:1]:
            continue
        if (own and was[:1] in BROKEN) or (fault.heals and was[0] in (404, 502)):
            continue  # nginx itself had no answer but an error
        if fault.names and key[1] == NAME:
            continue
        if fault.whole and (was == (REFUSED,) or key[0] == "https" or key[1] in (NAME, f"www.{NAME}")):
            continue
        alike = len(was) == 3 == len(now) and was[0] == now[0]
        if own and alike and HOP_LINES.sub("", was[2]).strip() == HOP_LINES.sub("", now[2]).strip():
            continue  # The lines of the cure are sent with every request of that location.
        wrong.append(f"{key}: {str(was)[:160]} -> {str(now)[:160]}")
    return wrong[:4]


def _outside(files: Dict[str, bytes], done: Fixed) -> List[str]:
    """Bytes that differ and stand in no edit that was told; line ends that differ from the file's own."""
    wrong = []
    told = {(edit.file, line) for edit in done.edits for line in (*edit.before, *edit.after)}
    now = _contents()
    for path in sorted(set(files) | set(now)):
        old, new = files.get(path), now.get(path)
        if old == new:
            continue
        if old is None or new is None:
            wrong.append(f"{path} came or went")
            continue
        # Of a long line, the part that changes is told.
        part = any(
            file == os.path.realpath(path) and text and text and "…" in (text[0], text[-1])
            for file, text in told
        )
        for line in difflib.ndiff(old.decode().split("\n"), new.decode().split("\n")):
            if line[0] in "+-" and not part and (os.path.realpath(path), line[2:].rstrip("\r")) not in told:
                wrong.append(f"{path}: not told: {line!r}")
            if line[0] == "+" and b"\r\n" in old and not line.endswith("\r"):
                wrong.append(f"{path}: a line without CR: {line!r}")
    return wrong[:4]


def find(name: str) -> Tuple[Site, Fault]:
    """The case of a name, ``SITE FAULT``."""
    site, _, fault = name.partition(" ")
    found = next(one for one in ALL if one.name == site)
    return found, _faults(found)[fault]


def names(words: Optional[List[str]] = None) -> List[str]:
    """All cases whose name holds one of the words."""
    found = [
        f"{site.name} {key}"
        for site in ALL
        for key, fault in _faults(site).items()
        if fault.make(site) not in (None, site.files)
    ]
    return [name for name in found if not words or any(word in name for word in words)]


def shut(site: Site, fault: Fault) -> bool:
    """Whether no edit may open the socket: a password or somebody's redirect stands before it."""
    return fault.told or any(_faults(site).get(name) is fault for name in site.shut)


def _faults(site: Site) -> Mapping[str, Fault]:
    return FAULTS if site.faults is None else site.faults
