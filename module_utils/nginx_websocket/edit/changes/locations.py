"""The cure as a change of which location answers: another head, or the location in another server, too."""

from __future__ import annotations

import re
from typing import List, Optional

from ... import codes
from ...behaviour.effective import Level, header_list
from ...behaviour.location import Location, all_locations
from ...behaviour.route import Route
from ...conf.tree import Configuration, Directive
from .change import Change, end_of_line, line_of, lines_of, written


def replace_head(
    configuration: Configuration, directive: Directive, head: str, name: bytes = b"location"
) -> Optional[Change]:
    """Put another head in the place of a block's, when the head stands alone on its line."""
    indent, lines = line_of(configuration, directive)
    if not lines or not re.match(rf"\s*{name.decode()}\b[^{{}};]*\{{\s*(#.*)?$", lines[0]):
        return None
    return Change(directive.file, directive.line, [lines[0]], [f"{indent}{head} {{"])


def change_for_location(route: Route, code: str, location: Level) -> Optional[Change]:
    """The change of the location that was meant: it gets ^~, becomes a prefix, or is copied here."""
    if not isinstance(location, Location) or location.directive is None:
        return None
    if code == codes.WS_MISSING_IN_TLS_SERVER:
        return _also_here(route, location)
    if code == codes.REGEX_SHADOWS_PREFIX:
        path = location.name.decode("utf-8", "replace")
    else:
        match = re.match(rb"\^((?:[A-Za-z0-9/_~-]|\\[./-])+)$", location.name)
        if code not in (codes.SHADOWED_BY_PREFIX_CARET, codes.REGEX_ORDER) or match is None:
            return None
        path = match.group(1).replace(b"\\", b"").decode("ascii")
    return replace_head(route.configuration, location.directive, f"location ^~ {path}")


def _also_here(route: Route, location: Location) -> Optional[Change]:
    """The location of another server in the one that answers; None where it would not win, or not work."""
    server = route.server.directive if route.server is not None else None
    source = location.directive
    if server is None or source is None or location.parent is None or location.parent.kind != "server":
        return None
    if not _wins(route, location):
        return None
    text = source.source.data[source.start : source.end].decode("utf-8", "replace")
    variables = [line.args[0].decode("utf-8", "replace") for line in location.parent.own(b"set") if line.args]
    if any(variable in text for variable in variables):
        return None  # It lives on what its own server sets.
    children = [child for child in server.block or () if child.file == server.file]
    first = next((child for child in children if child.name == b"location"), None)
    own_line = next((child for child in children if child.line > server.line), None)
    indent = (
        line_of(route.configuration, own_line)[0]
        if own_line is not None
        else line_of(route.configuration, server)[0] + "    "
    )
    # Of the regexes the first that matches is taken.
    offset = first.start if location.regex and first is not None else server.end - 1
    return _insert_at(route.configuration, server, offset, _copied(route, location, text, indent))


def _wins(route: Route, location: Location) -> bool:
    """Whether the location would take the request in the server that answers (ngx_http_core_find_location).

    What the server itself answers, before any location is looked for, it answers still.
    """
    assert route.server is not None
    for known in all_locations(route.server):
        if (known.modifier, known.name) == (location.modifier, location.name):
            return False
    if route.answer.kind in ("redirect", "return", "closed") and not _in_location(route.answer.directive):
        return False
    winner = route.selections[0].location if route.selections else None
    if winner is None or location.exact:
        return True
    if winner.exact:
        return False
    if location.regex:
        return not winner.noregex
    if winner.regex:
        return location.noregex
    return len(location.name) > len(winner.name)


def _in_location(directive: Optional[Directive]) -> bool:
    while directive is not None and directive.name != b"location":
        directive = directive.parent
    return directive is not None


def _copied(route: Route, location: Location, text: str, indent: str) -> List[str]:
    """The lines of the location, with what its own server gave to it."""
    assert location.directive is not None and route.server is not None
    old = line_of(route.configuration, location.directive)[0]
    given: List[str] = []
    if not location.own(b"proxy_set_header"):
        for line in header_list(location)[1]:
            given += written(line)
    version = location.value(b"proxy_http_version", b"")
    if version != route.server.value(b"proxy_http_version", b"") and not location.own(b"proxy_http_version"):
        given.append(f"proxy_http_version {version.decode()};")
    lines = lines_of(text)
    if given:
        inside, brace = text.rstrip()[:-1].rstrip(), "}"
        lines = [*lines_of(inside), *(f"{old}    {line}" for line in given), old + brace]
    unindented = [line[len(old) :] if line.startswith(old) else line.lstrip() for line in lines[1:]]
    return [indent + line for line in [lines[0], *unindented]]


def _insert_at(
    configuration: Configuration, block: Directive, offset: int, added: List[str]
) -> Optional[Change]:
    """Lines before what stands at an offset of a block; a line that holds more than that is split."""
    data = configuration.files.get(block.file)
    if data is None:
        return None
    begin, end = data.rfind(b"\n", 0, offset) + 1, end_of_line(data, offset)
    before, after = data[begin:offset].decode("utf-8", "replace"), data[offset:end].decode("utf-8", "replace")
    line = data.count(b"\n", 0, begin) + 1
    if not before.strip():
        return Change(block.file, line, [], added)
    rest = line_of(configuration, block)[0] + after.strip()
    return Change(block.file, line, lines_of(before + after), [before.rstrip(), *added, rest])
