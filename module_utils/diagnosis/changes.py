"""The cure as a change of this very file: lines to add, to replace or to remove."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from ..nginx_conf.route import Route
from ..nginx_conf.tree import Configuration, Directive
from .findings import Change

UPGRADE_LINES = (
    "proxy_http_version 1.1;",
    "proxy_set_header Upgrade $http_upgrade;",
    'proxy_set_header Connection "upgrade";',
)


def line_of(configuration: Configuration, directive: Directive) -> Tuple[str, List[str]]:
    """Indentation of a directive and the lines of the file that it covers."""
    data = configuration.files.get(directive.file, b"")
    lines = data.decode("utf-8", "replace").split("\n")
    if not 0 < directive.line <= len(lines):
        return "", []
    last = directive.line + data[directive.start : directive.end].count(b"\n")
    first = lines[directive.line - 1]
    match = re.match(r"[ \t]*", first)
    return (match.group() if match else ""), [line.rstrip("\r") for line in lines[directive.line - 1 : last]]


def replace(configuration: Configuration, directive: Directive, *texts: str) -> Optional[Change]:
    """Put other directives in the place of one that stands alone on its lines; none removes it."""
    indent, lines = line_of(configuration, directive)
    if not lines or not lines[0].strip().startswith(directive.name.decode("utf-8", "replace")):
        return None
    if len(lines) == 1 and lines[0].count(";") != 1:
        return None  # Several directives on one line: a diff by lines would take the others with it.
    return Change(directive.file, directive.line, lines, [indent + text for text in texts])


def insert_after(configuration: Configuration, directive: Directive, *texts: str) -> Optional[Change]:
    """Add directives behind one."""
    indent, lines = line_of(configuration, directive)
    if not lines:
        return None
    return Change(directive.file, directive.line + len(lines), [], [indent + text for text in texts])


def change_for(code: str, route: Route) -> Optional[Change]:
    """The change that cures a cause in the configuration; None where no single one does."""
    configuration, upstream = route.configuration, route.upstream
    answer = route.answer.directive
    if upstream is None:
        if (
            code in ("internal-location", "return-status")
            and answer is not None
            and answer.name == b"internal"
        ):
            return replace(configuration, answer)
        return None
    level = route.level
    own = {
        line.args[0].lower()
        for line in (
            upstream.header_level.own(b"proxy_set_header") if upstream.header_level is not None else []
        )
        if line.args
    }
    if code in (
        "no-upgrade-header",
        "hop-header-inheritance",
        "add-header-not-proxy-set-header",
        "outer-proxy-strips-upgrade",
    ):
        skip = 0 if upstream.version == "1.0" else 1
        lines = [
            line
            for line in UPGRADE_LINES[skip:]
            if not line.startswith("proxy_set_header")
            or line.split()[1].lower().encode() not in own
            or code != "hop-header-inheritance"
        ]
        return insert_after(configuration, upstream.directive, *lines)
    if code == "http10-upstream":
        if upstream.version_directive is not None:
            return replace(configuration, upstream.version_directive, "proxy_http_version 1.1;")
        return insert_after(configuration, upstream.directive, "proxy_http_version 1.1;")
    for header, cure, codes in (
        (
            b"upgrade",
            "proxy_set_header Upgrade $http_upgrade;",
            ("upgrade-header-wrong-value", "upgrade-hardcoded-no-tunnel"),
        ),
        (b"connection", 'proxy_set_header Connection "upgrade";', ("connection-header-wrong",)),
        (b"host", "proxy_set_header Host $http_host;", ("host-header-wrong",)),
    ):
        if code in codes and upstream.header_level is not None:
            line = next(
                (
                    line
                    for line in upstream.header_level.own(b"proxy_set_header")
                    if line.args and line.args[0].lower() == header
                ),
                None,
            )
            if line is not None:
                return replace(configuration, line, cure)
            return insert_after(configuration, upstream.directive, cure)
    if (
        code in ("request-headers-not-passed", "subprotocol-stripped", "response-header-hidden")
        and level is not None
    ):
        name = {
            "request-headers-not-passed": b"proxy_pass_request_headers",
            "response-header-hidden": b"proxy_hide_header",
        }.get(code, b"proxy_set_header")
        for line in level.nearest(name)[1]:
            if code != "subprotocol-stripped" or (
                line.args and line.args[0].lower() == b"sec-websocket-protocol"
            ):
                return replace(configuration, line)
    return None
