"""One ``log_format``: from a line of the access log back to the request that it tells of.

The format is turned into a regular expression.  ``escape`` says how nginx wrote the values
(``ngx_http_log_escape``, ``ngx_escape_json``).
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from typing import Dict, FrozenSet, List, Optional, Tuple

COMBINED = (
    b'$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    b'"$http_referer" "$http_user_agent"'
)
"""``combined``, which every nginx has."""
_WANTED = frozenset(
    (
        "request",
        "request_method",
        "request_uri",
        "uri",
        "status",
        "host",
        "http_host",
        "server_name",
        "scheme",
        "https",
        "server_port",
        "http_upgrade",
        "http_origin",
        "time_local",
        "time_iso8601",
        "msec",
    )
)
_PATH = "nginx_websocket_path"
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_REQUEST = re.compile(r"([A-Z][A-Z_-]{0,19}) (\S+)(?: HTTP/\d(?:\.\d)?)?\Z")
_MONTHS = {
    name: at
    for at, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_LOCAL = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z", re.ASCII)
_STATUS = re.compile(r"[0-9]{3}\Z")
_ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")


@dataclasses.dataclass(frozen=True)
class Entry:
    """What one line tells of its request."""

    method: str
    path: str
    """Without the query, as it was sent (escaped)."""
    status: int = 0
    upgrade: bool = False
    host: str = ""
    """Lower case, without a port; "" where the line does not tell."""
    tls: Optional[bool] = None
    origin: str = ""
    time: Optional[float] = None
    """Seconds since 1970."""


class Format:
    """A format, ready to read lines."""

    def __init__(self, template: bytes, escape: str = "default", paths: FrozenSet[str] = frozenset()) -> None:
        """Make the expression.

        Args:
            template: the format's text, all its arguments joined.
            escape: ``default``, ``json`` or ``none``.
            paths: variables of the configuration that hold the request's path.
        """
        self.escape = escape
        self._names: List[str] = []
        text = template.decode("utf-8", "replace")
        variables = list(_VARIABLE.finditer(text))
        ends = [*(one.start() for one in variables[1:]), len(text)]
        parts = [re.escape(text[: variables[0].start() if variables else len(text)])]
        for number, (variable, end) in enumerate(zip(variables, ends)):
            name = variable.group(1) or variable.group(2)
            between = text[variable.end() : end]
            value = self._value(between[:1])
            close = re.escape(between) + (r"\Z" if end == len(text) else "")
            parts.append(self._part(_PATH if name in paths else name, value, close, number))
        self._line = re.compile("".join(parts) + ("" if variables else r"\Z"), re.DOTALL)
        self._times: Dict[str, Optional[float]] = {}

    @property
    def useful(self) -> bool:
        """Whether a line tells which path was asked for."""
        return bool({"request", "request_uri", _PATH} & set(self._names))

    @property
    def names_host(self) -> bool:
        """Whether a line tells for which site it is."""
        return bool({"host", "http_host", "server_name"} & set(self._names))

    @property
    def tells_time(self) -> bool:
        """Whether a line tells when it came."""
        return bool({"time_local", "time_iso8601", "msec"} & set(self._names))

    def _value(self, after: str) -> str:
        if after != '"' or self.escape == "none":
            return ".*?"
        return r'(?:[^"\\]|\\.)*' if self.escape == "json" else r'[^"]*'

    def _part(self, name: str, value: str, close: str, number: int) -> str:
        """One variable and what stands behind it.

        A value ends where that comes first, and is never tried again with another end: a line of another
        format takes time by its length, not by a power of it. (A lookahead that has matched is not entered
        again, so what it caught is taken as a whole.)
        """
        if name in self._names:
            return f"(?P={name}){close}"
        wanted = name in _WANTED or name == _PATH
        group = name if wanted else f"_{number}"
        if wanted:
            self._names.append(name)
        return f"(?=(?P<{group}>{value}){close})(?P={group}){close}"

    def entry(self, line: str) -> Optional[Entry]:
        """What a line tells; None when it is not of this format, or its request is none."""
        match = self._line.match(line)
        if match is None:
            return None
        values = {name: self._plain(match.group(name) or "") for name in self._names}
        method, target = values.get("request_method", ""), values.get("request_uri", values.get(_PATH, ""))
        if "request" in values:
            request = _REQUEST.match(values["request"])
            if request is None:
                return None
            method, target = method or request.group(1), target or request.group(2)
        path = target.split("?", 1)[0].split("#", 1)[0]
        if not path.startswith("/"):
            return None
        status = values.get("status", "")
        host = values.get("host") or values.get("http_host") or values.get("server_name") or ""
        upgrade = values.get("http_upgrade", "").lower() == "websocket" or status == "101"
        return Entry(
            method or "GET",
            path,
            int(status) if _STATUS.match(status) else 0,
            upgrade,
            re.sub(r":\d+\Z", "", host).lower().rstrip("."),
            self._tls(values),
            "" if values.get("http_origin", "-") == "-" else values["http_origin"],
            self._time(values),
        )

    def _plain(self, value: str) -> str:
        """Undo nginx's escaping."""
        if "\\" not in value:
            return value
        if self.escape == "json":
            try:
                return str(json.loads(f'"{value}"'))
            except ValueError:
                return value
        if self.escape == "none":
            return value
        return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), value)

    @staticmethod
    def _tls(values: Dict[str, str]) -> Optional[bool]:
        if values.get("scheme") in ("http", "https"):
            return values["scheme"] == "https"
        if "https" in values:
            return values["https"] == "on"
        return {"443": True, "80": False}.get(values.get("server_port", ""))

    def _time(self, values: Dict[str, str]) -> Optional[float]:
        if values.get("msec"):
            try:
                return float(values["msec"])
            except ValueError:
                return None
        text = values.get("time_iso8601") or values.get("time_local") or ""
        if text not in self._times:
            if len(self._times) > 100_000:
                self._times.clear()
            self._times[text] = _local(text) if "/" in text else _iso8601(text)
        return self._times[text]


def _local(text: str) -> Optional[float]:
    found = _LOCAL.match(text)
    if found is None or found.group(2) not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found.group(n)) for n in (1, 3, 4, 5, 6))
    away = datetime.timedelta(hours=int(found.group(8)), minutes=int(found.group(9)))
    try:
        zone = datetime.timezone(-away if found.group(7) == "-" else away)
        return datetime.datetime(
            year, _MONTHS[found.group(2)], day, hour, minute, second, tzinfo=zone
        ).timestamp()
    except ValueError:
        return None


def _iso8601(text: str) -> Optional[float]:
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None


def template_of(args: Tuple[bytes, ...]) -> Tuple[bytes, str]:
    """Text and escaping of a ``log_format`` directive.

    Args:
        args: of the directive, its name first.
    """
    words = list(args[1:])
    escape = "default"
    if words and words[0].startswith(b"escape="):
        escape = words.pop(0)[7:].decode("ascii", "replace")
    return b"".join(words), escape
