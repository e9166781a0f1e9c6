"""Paths that lead to a location, as a browser could ask for them."""

from __future__ import annotations

import itertools
import re
from typing import Callable, Iterable, Iterator, List, Optional, Sequence, Tuple

from ...behaviour.location import Location
from ...behaviour.regex import CannotDecide, Regex, RegexError, compiled
from ...behaviour.uri import BadRequest, escape_uri, parse_target
from ..pattern import texts

Version = Tuple[int, ...]

TAIL = b"websocket-route-check"
"""What stands in the place of a file or an id; hardly anybody has one of that name."""
ENOUGH = 16
"""Paths for one expression: each alternative of a usual list."""
_MORE = 2
"""Of these, such as have something before or after the match that the expression does not ask for."""
_TRIED = 400
_ENDING = re.compile(rb"\.\w{1,8}\Z")


def askable(path: bytes, version: Version, *, merged: bool = True) -> bool:
    """Whether nginx sees this very path when a browser asks for it.

    Args:
        path: not escaped.
        version: nginx's version.
        merged: whether two slashes become one, as they do unless ``merge_slashes`` is off.
    """
    if not path.startswith(b"/") or len(path) > 2000:
        return False
    try:
        return parse_target(escape_uri(path), merge_slashes=merged, version=version).uri == path
    except BadRequest:
        return False


def matching(
    pattern: bytes,
    caseless: bool,
    version: Version,
    *,
    most: int = ENOUGH,
    accepts: Optional[Callable[[bytes], bool]] = None,
) -> List[bytes]:
    """Paths that a regular expression matches, each of its alternatives at least once.

    Args:
        pattern: the expression, as it stands in the configuration.
        caseless: whether it is ``~*``.
        version: nginx's version, for its PCRE library.
        most: how many are wanted.
        accepts: what else a path must be good for.

    Returns:
        Normalised paths, not escaped; none where none was found or no PCRE library is there.
    """
    try:
        regex = compiled(pattern, caseless, version)
    except (CannotDecide, RegexError):
        return []

    def good(path: bytes) -> bool:
        return askable(path, version) and _matches(regex, path) and (accepts is None or accepts(path))

    made = texts(pattern)
    found = _first(map(_plain, made), good, most)
    wanted = min(most, len(found) + _MORE) if found else 1
    return found + _first((path for path in _further(made) if path not in found), good, wanted - len(found))


def _first(paths: Iterable[bytes], good: Callable[[bytes], bool], most: int) -> List[bytes]:
    found: List[bytes] = []
    for path in itertools.islice(paths, _TRIED):
        if len(found) >= most:
            break
        if path not in found and good(path):
            found.append(path)
    return found


def _matches(regex: Regex, path: bytes) -> bool:
    try:
        return regex.match(path) is not None
    except RegexError:
        return False


def _plain(text: bytes) -> bytes:
    """The text as a path of its own, and a file in it where it looks like a directory."""
    path = text if text.startswith(b"/") else b"/" + (TAIL if _ENDING.match(text) else b"") + text
    return path + TAIL if path.endswith(b"/") else path


def _further(made: Sequence[bytes]) -> Iterator[bytes]:
    """With more around it; the first text before all others."""
    for text in made:
        for before in (b"", b"/" + TAIL, b"/", b"/" + TAIL + b"/", b"/a"):
            for after in (b"/" + TAIL, b"", TAIL, b"/", b"1", b".html"):
                yield before + text + after


def paths_to(location: Location, version: Version) -> List[bytes]:
    """Paths that the location matches by itself, whoever wins in the end.

    Args:
        location: exact, prefix or regex; a named one has none.
        version: nginx's version.
    """
    if location.named:
        return []
    if location.regex:
        return matching(location.name, location.modifier == b"~*", version)
    name = location.name if location.name.startswith(b"/") else b"/" + location.name
    if location.exact:
        found = [name]
    elif name.endswith(b"/"):
        found = [name, name + TAIL]
    else:
        found = [name, name + b"/" + TAIL, name + TAIL]
    # Who names two slashes has switched their merging off, or the location is asked for in vain.
    return [path for path in found if askable(path, version, merged=b"//" not in name)]
