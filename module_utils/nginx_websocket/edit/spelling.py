"""Variables that nothing defines, and the name that was meant."""

from __future__ import annotations

import difflib
import re
from typing import Iterator, List, Sequence, Set, Tuple

from ..behaviour.built_in import BUILT_IN
from ..behaviour.variables import variable_names
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive

_BY_LAST = (b"map", b"geo", b"split_clients")
_BY_FIRST = (
    b"set", b"perl_set", b"js_set", b"js_var", b"auth_request_set", b"set_by_lua_block", b"set_by_lua",
)  # fmt: skip
_CAPTURE = re.compile(rb"\(\?P?<(\w+)>")
_PREFIXES = (
    b"http_", b"sent_http_", b"sent_trailer_", b"upstream_", b"arg_", b"cookie_", b"ssl_", b"geoip",
    b"realip_", b"proxy_protocol_", b"tcpinfo_", b"secure_link", b"jwt_", b"session_log_",
)  # fmt: skip
"""Families of variables: nginx defines those of a request by any name, and other modules theirs."""
_OTHERS = frozenset(
    (
        b"binary_remote_addr", b"body_bytes_sent", b"bytes_sent", b"connection", b"connection_requests",
        b"connection_time", b"date_gmt", b"date_local", b"gzip_ratio", b"hostname", b"msec", b"pid",
        b"realpath_root", b"remote_port", b"request_body", b"request_body_file", b"request_completion",
        b"request_id", b"request_length", b"request_time", b"slice_range", b"status", b"time_iso8601",
        b"time_local", b"uid_got", b"uid_reset", b"uid_set", b"modern_browser", b"ancient_browser", b"msie",
        b"proxy_internal_body_length", b"proxy_internal_chunked", b"proxy_internal_host",
    )
)  # fmt: skip
"""Variables of nginx that say nothing of a route (nginx.org/en/docs/varindex.html)."""
_USING = (
    b"proxy_set_header", b"add_header", b"proxy_pass", b"return", b"fastcgi_param", b"proxy_redirect",
    b"proxy_cookie_path", b"limit_req_zone", b"limit_conn_zone",
)  # fmt: skip
"""Directives every argument of which may hold variables."""
_NEAR = 0.8
"""How alike names are of which one is the other misspelt."""


def defined(configuration: Configuration) -> Set[bytes]:
    """Names of the variables that the files themselves define, without their ``$``."""
    names: Set[bytes] = set()
    for directive in configuration.walk():
        if directive.name in _BY_LAST and directive.args:
            names.add(directive.args[-1][1:])
        elif directive.name in _BY_FIRST and directive.args:
            names.add(directive.args[0][1:])
        for word in (directive.name, *directive.args):
            names.update(_CAPTURE.findall(word))
    return names


def alike(word: str, known: Sequence[str], most: int = 1) -> List[str]:
    """Of the known words those of which this one may be a misspelling, the nearest first; so many at most."""
    return difflib.get_close_matches(word, known, most, _NEAR)


def meant(configuration: Configuration, name: bytes) -> bytes:
    """The one variable whose name is nearly that of one which nothing defines; ``b""`` for none or several.

    Args:
        configuration: the files.
        name: without its ``$``.
    """
    known = [one.decode("latin-1") for one in defined(configuration) | set(BUILT_IN)]
    near = alike(name.decode("latin-1"), known, 2)
    return near[0].encode("latin-1") if len(near) == 1 else b""


def misspelt(configuration: Configuration) -> Iterator[Tuple[bytes, bytes, Directive]]:
    """Variables that nothing defines and whose names are nearly that of one which is there.

    Returns:
        The name as it stands, the one that is meant, and the directive; other unknown names may be those of
        modules that nobody here knows.
    """
    known = defined(configuration)
    for directive in configuration.walk():
        words = directive.args if directive.name in _USING else ()
        if directive.name == b"set" or (directive.name == b"map" and directive.block is not None):
            words = directive.args[1:2] if directive.name == b"set" else directive.args[:1]
        for name in (name for word in words for name in variable_names(word)):
            if name in known or name in BUILT_IN or name in _OTHERS or name.startswith(_PREFIXES):
                continue
            right = b"" if name.isdigit() else meant(configuration, name)
            if right:
                yield name, right, directive


def uses(configuration: Configuration, name: bytes) -> Iterator[Tuple[Directive, int]]:
    """Every word that uses a variable: its directive, and which argument it is."""
    for directive in configuration.walk():
        for index, word in enumerate(directive.args):
            if name in variable_names(word):
                yield directive, index


def respelt(configuration: Configuration, name: bytes, right: bytes) -> List[Edit]:
    """The right name wherever the other one stands; not a byte more.

    Args:
        configuration: the files.
        name: that nothing defines, without its ``$``.
        right: the name that is meant.
    """
    wrong = re.compile(rb"(?<=\$)%b(?!\w)|(?<=\$\{)%b(?=\})" % (re.escape(name), re.escape(name)))
    edits = {}
    for directive, _ in uses(configuration, name):
        source = directive.source
        end = directive.end if directive.block is None else directive.body
        for found in wrong.finditer(source.data, directive.start, end):
            edits[source.name, found.start()] = Edit(source, found.start(), found.end(), right)
    return list(edits.values())
