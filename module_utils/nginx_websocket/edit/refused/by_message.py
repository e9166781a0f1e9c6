"""Cures for a file that nginx refuses, from its own message: one word, one line, nothing of a guard.

The words are nginx's: ngx_conf_handler, ngx_conf_set_msec_slot, ngx_http_core_location, ngx_http_add_listen,
ngx_http_upstream, ngx_hash_init, ngx_http_rewrite_if_condition, ngx_http_log_set_log.  Whether nginx takes
the file then, ``nginx -t`` says.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterator, List, Match, Optional, Sequence, Tuple

from ...behaviour.route import Route
from ...conf import splice
from ...conf.splice import Edit
from ...conf.tree import Configuration, Directive, place_of
from ..fault import Edits, Fault, text_of, together
from ..spelling import alike
from ..style import CONNECTION
from .directives import DIRECTIVES

_TIME = re.compile(r"(\d+)\s*(ms|[smhd])[a-z]*$", re.I)
_SOCKET_OPTION = re.compile(
    rb"(?:reuseport|deferred|bind|(?:backlog|rcvbuf|sndbuf|ipv6only|so_keepalive|fastopen|accept_filter|"
    rb"setfib)=.*)$"
)
_PARAMETERS = {
    b"listen": "ssl http2 quic default_server proxy_protocol reuseport deferred bind backlog= ipv6only= "
    "so_keepalive= fastopen=",
    b"server": "weight= max_fails= fail_timeout= max_conns= slow_start= backup down resolve",
}
_IMPORTS = (b"js_import", b"js_path", b"perl_modules", b"perl_require")
_GUARDS = re.compile(
    rb"allow|deny|auth_|satisfy|limit_|ssl_verify|ssl_client|secure_link|valid_referers|internal|if"
)


def by_message(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """What nginx's message asks for.

    Args:
        configuration: that nginx refuses.
        route: of the handshake through it.
        fault: with the message.
    """
    _, file, line = place_of(fault.message)
    named = [item for item in configuration.walk() if _covers(item, file, line)] if file else []
    for pattern, make in _MESSAGES:
        match = re.search(pattern, fault.message)
        if match is not None:
            yield from make(configuration, match, named)


def _covers(directive: Directive, file: str, line: int) -> bool:
    """Whether a directive (of a block its head) stands on a line."""
    end = directive.end if directive.block is None else directive.body
    last = directive.line + directive.source.data.count(b"\n", directive.start, end)
    return directive.file == file and directive.line <= line <= last


def _rewritten(line: Directive, words: Sequence[bytes]) -> Edits:
    return [Edit(line.source, line.start, line.end, splice.statement(line.name, words))]


def _near(word: str, known: Sequence[str]) -> str:
    """The one known word that is nearly this one; empty for none."""
    return next(iter(alike(word, known)), "")


# ---------------------------------------------------------------------------------- names of directives


def _unknown_directive(
    configuration: Configuration, match: Match[str], named: List[Directive]
) -> Iterator[Edits]:
    """A name that is nearly a directive's, one of another version, or an import that nothing uses."""
    name = match.group(1).encode()
    lines = [item for item in configuration.walk() if item.name == name]
    if name in (b"http2", b"ssl"):
        yield _to_listen(lines, name)
    if name in _IMPORTS:
        family = name.partition(b"_")[0]
        used = [item for item in configuration.walk() if item.name.partition(b"_")[0] == family]
        if all(item.name in _IMPORTS for item in used):
            yield [splice.delete(item) for item in used]
    if name in (b"http3", b"http3_hq", b"quic_retry", b"quic_gso"):
        yield [splice.delete(item) for item in lines]
    right = _near(match.group(1), DIRECTIVES)
    if right:
        yield [
            Edit(item.source, item.start, item.start + len(name), right.encode())
            for item in lines
            if item.source.data[item.start : item.start + len(name)] == name
        ]


def _to_listen(lines: Sequence[Directive], word: bytes) -> Edits:
    """``http2 on`` (since 1.25.1) and ``ssl on`` (before it) as a word of the same server's ``listen``."""
    edits: Edits = []
    for line in lines:
        edits.append(splice.delete(line))
        block = line.parent.block if line.parent is not None else None
        for listen in block or () if line.args == (b"on",) else ():
            plain = listen.name == b"listen" and word not in listen.args and listen.source is line.source
            if plain and (word == b"ssl" or b"ssl" in listen.args):
                edits += _rewritten(listen, [*listen.args, word])
    return edits


# ------------------------------------------------------------------------------------ words of a line


def _count(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """Without a sign that nginx does not know; several words as one; a number and its unit together."""
    for line in named:
        if line.name == match.group(1).encode() == b"map" and len(line.args) == 1:
            yield _second_variable(line)
        if line.block is not None or line.name != match.group(1).encode():
            continue
        kept = [word for word in line.args if word not in (b"=", b":", b"=>", b"->")]
        if kept != list(line.args):
            yield _rewritten(line, kept)
        if line.name in (b"proxy_set_header", b"add_header") and len(line.args) > 2:
            yield _rewritten(line, [line.args[0], b" ".join(line.args[1:])])
        yield _time(line, b" ".join(line.args))


def _second_variable(line: Directive) -> Edits:
    """The other variable of the map that sockets need, where a map names one alone."""
    one = line.args[0]
    if not re.match(rb"\$\w*(?:upgrade|connection)\w*$", one):
        return []
    pair = (one, b"$connection_upgrade") if one.startswith(b"$http_") else (b"$http_upgrade", one)
    end = line.source.data.rindex(b"{", line.start, line.body)
    return [Edit(line.source, line.start, end, b"map %b %b " % pair)]


def _time(line: Directive, value: bytes) -> Edits:
    """A time as nginx writes it, for ``60 s``, ``1hour`` or ``30sec``; nothing where it is none."""
    found = _TIME.match(value.decode("latin-1"))
    if found is None:
        return []
    return _rewritten(line, [(found.group(1) + found.group(2).lower()).encode()])


def _value(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """A time with a unit in words, or yes and no for on and off."""
    for line in named:
        if line.block is None and line.name == match.group(1).encode() and len(line.args) == 1:
            yield _time(line, line.args[0])


def _variable(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """One dollar where a template left two; everywhere, since nginx names the first place alone."""
    yield [
        splice.set_argument(line, index, arg.replace(b"$$", b"$"))
        for line in configuration.walk()
        for index, arg in enumerate(line.args if line.block is None else ())
        if re.search(rb"\$\$[\w{]", arg)
    ]


def _switch(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    right = {"true": b"on", "yes": b"on", "1": b"on", "false": b"off", "no": b"off", "0": b"off"}
    for line in named:
        word = right.get(match.group(1).lower())
        if word and line.name == match.group(2).encode() and len(line.args) == 1:
            yield _rewritten(line, [word])


def _parameter(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """The parameter of a listen or of a backend whose name is nearly the one that is written."""
    word = match.group(1)
    for line in named:
        for index, arg in enumerate(line.args if line.name in _PARAMETERS else ()):
            if arg.decode("latin-1") != word or not index:
                continue
            key, sign, value = word.partition("=")
            right = _near(key + sign, _PARAMETERS[line.name].split())
            if right:
                yield [splice.set_argument(line, index, (right + value).encode("latin-1"))]


def _unsupported(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """Without the parameter that the way of sharing does not know."""
    word = match.group(1).encode()
    for line in named:
        kept = [arg for arg in line.args if arg.partition(b"=")[0] != word]
        if line.name == b"server" and line.block is None and kept != list(line.args):
            yield _rewritten(line, kept)


def _options(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """Options of a socket stand at one listen of an address: not at this one, too."""
    for line in named:
        kept = [word for word in line.args if not _SOCKET_OPTION.match(word)]
        if line.name == b"listen" and kept and kept != list(line.args):
            yield _rewritten(line, kept)


def _address(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """A server of an upstream as no more than its address, a scheme once; the path of a unix socket with the
    word before it by which nginx knows one.
    """
    for line in named:
        if line.name == b"server" and line.block is None and line.args:
            bare = re.match(rb"(?:\w+://)?([\w.-]+(?::\d+)?)(?:/.*)?$", line.args[0])
            if bare is not None and (b":" in line.args[0]):
                yield [splice.set_argument(line, 0, bare.group(1))]
            elif b"/" in line.args[0]:
                yield [splice.set_argument(line, 0, b"unix:" + line.args[0])]
        twice = re.match(rb"https?://(?:(https?)|wss?)(://\S+)$", line.args[0]) if line.args else None
        if line.name == b"proxy_pass" and twice is not None:
            yield [splice.set_argument(line, 0, (twice.group(1) or b"http") + twice.group(2))]
        path = re.match(rb"(https?://)(?:/?unix/?|(?=/))(/\S+)$", line.args[0]) if line.args else None
        if line.name == b"proxy_pass" and path is not None:
            yield [splice.set_argument(line, 0, path.group(1) + b"unix:" + path.group(2))]


def _out_of_if(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """The lines of an upgrade, which nginx takes in no ``if``, in the location around it.

    Only where the condition holds nothing else: its other lines keep their meaning in it alone.
    """
    for block in {line.parent for line in named if line.name == b"proxy_set_header"}:
        around = block.parent if block is not None and block.name == b"if" else None
        lines = list(block.block or ()) if block is not None else []
        names = [line.args[0].lower() for line in lines if line.name == b"proxy_set_header" and line.args]
        if block is None or around is None or around.name != b"location":
            continue
        if len(names) == len(lines) and set(names) <= {b"upgrade", b"connection"}:
            text = together([_hop_line(line) for line in lines], block)
            yield [Edit(block.source, block.start, block.end, text)]


def _hop_line(line: Directive) -> str:
    """The line for Connection as a map may take its place, every other as it stands."""
    if [word.lower() for word in line.args] == [b"connection", b"upgrade"]:
        return CONNECTION
    return text_of(line.source.data[line.start : line.end])


def _log_format(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """An access log in the format that is always there."""
    word = match.group(1).encode()
    for line in configuration.walk():
        if line.name == b"access_log" and word in line.args[1:]:
            yield _rewritten(line, [b"combined" if arg == word else arg for arg in line.args])


def _condition(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """Spaces around the sign of a condition, and one = in place of two."""
    for block in named:
        if block.name != b"if" or block.block is None:
            continue
        data = block.source.data
        end = data.rindex(b"{", block.start, block.body)
        head = data[block.start : end]
        found = re.match(rb"if\s*\(\s*(\$\w+)\s*(!=|!~\*?|==?|~\*?)\s*(.*?)\s*\)\s*$", head, re.DOTALL)
        if found is not None:
            sign = b"=" if found.group(2) == b"==" else found.group(2)
            text = b"if (%b %b %b) " % (found.group(1), sign, found.group(3))
            yield [Edit(block.source, block.start, end, text)]


# --------------------------------------------------------------------------------------- what is twice


def same(one: Directive, other: Directive) -> bool:
    """Whether two directives say the same, word for word."""
    if (one.name, one.args) != (other.name, other.args) or (one.block is None) != (other.block is None):
        return False
    left, right = list(one.block or ()), list(other.block or ())
    return len(left) == len(right) and all(same(*pair) for pair in zip(left, right))


def _twice(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """Once, what nginx read twice: a file by two includes, or a block that says the same word for word."""
    read: Dict[Optional[Directive], List[str]] = {}
    for include in configuration.includes:
        here = read.setdefault(include.directive.parent, [])
        if include.files and all(name in here for name in include.files):
            yield [splice.delete(include.directive)]
        here += include.files
    for block in named:
        twins = [
            item
            for item in (block.parent.block if block.parent is not None else configuration.root) or ()
            if item is not block and item.name == block.name and same(item, block)
        ]
        if block.block is not None and block.name in (b"location", b"upstream", b"map") and twins:
            yield [splice.delete(block)]


def _duplicate(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """One of two lines for one thing: the later one goes, or the earlier one; no guard of them."""
    name = match.group(1).encode()
    for line in named:
        block = line.parent.block if line.parent is not None else None
        lines = [item for item in block or () if item.name == name and item.block is None]
        if line.name == name and not _GUARDS.match(name) and len(lines) == 2:
            yield [splice.delete(lines[1])]
            yield [splice.delete(lines[0])]


# ------------------------------------------------------------------------------------- tables and zones


def _table(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """A larger table of names, as nginx asks for."""
    http = next((item for item in configuration.root if item.name == b"http"), None)
    name, now = match.group(1).encode(), int(match.group(2))
    if http is None:
        return
    for size in (now * 2, now * 4, now * 8):
        text = splice.statement(name, [str(size).encode()])
        lines = [item for item in http.block or () if item.name == name]
        if lines:
            yield [Edit(line.source, line.start, line.end, text) for line in lines]
        else:
            yield [splice.insert_inside(http, text)]


def _zone(configuration: Configuration, match: Match[str], named: List[Directive]) -> Iterator[Edits]:
    """The zone whose name is nearly the one that nobody defines."""
    defined = [
        word.split(b"=")[1].split(b":")[0].decode("latin-1")
        for item in configuration.walk()
        for word in item.args
        if re.match(rb"(?:keys_)?zone=\w+:", word)
    ]
    wrong = match.group(1)
    right = _near(wrong, defined)
    edits = []
    for item in configuration.walk() if right else ():
        for index, word in enumerate(item.args):
            if item.name == b"proxy_cache" and word == wrong.encode():
                edits.append(splice.set_argument(item, index, right.encode("latin-1")))
            elif item.name.startswith(b"limit_") and word == b"zone=" + wrong.encode():
                edits.append(splice.set_argument(item, index, b"zone=" + right.encode("latin-1")))
            elif item.name == b"limit_conn" and not index and word == wrong.encode():
                edits.append(splice.set_argument(item, index, right.encode("latin-1")))
    yield edits


_Make = Callable[[Configuration, Match[str], List[Directive]], Iterator[Edits]]
_MESSAGES: Sequence[Tuple[str, _Make]] = (
    (r'unknown directive "(\w+)"', _unknown_directive),
    (r'invalid number of arguments in "(\w+)" directive', _count),
    (r'"(\w+)" directive invalid value', _value),
    (r'invalid value "(\w+)" in "(\w+)" directive, it must be "on" or "off"', _switch),
    (r'invalid parameter "([^"]+)"', _parameter),
    (r'balancing method does not support parameter "(\w+)"', _unsupported),
    (r"duplicate listen options", _options),
    (r"invalid variable name", _variable),
    (r"(?:invalid|no) (?:host|port) in upstream", _address),
    (r'"proxy_set_header" directive is not allowed here', _out_of_if),
    (r'unknown log format "(\w+)"', _log_format),
    (r"(?:invalid condition|unexpected .* in condition)", _condition),
    (r"duplicate (?:location|upstream|zone)|is already bound|conflicting|is duplicate", _twice),
    (r'"(\w+)" directive is duplicate', _duplicate),
    (r"could not build (?:the )?\w+, you should increase .*?(\w+_bucket_size): (\d+)", _table),
    (r'zero size shared memory zone "(\w+)"', _zone),
)
