"""nginx's error log: the lines that the probe's own requests left, and those of the last reload.

A line is matched by the time window and by the request line it quotes; lines that quote none (PROXY protocol,
accept failures) by the time window alone.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import stat
import time
from typing import Iterator, List, Optional, Protocol, Sequence, Tuple

from ... import codes
from ...conf.regular import open_regular
from ..words.findings import Evidence

TAIL = 262144
"""Bytes read from the end of a log: enough for the last reloads, little enough for any host."""
LINE = 1200

_LINE = re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\] (\d+)#\d+: (?:\*(\d+) )?(.*)$")

# The first pattern that a line holds gives its code.  The words are nginx's own:
# ngx_event_connect.c, ngx_http_upstream.c, ngx_http_upstream_round_robin.c, ngx_proxy_protocol.c,
# ngx_http_limit_*_module.c, ngx_http_access_module.c, ngx_http_auth_request_module.c, ngx_connection.c.
PATTERNS: Sequence[Tuple[str, str]] = (
    (r"worker_connections are not enough", codes.WORKER_CONNECTIONS),
    (r"\(24: (?:Too many open files|No file descriptors)", codes.OPEN_FILE_LIMIT),
    (r"while reading PROXY protocol|broken header: \"", codes.PROXY_PROTOCOL_MISMATCH),
    (r"limiting requests, excess", codes.LIMIT_REQ),
    (r"limiting connections by zone", codes.LIMIT_CONN),
    (r"no resolver defined to resolve", codes.RESOLVER_MISSING),
    (r"could not be resolved|while resolving, resolver:", codes.UPSTREAM_HOST_NOT_FOUND),
    (r"ModSecurity: Access denied", codes.MODSECURITY),
    (r"invalid port in upstream|invalid host in upstream|no host in upstream", codes.CAPTURE_LOST),
    (r"bind\([^)]*\) failed .* while connecting to upstream", codes.PROXY_BIND_FAILED),
    (r"upstream sent too big header", codes.UPSTREAM_HEADER_TOO_BIG),
    (r"upstream sent too large http2 frame", codes.HTTP2_UPSTREAM),
    (r"no live upstreams", codes.UPSTREAM_MARKED_DOWN),
    (r"auth request unexpected status", codes.AUTH_REQUEST),
    (r"connection upgrade in subrequest", codes.MIRROR_UPGRADED),
    (r"access forbidden by rule", codes.ACCESS_DENIED),
    (r"\(13: Permission denied\) while connecting to upstream", codes.UPSTREAM_PERMISSION_DENIED),
    (r"timed out.* while connecting to upstream", codes.BACKEND_CONNECT_TIMEOUT),
    (r"timed out.* while reading response header", codes.BACKEND_HANG),
    (r"timed out.* while SSL handshaking to upstream", codes.UPSTREAM_SCHEME_MISMATCH),
    (
        r"SSL_do_handshake\(\) failed.*(?:alert number (?:112|40)|unrecognized name).* to upstream",
        codes.UPSTREAM_SNI_MISSING,
    ),
    (
        r"SSL_do_handshake\(\) failed.*(?:wrong version number|packet length too long|record layer failure|"
        r"http request).* to upstream",
        codes.UPSTREAM_SCHEME_MISMATCH,
    ),
    (r"SSL_do_handshake\(\) failed.*to upstream", codes.UPSTREAM_TLS_FAILED),
    (r"peer closed connection in SSL handshake.*to upstream", codes.UPSTREAM_TLS_FAILED),
    (r"SSL_read\(\) failed.*alert.*(?:from|to) upstream", codes.UPSTREAM_TLS_FAILED),
    (r"upstream SSL certificate", codes.UPSTREAM_TLS_FAILED),
    (r"\(111: (?:Connection refused|Unknown error)\) while connecting to upstream", codes.BACKEND_DOWN),
    (r"connect\(\) .*\(2: No such file or directory\) while connecting to upstream", codes.BACKEND_DOWN),
    (r"connect\(\) .*failed.* while connecting to upstream", codes.BACKEND_DOWN),
    (r"rewrite or internal redirection cycle", codes.RETURN_STATUS),
    (r"(?:open\(\)|directory index of|is not found|is forbidden).*", codes.LOCATION_WITHOUT_HANDLER),
)

# What a client sent in place of a PROXY line: of a TLS hello nothing can be read.
_SENT = re.compile(r"(?<=broken header: \")(?:[^\x20-\x7e]|\\x[0-9a-f]{2}).*")

_RELOAD_FAILURES = re.compile(r"\[emerg\]")


@dataclasses.dataclass
class LogLine:
    """One line of an error log."""

    time: float
    level: str
    pid: int
    text: str
    path: str
    code: str = ""

    def evidence(self) -> Evidence:
        """The line as evidence."""
        text = self.text
        if self.code == codes.PROXY_PROTOCOL_MISMATCH:
            text = _SENT.sub("…", text)
        return Evidence("log", f"[{self.level}] {text}", self.path, 0)


def parse(raw: str, path: str) -> Optional[LogLine]:
    """One line taken apart; None when it is no line of nginx's format."""
    match = _LINE.match(raw[:LINE])
    if not match:
        return None
    try:
        when = time.mktime(time.strptime(match.group(1), "%Y/%m/%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return None
    text = match.group(5)
    code = next((code for pattern, code in PATTERNS if re.search(pattern, text)), "")
    return LogLine(when, match.group(2), int(match.group(3)), text, path, code)


class Logs(Protocol):
    """Where log files lie."""

    def size(self, path: str) -> int:
        """Bytes of a log; OSError where there is none."""

    def tail(self, path: str, start: int) -> bytes:
        """What a log has from an offset on; OSError where it cannot be read."""


class HostLogs:
    """The log files of this host."""

    def size(self, path: str) -> int:
        """Bytes of a log.

        Raises:
            OSError: it is no regular file, or is not there.
        """
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        return status.st_size

    def tail(self, path: str, start: int) -> bytes:
        """What a log has from an offset on.

        Raises:
            OSError: it cannot be read.
        """
        with open_regular(path) as file:
            file.seek(start)
            return file.read(TAIL)


def read_tail(path: str, start: Optional[int] = None, logs: Optional[Logs] = None) -> Iterator[LogLine]:
    """Lines from an offset (or of the last part) of a log.

    Args:
        path: log file.
        start: offset; None for the last ``TAIL`` bytes.
        logs: where it lies; this host without it.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    logs = logs or HostLogs()
    size = logs.size(path)
    begin = max(0, size - TAIL)
    if start is not None and start <= size:
        begin = max(begin, start)
    data = logs.tail(path, begin)[:TAIL]
    for raw in data.decode("utf-8", "replace").split("\n"):
        line = parse(raw, path)
        if line:
            yield line


class LogWatch:
    """Remembers where the logs ended, and later tells what was added for one request."""

    def __init__(self, paths: Sequence[str], logs: Optional[Logs] = None) -> None:
        """Note the size of each log; one that cannot be read is left out and named in ``unreadable``."""
        self.unreadable: List[str] = []
        self._ends: List[Tuple[str, int]] = []
        self._logs: Logs = logs or HostLogs()
        for path in paths:
            try:
                self._ends.append((path, self._logs.size(path)))
            except OSError:
                self.unreadable.append(path)

    @property
    def readable(self) -> bool:
        """Whether there is any log to read."""
        return bool(self._ends)

    def added(self, target: str) -> List[LogLine]:
        """Lines since the beginning that are about a request for this target, or about none in particular."""
        path = target.split("?")[0]
        found = []
        for log, end in self._ends:
            try:
                for line in read_tail(log, end, self._logs):
                    quoted = re.search(r'request: "\S+ ([^ "?]*)', line.text)
                    if quoted is None or quoted.group(1) == path or path in line.text:
                        found.append(line)
            except OSError:
                continue
        return found


def reload_failures(
    paths: Sequence[str], since: float, master: int = 0, logs: Optional[Logs] = None
) -> List[LogLine]:
    """``[emerg]`` lines since a time: why a reload was refused (ngx_init_cycle).

    Args:
        paths: the main error log and others.
        since: seconds since the epoch; log lines have no fraction, so the second itself counts.
        master: process id of nginx's master, whose lines alone count; 0 for those of any process.
        logs: where they lie; this host without it.
    """
    found = []
    for path in paths:
        try:
            found += [
                line
                for line in read_tail(path, None, logs)
                if line.level == "emerg" and line.time >= int(since) and line.pid == (master or line.pid)
            ]
        except OSError:
            continue
    return found
