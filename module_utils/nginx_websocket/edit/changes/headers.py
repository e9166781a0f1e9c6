"""Changes of the proxy_set_header lines in force."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from ... import codes
from ...behaviour.content.upstream import Upstream
from ...behaviour.route import Route
from ...conf.tree import Directive
from ..style import UPGRADE, VERSION, upgrade_lines
from .change import Change, edited, insert_after, replace, written


def header_lines(upstream: Upstream, name: bytes) -> List[Directive]:
    """Every proxy_set_header line in force for a header, also where a colon ends the name."""
    return [line for line in upstream.set_headers if line.args and line.args[0].lower().rstrip(b":") == name]


def header_change(route: Route, upstream: Upstream, name: str, text: str) -> Optional[Change]:
    """A proxy_set_header line with another value in the place of the one in force; "" takes the line away."""
    line = upstream.line(name.lower().encode())
    new = f"proxy_set_header {name} {text};"
    if line is None:
        return with_headers(route, upstream, [new]) if text else None
    return replace(route.configuration, line, *([new] if text else []))


def with_headers(route: Route, upstream: Upstream, lines: Sequence[str]) -> Optional[Change]:
    """Lines behind proxy_pass; a list that was inherited until now is repeated, for they would replace it."""
    inherited: List[str] = []
    level = upstream.header_level
    added = {line.split()[1].lower() for line in lines if line.startswith("proxy_set_header")}
    if added and level is not None and level.directive is not upstream.directive.parent:
        for line in level.own(b"proxy_set_header"):
            if len(line.args) == 2 and line.args[0].decode("utf-8", "replace").lower() not in added:
                inherited += written(line)
    return insert_after(route.configuration, upstream.directive, *inherited, *lines)


def mended_headers(code: str, route: Route, upstream: Upstream) -> Optional[Change]:
    """Upgrade, Connection and the version, whichever is wrong: one without the others opens nothing."""
    upgrade, connection = upstream.values("Upgrade"), upstream.values("Connection")
    lines: List[Tuple[str, bytes]] = []
    if code == codes.UPGRADE_HARDCODED_NO_TUNNEL or [item.value for item in upgrade] != ["websocket"]:
        lines.append((UPGRADE, b"upgrade"))
    tokens = [word.strip() for word in ((connection[0].value or "") if connection else "").lower().split(",")]
    if "upgrade" not in tokens:
        lines.append((upgrade_lines(route)[2], b"connection"))
    edits: List[Tuple[Directive, List[str]]] = []
    missing: List[str] = [VERSION] if upstream.version == "1.0" else []
    own = next(iter(route.level.own(b"proxy_http_version")), None) if route.level is not None else None
    if missing and own is not None:
        edits.append((own, [missing.pop()]))
    for text, name in lines:
        written = header_lines(upstream, name)
        if written:
            edits += [(line, [text] if index == 0 else []) for index, line in enumerate(written)]
        else:
            missing.append(text)
    if not any(directive.name == b"proxy_set_header" for directive, _ in edits):
        return with_headers(route, upstream, missing)
    edits[-1][1].extend(missing)
    return edited(route.configuration, edits)
