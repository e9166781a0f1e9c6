"""What nginx adds to an answer and takes from it, what it puts in its place, and where it logs.

Rules of ``ngx_http_headers_filter``, ``ngx_http_upstream_process_headers``,
``ngx_http_upstream_intercept_errors`` and ``ngx_http_log_handler``.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Tuple

from ..conf.tree import Directive, printable
from .access.guards import words
from .effective import Level, Version
from .phases import parse_error_page
from .variables import Exchange

HIDDEN = ("date", "server", "x-pad", "x-accel-expires", "x-accel-redirect", "x-accel-limit-rate",
          "x-accel-buffering", "x-accel-charset")  # fmt: skip
"""Headers of a proxied answer that do not reach the client unless ``proxy_pass_header`` names them."""


@dataclasses.dataclass(frozen=True)
class Added:
    """One header line that nginx adds to the answer (``add_header``, ``add_trailer``, ``expires``)."""

    name: str
    value: Optional[str]
    """Its bytes, as Latin-1; None where configuration and request do not tell."""
    always: bool = False
    """Added to every status; else to 200, 201, 204, 206, 301 to 304, 307 and 308 alone, and never to 101."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class ErrorPage:
    """One code of an ``error_page`` in force."""

    status: int
    target: str
    answers: Optional[int]
    """Status that the client gets: None for the old one, 0 for that of the target."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Log:
    """One log that the request is written to."""

    kind: str
    """"access" or "error"."""
    words: Tuple[str, ...]
    """Arguments of the directive: file, format, options; empty for nginx's own default."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)


def added_headers(exchange: Exchange, level: Level, version: Version) -> Tuple[Added, ...]:
    """The header lines that nginx adds, in its order."""
    found: List[Added] = []
    for line in _add_headers(level, version):
        if len(line.args) < 2:
            continue
        value = exchange.told(line.args[1])
        if value != "":
            always = line.args[2:3] == (b"always",)
            found.append(Added(printable(line.args[0]), value, always, line))
    for line in level.nearest(b"expires")[1][-1:]:
        if line.args[:1] != (b"off",):
            found.append(Added("Expires", printable(b" ".join(line.args)), False, line))
    return tuple(found)


def _add_headers(level: Level, version: Version) -> List[Directive]:
    """The list in force: the nearest level's, with those above it where ``add_header_inherit`` merges."""
    near, lines = level.nearest(b"add_header")
    how = level.value(b"add_header_inherit", b"on")
    if version < (1, 29, 3) or near is None or how not in (b"off", b"merge"):
        return lines
    levels = [level] if how == b"off" else level.chain()
    return [line for outer in levels for line in outer.own(b"add_header")]


def hidden_headers(level: Level, protocol: bytes = b"proxy") -> Tuple[str, ...]:
    """Names of the backend's headers that do not reach the client, lower case, sorted.

    Args:
        level: the level in force.
        protocol: "proxy", "fastcgi", "uwsgi", "scgi" or "grpc": the first word of the directives.
    """
    passed = _names(level, protocol + b"_pass_header")
    default = () if protocol == b"grpc" else HIDDEN
    hidden = {name for name in default if name not in passed}
    if protocol in (b"fastcgi", b"uwsgi", b"scgi") and "status" not in passed:
        hidden.add("status")
    return tuple(sorted(hidden | set(_names(level, protocol + b"_hide_header"))))


def _names(level: Level, name: bytes) -> List[str]:
    return [printable(line.args[0]).lower() for line in level.nearest(name)[1] if line.args]


def error_pages(level: Level) -> Tuple[ErrorPage, ...]:
    """Every code that an ``error_page`` in force replaces; the first directive of a code counts."""
    found: List[ErrorPage] = []
    for directive in level.nearest(b"error_page")[1]:
        codes, overwrite, uri = parse_error_page(directive)
        known = {page.status for page in found}
        for code in codes:
            if code not in known:
                found.append(ErrorPage(code, printable(uri), overwrite, directive))
    return tuple(found)


def logs(level: Level) -> Tuple[Log, ...]:
    """The access and error logs in force; without any ``access_log`` nginx's own default one."""
    found: List[Log] = []
    access = level.nearest(b"access_log")[1]
    if not any(line.args[:1] == (b"off",) for line in access):
        lines = [Log("access", tuple(map(printable, line.args)), line) for line in access]
        found += lines or [Log("access", ())]
    errors = level.nearest(b"error_log")[1]
    found += [Log("error", tuple(map(printable, line.args)), line) for line in errors] or [Log("error", ())]
    return tuple(found)


def shown(directive: Optional[Directive]) -> str:
    """A directive in words and its place, for a message; "" for none."""
    return f"{words(directive)} ({directive.where()})" if directive is not None else ""
