"""What users asked a site for within the last day, by its own access log.

Bounded in bytes, lines and CPU; queries are dropped while a line is read and never kept.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import re
import time
import zlib
from typing import (
    Callable,
    Counter,
    Dict,
    FrozenSet,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from ...conf.regular import open_regular
from .log_format import Entry, Format

DAY = 24 * 3600.0
BYTES, LINES, SECONDS, DISTINCT = 32 << 20, 200_000, 0.8, 20_000
"""Read at most: of all logs of a site together; seconds of CPU; requests that differ."""
LINE = 1 << 17
"""Of a line that is looked at: nginx takes 32 KiB of a request, and writes four signs for a byte."""
GENERATIONS = 400
"""Rotated files of one log."""
MEMBERS = 100
"""Pieces that one packed file consists of; logrotate writes one."""
_GROUP = 1 << 16


class Asked(NamedTuple):
    """Requests that are one to us."""

    method: str
    path: str
    """Escaped, as it was sent, without the query."""
    upgrade: bool
    host: str
    tls: Optional[bool]
    origin: str


@dataclasses.dataclass(frozen=True)
class Log:
    """One log of a site."""

    path: str
    format: Format
    shared: bool = False
    """Whether other sites write to it; then only lines that name one of the site's hosts count."""


@dataclasses.dataclass
class Traffic:
    """The requests of the last day."""

    counts: Counter[Asked] = dataclasses.field(default_factory=collections.Counter)
    notes: List[str] = dataclasses.field(default_factory=list)
    """What was left out or could not be read, a sentence each."""
    seconds: float = 0.0
    """CPU that it took."""

    @property
    def total(self) -> int:
        """How many requests there were."""
        return sum(self.counts.values())


def traffic(
    logs: Sequence[Log],
    hosts: Callable[[str], bool],
    *,
    now: float,
    seconds: float = SECONDS,
    most_bytes: int = BYTES,
    most_lines: int = LINES,
) -> Traffic:
    """Read the last day of some logs, newest first.

    Args:
        logs: of the site.
        hosts: whether a host name is the site's.
        now: seconds since 1970.
        seconds: of CPU.
        most_bytes: of text, after unpacking.
        most_lines: in all.
    """
    return _Reading(hosts, now - DAY, seconds, most_bytes, most_lines).run(logs)


class _Reading:
    """The state of one reading, with what is left of each limit."""

    def __init__(
        self, hosts: Callable[[str], bool], since: float, seconds: float, most_bytes: int, most_lines: int
    ) -> None:
        self.hosts, self.since = hosts, since
        self.started = time.process_time()
        self.until = self.started + seconds
        self.bytes, self.lines = most_bytes, most_lines
        self.found = Traffic()

    def run(self, logs: Sequence[Log]) -> Traffic:
        for log in logs:
            if not log.format.useful:
                self.found.notes.append(f"the format of {log.path} does not tell which path was asked for")
                continue
            if log.shared and not log.format.names_host:
                self.found.notes.append(
                    f"{log.path} is the log of other sites too, and its format does not tell whose request "
                    "a line is; it was not used"
                )
                continue
            self._log(log)
        self.found.seconds = time.process_time() - self.started
        return self.found

    def _log(self, log: Log) -> None:
        if not log.format.tells_time:
            self.found.notes.append(
                f"the lines of {log.path} tell no time; all that was read counts as today's"
            )
        strange = read = 0
        for path in generations(log.path):
            oldest = None
            try:
                if os.stat(path).st_mtime < self.since:
                    break
                for line in self._tail(path):
                    if len(line) > LINE:
                        read, strange = read + 1, strange + 1
                        continue
                    entry = log.format.entry(line)
                    read += 1
                    if entry is None:
                        strange += 1
                        continue
                    if entry.time is not None:
                        oldest = entry.time if oldest is None else min(oldest, entry.time)
                        if entry.time < self.since:
                            continue
                    self._count(entry)
            except (OSError, EOFError, zlib.error) as error:
                reason = getattr(error, "strerror", None) or str(error)
                self.found.notes.append(f"{path} cannot be read: {reason}")
                continue
            if self._spent() or (oldest is not None and oldest < self.since):
                break
        if self._spent():
            self.found.notes.append(
                f"{log.path} has more than was read ({read} lines); older requests of the day were left out"
            )
        if read and strange > read / 2:
            self.found.notes.append(f"{strange} of {read} lines of {log.path} are not of its log_format")

    def _spent(self) -> bool:
        return self.bytes <= 0 or self._tired()

    def _tired(self) -> bool:
        return self.lines <= 0 or time.process_time() > self.until

    def _tail(self, path: str) -> Iterator[str]:
        """The last lines of a file, as many as the limits allow, newest group first."""
        data, cut = (_unpacked if path.endswith(".gz") else _last)(path, self.bytes)
        self.bytes = 0 if cut else self.bytes - len(data)
        end = len(data)
        while end > 0 and not self._tired():
            start = max(0, end - _GROUP)
            if start:
                # Where no line begins in the group, it is the end of a longer one.
                start = (data.find(b"\n", start, end - 1) + 1) or (data.rfind(b"\n", 0, start) + 1)
            for line in data[start:end].splitlines()[-self.lines :]:
                self.lines -= 1
                yield line.decode("utf-8", "surrogateescape")
            end = start

    def _count(self, entry: Entry) -> None:
        if entry.host and not self.hosts(entry.host):
            return
        asked = Asked(entry.method, entry.path, entry.upgrade, entry.host, entry.tls, entry.origin)
        if asked in self.found.counts or len(self.found.counts) < DISTINCT:
            self.found.counts[asked] += 1


def generations(path: str) -> List[str]:
    """A log and its rotated ones, newest first: ``access.log``, ``.1``, ``.2.gz`` or dated ones."""
    directory, name = os.path.split(path)
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return [path]
    rotated = re.compile(re.escape(name) + r"[.-](\d{1,3}|\d{8}(?:-?\d+)?)(\.gz)?\Z")
    numbered: Set[Tuple[int, str]] = set()
    for other in names:
        found = rotated.match(other)
        if found is not None:
            digits = found.group(1).replace("-", "")
            # .1 is newer than .2; a later date is newer than an earlier one
            numbered.add((int(digits) if len(digits) <= 3 else -int(digits), other))
    return [path, *(os.path.join(directory, other) for _age, other in sorted(numbered)[:GENERATIONS])]


def _last(path: str, most: int) -> Tuple[bytes, bool]:
    """The end of a file, from the beginning of a line, and whether there is more."""
    with open_regular(path) as stream:
        start = max(0, stream.seek(0, os.SEEK_END) - most)
        stream.seek(start)
        data = stream.read(most)
    return (data.split(b"\n", 1)[-1], True) if start else (data, False)


def _unpacked(path: str, most: int) -> Tuple[bytes, bool]:
    """The beginning of what is packed in a file, and whether there is more."""
    found: List[bytes] = []
    left = most
    with open_regular(path) as stream:
        # As many packed bytes as unpacked ones, and few members (RFC 1952): a name without end, or a million
        # of empty members, give nothing and take hours.
        data = stream.read(most)
        more = bool(stream.read(1))
    for _member in range(MEMBERS):
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        found.append(unpacker.decompress(data, left))
        left -= len(found[-1])
        data = unpacker.unused_data
        if not data or left <= 0:
            break
    return b"".join(found), more or bool(data) or bool(unpacker.unconsumed_tail)


def known_hosts(names: FrozenSet[str]) -> Callable[[str], bool]:
    """Whether a host is one of some server names; ``*.x`` and ``.x`` as nginx takes them."""
    plain = {name.lstrip(".") for name in names if "*" not in name and not name.startswith("~")}
    ends = tuple(name.lstrip("*") for name in names if name.startswith(("*.", ".")))
    starts = tuple(name[:-1] for name in names if name.endswith(".*"))
    memory: Dict[str, bool] = {}

    def known(host: str) -> bool:
        if host not in memory:
            memory[host] = (
                host in plain
                or (bool(ends) and host.endswith(ends))
                or (bool(starts) and host.startswith(starts))
            )
        return memory[host]

    return known
