"""The cure as a change of this very file: lines to add, to replace or to remove."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

from ...behaviour.content.upstream import Upstream
from ...behaviour.route import Route
from ...conf.tree import Configuration, Directive
from ...edit.style import UPGRADE, VERSION, upgrade_lines
from ..words.findings import Change

if TYPE_CHECKING:
    from ..evidence.facts import Facts

HOP_HEADERS = (
    "no-upgrade-header",
    "hop-header-inheritance",
    "add-header-not-proxy-set-header",
    "outer-proxy-strips-upgrade",
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
    """Put other directives in the place of one; none removes it. What else its lines hold stays."""
    return edited(configuration, [(directive, texts)])


def edited(
    configuration: Configuration, edits: Sequence[Tuple[Directive, Sequence[str]]]
) -> Optional[Change]:
    """Put other directives in the place of some, in one change of one file.

    Args:
        configuration: that holds them.
        edits: each directive with what comes in its place; nothing removes it.

    Returns:
        None when they do not stand in one file.
    """
    file = edits[0][0].file
    data = configuration.files.get(file)
    if data is None or any(directive.file != file for directive, _ in edits):
        return None
    ordered = sorted(edits, key=lambda edit: edit[0].start)
    begin = data.rfind(b"\n", 0, ordered[0][0].start) + 1
    end = end_of_line(data, ordered[-1][0].end)
    shown, position = "", begin
    for directive, texts in ordered:
        indent = line_of(configuration, directive)[0]
        shown += _decoded(data[position : directive.start]) + f"\n{indent}".join(texts)
        position = directive.end
    shown += _decoded(data[position:end])
    removed = lines_of(_decoded(data[begin:end]))
    # A line that held nothing but what goes is no longer needed.
    kept = [line for line in lines_of(shown) if line.strip() or line in removed]
    added = [line if line in removed else line.rstrip() for line in kept]
    return Change(file, data.count(b"\n", 0, begin) + 1, removed, added)


def written(directive: Directive) -> List[str]:
    """A directive as it stands in its file, and nothing of what shares its lines."""
    text = _decoded(directive.source.data[directive.start : directive.end])
    return [line.strip() for line in lines_of(text)]


def end_of_line(data: bytes, offset: int) -> int:
    """The offset of the line feed that ends the line of a byte, or the end of the file."""
    end = data.find(b"\n", offset)
    return end if end >= 0 else len(data)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def lines_of(text: str) -> List[str]:
    """The lines of a text, without carriage returns."""
    return [line.rstrip("\r") for line in text.split("\n")]


def insert_after(configuration: Configuration, directive: Directive, *texts: str) -> Optional[Change]:
    """Add directives behind one, in its own block: where that ends on the same line, the line is split."""
    indent, lines = line_of(configuration, directive)
    if not lines:
        return None
    data, parent = configuration.files[directive.file], directive.parent
    end = end_of_line(data, directive.end)
    split = 0
    if parent is not None and parent.file == directive.file:
        if parent.end <= end:
            split = parent.end - 1
        elif any(
            child.block is not None
            and child.file == directive.file
            and directive.end <= child.start < end < child.end
            for child in parent.block or ()
        ):
            split = directive.end  # Behind this line another block goes on.
    if not split:
        return Change(directive.file, directive.line + len(lines), [], [indent + text for text in texts])
    begin = data.rfind(b"\n", 0, directive.start) + 1
    assert parent is not None
    if parent.start >= begin and parent.end <= end:
        # The whole block stands on this line: what comes stands there, too, as close as the rest of it.
        gap = "" if data[directive.start - 1 : directive.start].strip() else " "
        inside = gap + gap.join(texts)
        line = _decoded(data[begin : directive.end]) + inside + _decoded(data[directive.end : end])
        return Change(directive.file, directive.line, lines_of(_decoded(data[begin:end])), lines_of(line))
    rest = indent if split == directive.end else line_of(configuration, parent)[0]
    inner = indent + "    " if parent.start >= begin else indent
    head = lines_of(_decoded(data[begin:split]).rstrip())
    tail = _decoded(data[split:end]).strip()
    added = [*head, *(inner + text for text in texts), rest + tail]
    return Change(directive.file, directive.line, lines_of(_decoded(data[begin:end])), added)


def header_line(upstream: Upstream, name: bytes) -> Optional[Directive]:
    """The proxy_set_header line in force for a header."""
    if upstream.header_level is None:
        return None
    lines = upstream.header_level.own(b"proxy_set_header")
    return next((line for line in lines if line.args and line.args[0].lower() == name), None)


def header_lines(upstream: Upstream, name: bytes) -> List[Directive]:
    """Every proxy_set_header line in force for a header: nginx sends each."""
    lines = upstream.header_level.own(b"proxy_set_header") if upstream.header_level is not None else []
    return [line for line in lines if line.args and line.args[0].lower() == name]


def header_change(route: Route, upstream: Upstream, name: str, text: str) -> Optional[Change]:
    """A proxy_set_header line with another value in the place of the one in force; "" takes the line away."""
    line = header_line(upstream, name.lower().encode())
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


def _mended_headers(code: str, route: Route, upstream: Upstream) -> Optional[Change]:
    """Upgrade, Connection and the version, whichever is wrong: one without the others opens nothing."""
    upgrade, connection = upstream.values("Upgrade"), upstream.values("Connection")
    lines: List[Tuple[str, bytes]] = []
    if code == "upgrade-hardcoded-no-tunnel" or [item.value for item in upgrade] != ["websocket"]:
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


HEADER_CURES = {
    "host-header-wrong": (b"host", "proxy_set_header Host $http_host;"),
    "forwarded-proto-missing": (b"x-forwarded-proto", "proxy_set_header X-Forwarded-Proto $scheme;"),
}
LINES_TO_ADD = {
    "http10-upstream": ["proxy_http_version 1.1;"],
    "timeout-short": ["proxy_read_timeout 1h;"],
    "upstream-header-too-big": [
        "proxy_buffer_size 16k;",
        "proxy_buffers 8 16k;",
        "proxy_busy_buffers_size 32k;",
    ],
    "cache": ["proxy_cache off;"],
}
HANDSHAKE_HEADERS = (b"sec-websocket-key", b"sec-websocket-version")
DIRECTIVES_TO_DROP = {
    "request-headers-not-passed": b"proxy_pass_request_headers",
    "response-header-hidden": b"proxy_hide_header",
    "method-changed": b"proxy_method",
}


def change_for(code: str, route: Route) -> Optional[Change]:
    """The change that cures a cause in the configuration; None where no single one does."""
    configuration, upstream, level = route.configuration, route.upstream, route.level
    answer = route.answer.directive
    if code == "internal-location" and answer is not None and answer.name == b"internal":
        return replace(configuration, answer)
    if upstream is None or level is None:
        return None
    if code in HOP_HEADERS:
        own = code == "hop-header-inheritance" and upstream.header_level is not None
        known = {
            line.args[0].lower()
            for line in (
                upstream.header_level.own(b"proxy_set_header")
                if own and upstream.header_level is not None
                else ()
            )
            if line.args
        }
        wanted = [
            line
            for line in upgrade_lines(route)[0 if upstream.version == "1.0" else 1 :]
            if not line.startswith("proxy_set_header") or line.split()[1].lower().encode() not in known
        ]
        return with_headers(route, upstream, wanted)
    if code in ("upgrade-header-wrong-value", "upgrade-hardcoded-no-tunnel", "connection-header-wrong"):
        return _mended_headers(code, route, upstream)
    if code in HEADER_CURES:
        name, cure = HEADER_CURES[code]
        line = header_line(upstream, name)
        return (
            replace(configuration, line, cure) if line is not None else with_headers(route, upstream, [cure])
        )
    if code in LINES_TO_ADD:
        lines = LINES_TO_ADD[code]
        name = lines[0].split()[0].encode()
        own_line = next(iter(level.own(name)), None)
        if own_line is not None and len(lines) == 1:
            return replace(configuration, own_line, *lines)
        return None if own_line is not None else insert_after(configuration, upstream.directive, *lines)
    if code in DIRECTIVES_TO_DROP:
        dropped = level.nearest(DIRECTIVES_TO_DROP[code])[1]
        if code == "request-headers-not-passed" and not dropped:
            dropped = [
                line for name in HANDSHAKE_HEADERS if (line := header_line(upstream, name)) is not None
            ]
        return replace(configuration, dropped[0]) if dropped else None
    if code == "rewrite-changes-path":
        rewrite = next((step.directive for step in reversed(route.steps) if step.kind == "rewrite"), None)
        # A rewrite of the server is there for other requests as well.
        own = rewrite is not None and level.directive is not None and rewrite.parent is level.directive
        return replace(configuration, rewrite) if own and rewrite is not None else None
    if code in ("subprotocol-stripped", "duplicate-host-header"):
        name = b"host" if code == "duplicate-host-header" else b"sec-websocket-protocol"
        line = header_line(upstream, name)
        return replace(configuration, line) if line is not None else None
    return _proxy_pass_change(code, route, upstream)


def _proxy_pass_change(code: str, route: Route, upstream: Upstream) -> Optional[Change]:
    """Another proxy_pass: with or without its URI part, with the query, with the other scheme."""
    written = upstream.directive.args[0].decode("utf-8", "replace")
    scheme, _, rest = written.partition("://")
    server = rest.split("/")[0] if not rest.startswith("unix:") else ""
    new = ""
    if code == "upstream-scheme-mismatch":
        new = f"{'https' if scheme == 'http' else 'http'}://{rest}"
    elif code == "query-string-lost":
        new = f"{written}$is_args$args"
    elif (
        code in ("proxy-pass-strips-prefix", "proxy-pass-normalizes-path", "proxy-pass-variable-uri")
        and server
    ):
        new = f"{scheme}://{server}"
    elif code == "proxy-pass-keeps-prefix" and server and "/" not in rest and "$" not in rest:
        location = route.location
        if location is not None and not location.regex and location.name.endswith(b"/"):
            new = f"{scheme}://{server}/"
    if not new or new == written:
        return None
    return replace(route.configuration, upstream.directive, f"proxy_pass {new};")


def commands_for(code: str, facts: Facts) -> List[str]:
    """What to type on the host, where a command cures (or shows what to cure)."""
    nginx = facts.nginx
    unit = nginx.master.unit if nginx is not None and nginx.master is not None else "nginx.service"
    binary = nginx.binary.path if nginx is not None else "nginx"
    reload = (
        f"systemctl reload {unit}" if unit else f"{binary} -s reload -c {nginx.conf_path if nginx else ''}"
    )
    port = next((str(item.listeners[0].port) for item in facts.backends if item.listeners), "")
    return {
        "stale-config-not-reloaded": [f"{binary} -t", reload],
        "reload-failed": [f"{binary} -t", reload],
        "not-included-file": [f"{binary} -T | grep '^# configuration file'", reload],
        "nginx-not-running": [f"{binary} -t", f"systemctl start {unit or 'nginx.service'}"],
        "stale-upstream-dns": [reload],
        "cert-invalid": [reload],
        "backend-down": ["ss -ltnp"],
        "other-process-on-port": [f"ss -ltnp 'sport = :{facts.question.endpoint.port}'"],
        "backend-ipv6-localhost": [f"ss -ltnp 'sport = :{port}'"] if port else ["ss -ltnp"],
        "backend-connect-timeout": ["ss -ltn", "nft list ruleset"],
    }.get(code, [])
