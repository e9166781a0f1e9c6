"""Keep secrets out of what we print: tokens in paths, queries, headers and command lines.

The rule is cautious: what looks random is taken for a token.  A masked word too many costs a reader
a moment; a token too many in a log costs its owner the session.
"""

from __future__ import annotations

import math
import re
from typing import Iterable, List, Sequence, Tuple
from urllib.parse import unquote

MASK = "***"

HARMLESS_QUERY = frozenset(
    (
        "eio",
        "transport",
        "v",
        "version",
        "protocol",
        "format",
        "lang",
        "locale",
        "encoding",
        "page",
        "limit",
        "offset",
        "compress",
        "b64",
        "debug",
    )
)
"""Query names whose values say nothing secret (Socket.IO's handshake among them)."""

HARMLESS_VALUES = frozenset(
    (
        "web",
        "mobile",
        "desktop",
        "browser",
        "android",
        "ios",
        "tablet",
        "app",
        "public",
        "default",
        "all",
        "none",
        "any",
        "true",
        "false",
        "on",
        "off",
        "yes",
        "no",
        "json",
        "xml",
        "text",
        "binary",
        "websocket",
        "polling",
        "sse",
        "mqtt",
        "stomp",
        "graphql",
    )
)
"""Words that programs choose among: under a name that speaks of no secret none of them is one."""

_SECRET_NAME = re.compile(
    r"(?i)(token|secret|passw|pwd|api[-_]?key|apikey|auth|jwt|bearer|session|signature|credential|private|ticket"
    r"|access[-_]?key|cookie|csrf|xsrf|\bsig\b|\bkey\b)"
)
_SECRET_SEGMENT = re.compile(r"(?i)^(tokens?|secrets?|jwt|passwords?|api-?keys?|keys?|tickets?)$")
_JWT = re.compile(r"^eyJ[\w-]*\.[\w-]+(\.[\w-]*)?$")
_UUID = re.compile(r"(?i)^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$")
_RUN = re.compile(r"[A-Za-z0-9+/=]+")

OPEN_HEADERS = frozenset(("sec-websocket-key", "sec-websocket-accept", "sec-websocket-version"))
"""Headers of the handshake that are public and used once."""
_URL_HEADERS = frozenset(("location", "referer", "content-location", "refresh", "link"))
_USER_AGENTS = frozenset(("user-agent", "server", "date", "last-modified", "expires", "etag", "content-type"))


def token_like(word: str) -> bool:
    """Whether a word looks random enough to be a token, a session key or a JWT.

    True for JWTs, UUIDs, runs of 16 or more characters that mix letters and digits, and longer words
    with the entropy of random text.  Words that people write (``session-874q8t``, long slugs) are not.
    """
    word = unquote(word)
    if _JWT.match(word) or _UUID.match(word):
        return True
    for run in _RUN.findall(word):
        letters = sum(char.isalpha() for char in run)
        digits = sum(char.isdigit() for char in run)
        if len(run) >= 16 and digits >= 2 and letters >= 2:
            return True
        if len(run) >= 16 and not digits and _mixed_case(run) and _entropy(run) > 3.5:
            return True
        if len(run) >= 20 and not letters:
            return True
    letters = sum(char.isalpha() for char in word)
    digits = sum(char.isdigit() for char in word)
    return len(word) >= 24 and letters >= 4 and digits >= 4 and _entropy(word) > 3.7


def _mixed_case(run: str) -> bool:
    """Whether case changes as often as in random text; CamelCase words change less."""
    changes = sum(a.islower() != b.islower() for a, b in zip(run, run[1:]))
    return changes >= len(run) / 3


def _entropy(word: str) -> float:
    """Shannon entropy of the characters, in bits a character."""
    size = len(word)
    counts = (word.count(char) for char in set(word))
    return -sum(count / size * math.log2(count / size) for count in counts)


def _url_secrets(url: str) -> List[Tuple[int, int]]:
    """Spans of a URL (absolute, or a path with query) that hold secrets, in order."""
    spans: List[Tuple[int, int]] = []
    start = 0
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", url)
    if scheme:
        start = scheme.end()
        authority_end = min((i for i in (url.find(c, start) for c in "/?#") if i >= 0), default=len(url))
        at = url.rfind("@", start, authority_end)
        if at >= 0:
            spans.append((start, at))
        start = authority_end
    query_at = min((i for i in (url.find(c, start) for c in "?#") if i >= 0), default=len(url))
    previous = ""
    position = start
    for segment in url[start:query_at].split("/"):
        if segment and (token_like(segment) or _SECRET_SEGMENT.match(previous)):
            spans.append((position, position + len(segment)))
        previous = segment
        position += len(segment) + 1
    # A fragment is never sent, but implicit OAuth flows put tokens there: same rule.
    for match in re.finditer(r"[^?&;#]+", url[query_at:]):
        name, equals, value = match.group().partition("=")
        begin = query_at + match.start()
        if not equals:
            if token_like(name):
                spans.append((begin, begin + len(name)))
        elif value and not _harmless(name.lower(), value):
            spans.append((begin + len(name) + 1, begin + len(name) + 1 + len(value)))
    return spans


def _harmless(name: str, value: str) -> bool:
    """Whether a query's value may be shown."""
    if name in HARMLESS_QUERY:
        return len(value) <= 16 and not token_like(value)
    return value.lower() in HARMLESS_VALUES and not _SECRET_NAME.search(name)


def masked_url(url: str) -> str:
    """Hide secrets in a URL or request target.

    Args:
        url: absolute URL, or path with query.

    Returns:
        The same with user information, token-like path segments, segments after ``/token/`` and its
        kind, and query values (but for a few harmless names) replaced by ``***``.
    """
    for begin, end in reversed(_url_secrets(url)):
        url = url[:begin] + MASK + url[end:]
    return url


def url_secrets(url: str) -> List[str]:
    """The secret words of a URL, as written and decoded, for `without`."""
    words = [url[begin:end] for begin, end in _url_secrets(url)]
    return words + [unquote(word) for word in words if unquote(word) != word]


def _masked_value(name: str, value: str) -> str:
    """Mask one header's value by the header's kind."""
    lower = name.lower()
    if lower in OPEN_HEADERS or lower in _USER_AGENTS:
        return value
    if lower in ("authorization", "proxy-authorization"):
        scheme, space, rest = value.partition(" ")
        return scheme + space + MASK if rest else MASK
    if lower == "cookie":
        return "; ".join(part.strip().split("=", 1)[0] + "=" + MASK for part in value.split(";"))
    if lower == "set-cookie":
        first, semicolon, rest = value.partition(";")
        return first.split("=", 1)[0] + "=" + MASK + semicolon + rest
    if lower in _URL_HEADERS or (lower == "origin" and "://" in value):
        return masked_url(value)
    if lower == "sec-websocket-protocol":
        # Browsers cannot set Authorization, so tokens travel here.
        return ", ".join(MASK if token_like(part.strip()) else part.strip() for part in value.split(","))
    if _SECRET_NAME.search(name) and lower != "www-authenticate":
        return MASK
    return MASK if " " not in value and token_like(value) else value


def masked_headers(headers: Iterable[Tuple[str, str]]) -> List[Tuple[str, str]]:
    """Hide secrets in header values.

    Authorization keeps its scheme, cookies keep their names, Location and Referer are masked as URLs,
    Sec-WebSocket-Protocol loses token-like members; any header whose name speaks of a secret, or whose
    value looks like a token, is hidden.  Sec-WebSocket-Key stays: it is public and used once.
    """
    return [(name, _masked_value(name, value)) for name, value in headers]


def header_secrets(headers: Iterable[Tuple[str, str]]) -> List[str]:
    """The words that `masked_headers` hides, for `without`."""
    words: List[str] = []
    for name, value in headers:
        shown = _masked_value(name, value)
        if shown == value:
            continue
        words.append(value)
        words += [part for part in re.split(r"[\s,;=]+", value) if len(part) >= 4 and part not in shown]
    return words


def without(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret word in a text: error pages and messages repeat what they were sent."""
    for word in sorted(set(secrets), key=len, reverse=True):
        if len(word) >= 4:
            text = text.replace(word, MASK)
    return text


def masked_argv(argv: Sequence[str]) -> List[str]:
    """Hide secrets in a command line: values of secret options, NAME=value pairs, URLs, token-like words.

    ``--token abc``, ``--token=abc``, ``-e API_KEY=abc`` and ``redis://user:pass@host`` lose their secret.
    """
    shown: List[str] = []
    hide_next = False
    for word in argv:
        name, equals, value = word.partition("=")
        if hide_next and not word.startswith("-"):
            shown.append(MASK)
            hide_next = False
            continue
        hide_next = False
        if "://" in word:
            begin = word.find("=") + 1 if equals and word.find("=") < word.find("://") else 0
            shown.append(word[:begin] + masked_url(word[begin:]))
        elif equals and value and (_SECRET_NAME.search(name) or token_like(value)):
            shown.append(name + "=" + MASK)
        elif word.startswith("-") and not equals and _SECRET_NAME.search(word) and not _file_option(word):
            shown.append(word)
            hide_next = True
        elif "/" not in word and not word.startswith("-") and token_like(word):
            shown.append(MASK)
        else:
            shown.append(word)
    return shown


def _file_option(word: str) -> bool:
    """Whether an option names a file, whose path is evidence and no secret (--ssl-keyfile)."""
    return bool(re.search(r"(?i)(file|path|dir)$", word))
