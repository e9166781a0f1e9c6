"""What answers when no rewrite has: ``try_files``, ``index``, static files.

Rules of ``ngx_http_try_files_handler``, ``ngx_http_index_handler``, ``ngx_http_static_handler`` and the
Location header of ``ngx_http_header_filter``.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Tuple

from ...conf.tree import Directive
from ..location import PASS_DIRECTIVES
from ..regex import CannotDecide
from ..rewrite import Hooks, Step, Undecided, printable
from ..server.names import primary_name
from ..uri import escape_redirect
from ..variables import Exchange, has_variables
from .files import AliasAfterRewrite, alias_length, map_uri_to_path, path_parts

HANDLERS = frozenset(
    (
        *PASS_DIRECTIVES,
        *b"stub_status empty_gif flv mp4 perl api js_content echo".split(),
        *b"content_by_lua content_by_lua_block content_by_lua_file".split(),
        *b"push_stream_publisher push_stream_subscriber push_stream_websocket".split(),
    )
)


@dataclasses.dataclass
class Answer:
    """Who answers, and what.

    ``kind`` is "proxy", "pass" (fastcgi, uwsgi, …), "handler", "static", "autoindex", "return",
    "redirect", "not-found", "forbidden", "error", "bad-request", "closed", "not-listening",
    "tls-not-enabled", "plain-http-to-tls-port" or "undecided".
    """

    kind: str
    status: int = 0
    """0 where the backend or a file decides."""
    redirect_target: Optional[bytes] = None
    """The Location header; None when there is none or it cannot be told."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False)
    reason: str = dataclasses.field(default="", compare=False)
    text: Optional[bytes] = None
    final: bool = False
    """Sent as it is: ``error_page`` does not replace it."""
    code: str = ""
    """Why a redirect or a 404: "auto-redirect", "rewrite", "directory", "internal", "try_files", …"""
    err_status: int = 0
    """Status forced by ``error_page`` upon whatever answers in the end, even a 101."""
    path: str = ""
    """File that a static answer would send."""
    next_uri: Optional[bytes] = None
    next_args: bytes = b""


def internal_redirect(code: str, directive: Optional[Directive], uri: bytes, args: bytes = b"") -> Answer:
    """nginx goes on with another URI, or with a named location; the code says why."""
    return Answer("internal-redirect", directive=directive, code=code, next_uri=uri, next_args=args)


def absolute_location(exchange: Exchange, value: bytes) -> bytes:
    """The Location header as it is sent: a path gets scheme, host and port (``absolute_redirect``)."""
    level = exchange.level
    if not value.startswith(b"/") or not level.on(b"absolute_redirect", True):
        return value
    if level.on(b"server_name_in_redirect", False):
        host = primary_name(exchange.server)
    else:
        host = exchange.host or exchange.server_address.encode()
    port = b""
    if level.on(b"port_in_redirect", True) and exchange.server_port != (443 if exchange.tls else 80):
        port = b":%d" % exchange.server_port
    return (b"https://" if exchange.tls else b"http://") + host + port + value


def _kind(hooks: Hooks, path: bytes) -> Optional[str]:
    """What is at a path; None when nobody can look."""
    return None if hooks.file_kind is None else hooks.file_kind(printable(path))


def try_files(exchange: Exchange, directive: Directive, hooks: Hooks) -> Optional[Answer]:
    """Try the files; None when one was found and the handlers go on with it.

    Files that nobody can look for count as missing, and the route says so.
    """
    names = directive.args[:-1]
    try:
        base, prefix = path_parts(exchange)
    except AliasAfterRewrite:
        return Answer("error", 500, None, directive, "alias cannot be used where the URI was rewritten")
    except CannotDecide as error:
        hooks.undecided.append(Undecided(str(error), directive, "none of the files exists"))
        base, prefix = b"", 0
    for name in names:
        want_directory = len(name) > 0 and name.endswith(b"/")
        template = name[:-1] if want_directory else name
        value = exchange.evaluate(template)
        if has_variables(template) and prefix > 0 and value.startswith(exchange.uri[:prefix]):
            value = value[prefix:]
        kind = _kind(hooks, base + value) if base else None
        if kind is None and exchange.fallback_of is directive and not want_directory:
            # the fallback came back here: nginx would loop to a 500, so the file is meant to exist
            _found(exchange, base, value, prefix, want_directory)
            hooks.steps.append(Step("try_files", f"{printable(base + value)} is meant to exist", directive))
            return None
        if kind is None:
            what = f"whether {printable(base + value)} exists is not in the configuration"
            hooks.undecided.append(Undecided(what, directive, "it does not exist"))
            continue
        if kind == ("directory" if want_directory else "file"):
            _found(exchange, base, value, prefix, want_directory)
            hooks.steps.append(Step("try_files", f"found {printable(base + value)}", directive))
            return None
    return _fallback(exchange, directive, base, prefix, hooks)


def _found(exchange: Exchange, base: bytes, value: bytes, prefix: int, directory: bool) -> None:
    alias = alias_length(exchange)
    if alias is None:
        # Of an empty URI, nginx reads the byte before it: it stands behind the root in the path.
        exchange.uri, exchange.before_uri = value, base[-1:]
    elif alias == -1:
        if not directory:
            exchange.uri = value
            exchange.add_uri_to_alias = True
    else:
        exchange.uri = exchange.uri[:prefix] + value


def _fallback(exchange: Exchange, directive: Directive, base: bytes, prefix: int, hooks: Hooks) -> Answer:
    fallback = directive.args[-1]
    if fallback.startswith(b"="):
        status = int(fallback[1:]) if fallback[1:].isdigit() else 500
        hooks.steps.append(Step("try_files", printable(fallback), directive))
        return Answer(
            "not-found", status, None, directive, f"try_files ends in {printable(fallback)}", code="try_files"
        )
    value = exchange.evaluate(fallback)
    if has_variables(fallback) and prefix > 0 and value.startswith(exchange.uri[:prefix]):
        value = value[prefix:]
        exchange.before_uri = base[-1:]
    hooks.steps.append(Step("try_files", f"nothing found; {printable(value)}", directive))
    if value.startswith(b"@"):
        return internal_redirect("try_files", directive, value)
    exchange.fallback_of = directive
    path, _mark, args = value.partition(b"?")
    return internal_redirect("try_files", directive, path, args)


def _indices(exchange: Exchange) -> Tuple[List[bytes], Optional[Directive]]:
    found = exchange.level.nearest(b"index")[1]
    names = [name for directive in found for name in directive.args if name]
    return names or [b"index.html"], found[-1] if found else None


def _to_index(exchange: Exchange, hooks: Hooks, directive: Optional[Directive], uri: bytes) -> Answer:
    hooks.steps.append(Step("index", printable(uri), directive))
    return internal_redirect("index", directive, uri, exchange.args)


def find_index(exchange: Exchange, hooks: Hooks) -> Answer:
    """A URI that ends in ``/``: index file, listing, or 403."""
    names, directive = _indices(exchange)
    if exchange.method not in (b"GET", b"HEAD", b"POST"):
        return Answer("error", 405, None, directive, "static files answer GET and HEAD")
    unknown: List[bytes] = []
    if names[0].startswith(b"/") and not has_variables(names[0]):
        # nginx looks for no file then, so it does not matter where one would be
        return _to_index(exchange, hooks, directive, names[0])
    try:
        base = map_uri_to_path(exchange)
    except AliasAfterRewrite:
        return Answer("error", 500, None, directive, "alias cannot be used where the URI was rewritten")
    except CannotDecide as error:
        hooks.undecided.append(Undecided(str(error), directive))
        base = b""
    for name in names:
        value = exchange.evaluate(name)
        if value.startswith(b"/"):
            return _to_index(exchange, hooks, directive, value)
        kind = _kind(hooks, base + value) if base else None
        if kind is None:
            unknown.append(value)
        elif kind:
            return _to_index(exchange, hooks, directive, exchange.uri + value)
        elif _kind(hooks, base.rstrip(b"/") or b"/") != "directory":
            return Answer(
                "not-found", 404, None, directive, f"{printable(base)} does not exist", path=printable(base)
            )
    if unknown:
        reason = "whether an index file exists in {} is not in the configuration".format(
            printable(base or b"the root")
        )
        first = exchange.uri + unknown[0]
        hooks.undecided.append(Undecided(reason, directive, f"{printable(first)} exists"))
        return _to_index(exchange, hooks, directive, first)
    if exchange.level.on(b"autoindex", False) and exchange.method != b"POST":
        return Answer("autoindex", 200, None, exchange.level.nearest(b"autoindex")[1][-1])
    return Answer(
        "forbidden", 403, None, directive, f"no index file in {printable(base)}", path=printable(base)
    )


def static_answer(exchange: Exchange, hooks: Hooks) -> Answer:
    """``ngx_http_static_handler``: a file, a 301 to a directory, or 404."""
    directives = exchange.level.nearest(b"root", b"alias")[1]
    directive = directives[-1] if directives else exchange.level.directive
    if exchange.method not in (b"GET", b"HEAD", b"POST"):
        return Answer("error", 405, None, directive, "static files answer GET and HEAD")
    try:
        path = map_uri_to_path(exchange)
    except AliasAfterRewrite:
        return Answer("error", 500, None, directive, "alias cannot be used where the URI was rewritten")
    except CannotDecide as error:
        hooks.undecided.append(Undecided(str(error), directive))
        return Answer("static", 0, None, directive)
    text = printable(path)
    kind = _kind(hooks, path)
    if kind is None:
        hooks.undecided.append(Undecided(f"whether {text} exists is not in the configuration", directive))
        return Answer("static", 0, None, directive, path=text)
    if kind == "directory":
        target = escape_redirect(exchange.uri, exchange.version) + b"/"
        if exchange.args:
            target += b"?" + exchange.args
        return Answer(
            "redirect", 301, target, directive, f"{text} is a directory", code="directory", path=text
        )
    if kind == "file":
        status = 405 if exchange.method == b"POST" else 200
        return Answer("static", status, None, directive, path=text, final=status == 200)
    return Answer("not-found", 404, None, directive, f"{text} does not exist", code="static", path=text)
