"""What is wrong, as the cures need to know it, and what each of them says of files."""

from __future__ import annotations

import dataclasses
from typing import Callable, Iterator, List, Optional, Sequence

from ..behaviour.effective import Level
from ..behaviour.route import Route
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive

Edits = List[Edit]


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong, and what is known of how the socket would open."""

    code: str
    """Of docs/findings.md."""
    directive: Optional[Directive] = None
    """The directive that the finding names first."""
    server: str = ""
    """``host:port`` of a backend of this host that opens it."""
    target: str = ""
    """Path and query with which the backend opens it."""
    meant: Optional[Level] = None
    """The location that was meant."""
    host_known: bool = False
    """Whether this host itself resolves the backend's name."""
    tls_name: str = ""
    """A name that the backend's certificate holds, where it was verified with another."""
    authority: str = ""
    """A file of authorities that verifies the backend's certificate, where nginx has another or none."""
    variable: str = ""
    """A variable that nothing defines, without its ``$``; nginx refuses its files for it."""
    message: str = ""
    """Of nginx, which refuses its files, with the place that it names; else what was seen first."""


Maker = Callable[[Configuration, Route, Fault], Iterator[Edits]]
"""Makes candidates for a fault, the best first."""


def replace_head(directive: Directive, head: bytes) -> Edit:
    """Other words between "location" and its brace."""
    data = directive.source.data
    start = directive.start + len(b"location")
    end = data.rindex(b"{", start, directive.body)
    return Edit(directive.source, start, end, b" " + head + b" ")


def margin_of(directive: Optional[Directive]) -> bytes:
    """What stands before a directive on its line, where that is nothing but blanks."""
    if directive is None:
        return b""
    data = directive.source.data
    line = data[data.rfind(b"\n", 0, directive.start) + 1 : directive.start]
    return line if not line.strip() else b""


def together(lines: Sequence[str], beside: Directive) -> bytes:
    """Lines one below the other, with the margin of the directive beside which they go."""
    text = f"\n{text_of(margin_of(beside))}".join(lines)
    return text.encode("utf-8", "surrogateescape")


def text_of(value: bytes) -> str:
    """Words of a file as text; what is no UTF-8 comes back as it was."""
    return value.decode("utf-8", "surrogateescape")
