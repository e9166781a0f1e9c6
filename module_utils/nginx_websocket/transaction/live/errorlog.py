"""What nginx's error log says from a moment on, and which of it is about our reload."""

from __future__ import annotations

import contextlib
import os
import re
from typing import BinaryIO, Dict, Iterable, Iterator, List, Tuple

from ...conf.regular import open_regular
from ...conf.tree import Configuration
from ..site.instance import Instance

_LINE = re.compile(rb"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[emerg\] (\d+)#\d+: (?!\*\d)(.*)$")
_REQUEST = re.compile(rb'^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: \*\d.*"')
_CLIENT = b", client: "  # what every message about a request ends with (ngx_http_log_error)
_LONGEST = 2048  # bytes of one message (NGX_MAX_ERROR_STR)
_TAKEN = re.compile(r"bind\(\) to (\S+) failed \(98:")  # EADDRINUSE
_FORBIDDEN = re.compile(
    r"\((1|2|13|30): "  # as nginx tells of them, then as OpenSSL does
    r"|Operation not permitted|No such file or directory|Permission denied|Read-only file system"
)
_READ_LIMIT = 4 * 1024 * 1024


def log_paths(nginx: Instance, configurations: Iterable[Configuration]) -> List[str]:
    """The files that a master writes its own messages to, with the old configuration and the new.

    Only ``error_log`` at the top level counts for the master process; syslog and stderr leave no file.
    """
    paths = []
    for configuration in configurations:
        lines = [directive for directive in configuration.root if directive.name == b"error_log"]
        values = [os.fsdecode(line.args[0]) for line in lines if line.args] or [nginx.error_log]
        for value in values:
            if value and not value.startswith(("syslog:", "memory:", "stderr")):
                paths.append(os.path.join(nginx.prefix or "/", value))
    return sorted(set(paths) - {os.devnull})


class LogWatch:
    """Reads what is appended to some logs after its making; rotation does not lose a line."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Remember the end of each log.

        Args:
            paths: the logs; one that does not exist yet is read from its start.
        """
        self._paths = list(paths)
        self._open: Dict[str, Tuple[BinaryIO, int]] = {}
        for path in self._paths:
            with contextlib.suppress(OSError):
                stream = open_regular(path)
                self._open[path] = (stream, os.fstat(stream.fileno()).st_size)

    def close(self) -> None:
        """Let the files go."""
        for stream, _ in self._open.values():
            stream.close()
        self._open.clear()

    def silence(self) -> str:
        """What it means that nothing was found, for a message."""
        if self._paths:
            return "its error log says nothing about it"
        return (
            "why, its error log would say, which goes where this program cannot read it (syslog, standard "
            "error, memory or /dev/null)"
        )

    def lines(self) -> List[bytes]:
        """Every whole or partial line appended since the start, all logs together."""
        found: List[bytes] = []
        for path in self._paths:
            text = b""
            inode = None
            if path in self._open:
                stream, offset = self._open[path]
                status = os.fstat(stream.fileno())
                inode = (status.st_dev, status.st_ino)
                text += os.pread(stream.fileno(), _READ_LIMIT, offset if status.st_size >= offset else 0)
            with contextlib.suppress(OSError):
                now = os.stat(path)
                if (now.st_dev, now.st_ino) != inode:
                    with open_regular(path) as other:
                        text += other.read(_READ_LIMIT)
            found += text.splitlines()
        return found

    def emergencies(self, master: int) -> List[str]:
        """``[emerg]`` messages of that master process, in order, each once.

        Lines of other processes (somebody's ``nginx -t``, workers with trouble of their own) are not
        evidence about the reload.
        """
        messages: List[str] = []
        for line in _own(self.lines()):
            found = _LINE.match(line)
            if found and int(found.group(1)) == master:
                message = found.group(2).decode("utf-8", "replace")
                if message not in messages:
                    messages.append(message)
        return messages


def _own(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without those that are part of a message about a request.

    nginx writes the name of a file that was asked for as it is, with line ends in it: ``GET /%0a2026/…``.
    So a client can have it write lines of any kind (a `reload` therefore does not trust a line alone).
    """
    left = 0
    for line in lines:
        if left > 0:
            left = 0 if _CLIENT in line else left - len(line) - 1
        elif _REQUEST.match(line) and _CLIENT not in line:
            left = _LONGEST - len(line)
        else:
            yield line


def final(messages: Iterable[str]) -> bool:
    """Whether nginx has given up: it tries a taken address five times in 2.5 s before it does.

    Any other address that it cannot bind ends it at once (`ngx_open_listening_sockets`).
    """
    return any("still could not bind" in message or not _TAKEN.match(message) for message in messages)


def taken_addresses(messages: Iterable[str]) -> List[str]:
    """The addresses that nginx could not bind because somebody else has them."""
    return sorted({found.group(1) for found in map(_TAKEN.match, messages) if found})


def forbidden(messages: Iterable[str]) -> bool:
    """Whether nginx was not let: EPERM, ENOENT, EACCES or EROFS, as it or OpenSSL tells of them."""
    return any(map(_FORBIDDEN.search, messages))
