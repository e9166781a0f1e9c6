"""Which words of a configuration are secrets, told by the directive that they stand in."""

from __future__ import annotations

import dataclasses
import re
from typing import Dict, FrozenSet, Iterator, List, Optional, Pattern, Sequence, Tuple

from ..conf.tree import Configuration, Directive
from ..exchange.masking import MASK, header_secrets, token_like
from .variables import has_variables

HEADER_DIRECTIVES = (
    "proxy_set_header",
    "add_header",
    "add_trailer",
    "auth_http_header",
    "grpc_set_header",
    "fastcgi_param",
    "uwsgi_param",
    "scgi_param",
    "more_set_headers",
    "more_set_input_headers",
)
"""A name and a value: whether it is a secret is told by the name."""

WHOLE_DIRECTIVES = ("secure_link_secret", "secure_link_md5", "auth_jwt_key")
"""Every literal word is a secret."""

_SURE_NAME = r"token|secret|passw|pwd|api_?key|credential|jwt|bearer|apikey"
SECRET_VARIABLE = rf"\w*(?:{_SURE_NAME}|key|auth|private|ticket|signature|session|cookie)\w*"
"""Names of variables that speak of a secret."""

_SURE = re.compile(rf"(?i){_SURE_NAME}")
_VARIABLE = re.compile(rf"(?i)^\$\{{?{SECRET_VARIABLE}\}}?$")
_PLACE = re.compile(r"^(?:[a-z]+://[^@]*|/.*|[\w.-]+:\d+|[\d.]+|\[[0-9a-f:]+\](?::\d+)?|[\w.-]+\.[a-z]{2,})$")
_USERINFO = re.compile(rb"[a-z]+://([^/\s\"'@]+)@")
_HARMLESS: FrozenSet[str] = frozenset(
    (
        *("0", "1", "on", "off", "yes", "no", "true", "false", "none", "default", "required", "optional"),
        *("upgrade", "close", "keep-alive", "websocket", "http", "https", "basic", "bearer", "digest"),
        *("token", "session", "allowed", "denied", "invalid", "missing"),
    )
)
_SHORTEST, _LONG_ENOUGH = 4, 8

_WITH_URLS = frozenset((b"rewrite", b"return", b"auth_request", b"error_page", b"try_files", b"mirror"))
"""Directives besides those that pass a request on whose arguments are URLs, or paths with a query."""
_QUERY = re.compile(r"[?&;]([^=&;#\s$]+)=([^&;#\s$]+)")

Span = Tuple[int, int]


@dataclasses.dataclass
class SecretValues:
    """What must not be shown of a configuration: where it stands, and the words themselves."""

    spans: Dict[str, List[Span]] = dataclasses.field(default_factory=dict)
    """Bytes of each file, the quotes left out."""
    words: List[str] = dataclasses.field(default_factory=list)

    def lines(self, file: str, data: bytes) -> List[str]:
        """The lines of a file with the secrets masked; as many as the file has."""
        shown, end = b"", 0
        for start, stop in sorted(set(self.spans.get(file, ()))):
            if start < end:
                continue
            # A value may go over several lines; those that follow keep their numbers.
            shown += data[end:start] + MASK.encode() + b"\n" * data.count(b"\n", start, stop)
            end = stop
        return (shown + data[end:]).decode("utf-8", "replace").split("\n")

    def hidden_in_lines(self, text: str) -> str:
        """Lines of the configuration, in another order than in the file, without its secrets."""
        pattern = _pattern(self.words)
        return text if pattern is None else pattern.sub(MASK, text)

    def hide(self, data: object) -> object:
        """A copy of plain data without the secrets in its strings; short ones could be anything and stay."""
        pattern = _pattern([word for word in self.words if len(word) >= _LONG_ENOUGH])
        return _hide(data, pattern) if pattern is not None else data


def _of_url(text: str) -> Iterator[str]:
    """The secret words of a URL, or of a path with a query: values of such names, and what looks random."""
    for name, value in _QUERY.findall(text):
        if token_like(value) or header_secrets([(name, value)]):
            yield value
    path = text.partition("?")[0]
    yield from (part for part in path.split("/") if "$" not in part and "\\" not in part and token_like(part))


def _hide(data: object, pattern: Pattern[str]) -> object:
    if isinstance(data, str):
        return pattern.sub(MASK, data)
    if isinstance(data, dict):
        return {key: _hide(value, pattern) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_hide(value, pattern) for value in data]
    return data


def _pattern(words: Sequence[str]) -> Optional[Pattern[str]]:
    if not words:
        return None
    longest_first = sorted(set(words), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")


def secret_values(configuration: Configuration, known: str = "") -> SecretValues:
    """Every secret that stands in a configuration.

    Args:
        configuration: to be searched.
        known: text that is shown anyway, such as the URL: its words are no secrets.
    """
    found = SecretValues()
    words: List[str] = []
    for directive in configuration.walk():
        for start, stop in _spans(directive):
            found.spans.setdefault(directive.file, []).append((start, stop))
            words += _words(directive, start, stop)
        for argument in directive.args:
            if b"@" in argument:
                words += [_text(match) for match in _USERINFO.findall(argument)]
        if directive.name.endswith(b"_pass") or directive.name in _WITH_URLS:
            words += [word for argument in directive.args for word in _of_url(_text(argument))]
    # The name of a group of servers is needed to understand anything, and known by its own block.
    groups = {_text(item.args[0]) for item in configuration.walk() if item.name == b"upstream" and item.args}
    found.words = [
        word
        for word in dict.fromkeys(words)
        if len(word) >= _SHORTEST
        and word.lower() not in _HARMLESS
        and word not in known
        and word not in groups
    ]
    return found


def head(directive: Directive) -> str:
    """The words of a directive without its secrets, as evidence shows them; a condition keeps its quotes."""
    condition = directive.name == b"if"
    spans = sorted(_spans(directive)) if directive.block is None or condition else []
    if not spans and not condition:
        return b" ".join((directive.name, *directive.args)).decode("utf-8", "backslashreplace")
    data, tokens = directive.source.data, _tokens(directive)
    last = tokens[-1][1]
    closing = data[last : last + 1]
    last += closing in (b'"', b"'")
    text, end = b"", tokens[0][0]
    for start, stop in spans:
        text, end = text + data[end:start] + MASK.encode(), stop
    return " ".join((text + data[end:last]).decode("utf-8", "backslashreplace").split())


def _words(directive: Directive, start: int, stop: int) -> List[str]:
    """The secret words of one value; a header's value has harmless ones too, such as "Bearer"."""
    value = _text(directive.source.data[start:stop])
    found = [value, value.replace('\\"', '"').replace("\\\\", "\\")]
    if directive.name.decode("latin-1") in HEADER_DIRECTIVES and directive.args:
        found += header_secrets([(_text(directive.args[0]).rstrip(":"), value)])
    return found


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _spans(directive: Directive) -> Iterator[Span]:
    name = directive.name.decode("latin-1")
    args = directive.args
    if name in HEADER_DIRECTIVES and args:
        yield from _header(directive)
    elif name in WHOLE_DIRECTIVES:
        yield from _literals(directive, 1, len(args) + 1)
    elif name == "set" and len(args) == 2 and secret_value(args[0], args[1]):
        yield from _literals(directive, 2, 3)
    elif name == "env" and args and b"=" in args[0]:
        variable, _, value = args[0].partition(b"=")
        if secret_value(b"$" + variable, value):
            token = _tokens(directive)[1]
            start, stop = token
            yield directive.source.data.index(b"=", start, stop) + 1, stop
    elif name == "if" and len(args) > 1:
        yield from _condition(directive)
    elif name in ("map", "geo") and directive.block and args:
        yield from _mapping(directive)


def _tokens(directive: Directive) -> List[Span]:
    """Where the words of a directive stand, the name first, the quotes left out."""
    from ..conf.tokens import words  # only for the few that need it

    return [
        (token.start + 1, token.end - 1) if token.quoted else (token.start, token.end)
        for token in words(directive.source, directive.start)
    ]


def _literals(directive: Directive, first: int, last: int) -> Iterator[Span]:
    """The words of some arguments, and of those with variables what is none."""
    data = directive.source.data
    for start, stop in _tokens(directive)[first:last]:
        if b"$" not in data[start:stop]:
            if stop > start:
                yield start, stop
            continue
        for match in re.finditer(rb"[^\s$]+(?!\S)", data[start:stop]):
            before = data[start + match.start() - 1 : start + match.start()]
            literal = match.group()
            if not before.strip() and literal.lower() not in (b"basic", b"bearer", b"digest"):
                yield start + match.start(), start + match.end()


def _header(directive: Directive) -> Iterator[Span]:
    data, args = directive.source.data, directive.args
    if directive.name.startswith(b"more_set"):
        for start, stop in _tokens(directive)[1:]:
            header, colon, content = data[start:stop].partition(b":")
            if colon and header_secrets([(_text(header).strip(), _text(content).strip())]):
                yield start + len(header) + 1, stop
        return
    if len(args) < 2:
        return
    name, value = _text(args[0]), _text(args[1])
    # Whether a header is a secret is told by its name, or by a value that looks random.
    if header_secrets([(name, value)]):
        yield from _literals(directive, 2, 3)


def secret_value(variable: bytes, value: bytes) -> bool:
    """Whether what a variable is set to (or compared with) is a secret: by its name, or it looks random."""
    text = _text(value)
    if not text or text.lower() in _HARMLESS:
        return False
    if not has_variables(value) and "/" not in text and token_like(text):
        return True
    name = _text(variable)
    if not _VARIABLE.match(name):
        return False
    return bool(_SURE.search(name)) or not _PLACE.match(text)


def _condition(directive: Directive) -> Iterator[Span]:
    """``if ($http_x_api_key != "…")``: what a secret is compared with is one."""
    data, tokens = directive.source.data, _tokens(directive)[1:]
    shown = [data[start:stop] for start, stop in tokens]
    at = next((i for i, word in enumerate(shown) if word in (b"=", b"!=", b"~", b"~*", b"!~", b"!~*")), 0)
    if not 0 < at < len(tokens) - 1:
        return
    variable = shown[at - 1].lstrip(b"(")
    start, stop = tokens[at + 1]
    if at + 2 == len(tokens) and data[stop - 1 : stop] == b")":
        stop -= 1
    value = data[start:stop]
    if b"~" in shown[at]:
        # Of a regex only long literal words are anything that somebody could have to keep for himself.
        literals = [_text(word).lower() for word in re.findall(rb"(?<![\\\w])\w{6,}", value)]
        if _VARIABLE.match(_text(variable)) and not _HARMLESS.issuperset(literals):
            yield start, stop
    elif value and secret_value(variable, value):
        yield start, stop


def _mapping(directive: Directive) -> Iterator[Span]:
    """The keys or the values of a ``map`` whose variable speaks of a secret."""
    source, target = directive.args[0], directive.args[-1]
    for child in directive.block or ():
        if child.name not in (b"default", b"hostnames", b"volatile", b"include"):
            key = child.name
            literal = key.lstrip(b"~*^").rstrip(b"$")
            if len(directive.args) > 1 and secret_value(source, literal) and _VARIABLE.match(_text(source)):
                yield from _literals(child, 0, 1)
        if child.args and secret_value(target, child.args[0]):
            yield from _literals(child, 1, 2)
