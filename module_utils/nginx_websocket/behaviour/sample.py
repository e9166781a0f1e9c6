"""A path that leads to a location, made up from its name."""

from __future__ import annotations

import re
from typing import Optional, Tuple

from .effective import Version
from .location import Location
from .regex import CannotDecide, RegexError

TAIL = "websocket-route-check"
"""What stands in the place of a file or an id; hardly anybody has one of that name."""


def literal_of(pattern: bytes) -> bytes:
    """The literal path at the beginning of a regex, without the anchor."""
    text = pattern[1:] if pattern.startswith(b"^") else pattern
    match = re.match(rb"(?:[A-Za-z0-9/_~%@-]|\\[./-])*", text)
    return (match.group() if match else b"").replace(b"\\", b"")


def own_match(location: Location, uri: bytes, version: Version) -> bool:
    """Whether the location by itself matches the path, whoever wins."""
    if location.named:
        return False
    if location.exact:
        return location.name == uri
    if not location.regex:
        return uri.startswith(location.name)
    try:
        return location.matches(uri, version) is not None
    except (CannotDecide, RegexError):
        return False


def sample_path(location: Location, version: Version) -> Optional[str]:
    """A path that the location matches; None when none can be made up.

    Args:
        location: exact, prefix or regex; a named one has no path.
        version: version of the nginx, for its regexes.
    """
    if location.named:
        return None
    if location.exact:
        return location.name.decode("utf-8", "replace")
    if not location.regex:
        name = location.name.decode("utf-8", "replace")
        return name + TAIL if name.endswith("/") else name
    tail = TAIL.encode()
    for path in _guesses(location.name, tail):
        if path.startswith(b"/") and own_match(location, path, version):
            return path.decode("utf-8", "replace")
    return None


def _guesses(pattern: bytes, tail: bytes) -> Tuple[bytes, ...]:
    start = literal_of(pattern)
    # \.(php|png)$ and \.php$: the end of many a name
    ending = re.search(rb"\\\.\(?(?:\?:|\?i:)?([A-Za-z0-9]+)", pattern)
    end = b"." + ending.group(1) if ending else b""
    return (
        start,
        start + tail,
        start + b"/" + tail,
        start + b"1",
        start + b"/" + tail + end,
        start + tail + end,
        b"/" + tail + end,
        b"/" + start + tail,
        b"/" + start,
    )
