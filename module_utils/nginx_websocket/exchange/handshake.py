"""The opening handshake (RFC 6455, section 4) as functions over bytes: build, parse, judge.

No I/O.  HTTP is read as it came: redirects are data here, and so are wrong answers.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import re
from typing import List, Optional, Sequence, Tuple

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD_LIMIT = 65536

Header = Tuple[str, str]
HeaderChange = Tuple[str, Optional[str]]

_TOKEN = re.compile(r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_STATUS_LINE = re.compile(rb"^HTTP/(\d\.\d) (\d{3})(?: ([^\r\n]*))?\r?\Z")
_TARGET = re.compile(r"^[!-~]+\Z")


class NotHttp(Exception):
    """What came is not an HTTP/1 response; the message says what it looks like."""


@dataclasses.dataclass
class Head:
    """Status line and headers of a response."""

    version: str
    """``1.0`` or ``1.1``."""
    status: int
    reason: str
    headers: List[Header]
    length: int = 0
    """Bytes that it had on the wire, its empty line included."""

    def all(self, name: str) -> List[str]:
        """Every value of a header, in order; names ignore case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        """The header's values joined by a comma; empty when it is absent."""
        return ", ".join(self.all(name))

    def tokens(self, name: str) -> List[str]:
        """The header's comma-separated members, lower-cased."""
        members = (member.strip().lower() for member in self.get(name).split(","))
        return [member for member in members if member]


def new_key() -> str:
    """A fresh ``Sec-WebSocket-Key``: 16 random bytes in base64 (RFC 6455, section 4.1)."""
    return base64.b64encode(os.urandom(16)).decode("ascii")


def accept_for(key: str) -> str:
    """The ``Sec-WebSocket-Accept`` that proves the server read this key (RFC 6455, section 4.2.2)."""
    digest = hashlib.sha1((key + GUID).encode("latin-1")).digest()  # nosec B324 # RFC 6455, 4.2.2: no secret
    return base64.b64encode(digest).decode("ascii")


USER_AGENT = "Mozilla/5.0 (compatible; nginx-websocket-probe)"
"""As browsers begin, for sites that refuse whoever does not; and who it really is."""


def request_headers(
    host: str,
    *,
    key: str = "",
    origin: Optional[str] = None,
    subprotocols: Sequence[str] = (),
    changes: Sequence[HeaderChange] = (),
) -> List[Header]:
    """The headers of an opening handshake, or of a plain request when ``key`` is empty.

    Args:
        host: value of ``Host``, with the port unless it is the scheme's own.
        key: ``Sec-WebSocket-Key``; empty for a plain HTTP request.
        origin: value of ``Origin``, None to send none (browsers always send one).
        subprotocols: offered application protocols, best first.
        changes: headers to add; one with the name of a default replaces it in its place, and the
            value None leaves that default out.

    Returns:
        Name and value pairs in the order of the wire.

    Raises:
        ValueError: a name is not an HTTP token, or a value holds a control character.
    """
    headers: List[Header] = [("Host", host), ("User-Agent", USER_AGENT)]
    if key:
        headers += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
        if origin is not None:
            headers.append(("Origin", origin))
        headers += [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key)]
        for protocol in subprotocols:
            if not _TOKEN.match(protocol):
                raise ValueError(f"subprotocol {protocol!r} is not an HTTP token")
        if subprotocols:
            headers.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    else:
        headers += [("Accept", "*/*"), ("Connection", "close")]
        if origin is not None:
            headers.append(("Origin", origin))
    changed = {name.lower() for name, _ in changes}
    replaced: List[Header] = []
    placed = set()
    for name, value in headers:
        if name.lower() not in changed:
            replaced.append((name, value))
        elif name.lower() not in placed:
            placed.add(name.lower())
            replaced += [(n, v) for n, v in changes if n.lower() == name.lower() and v is not None]
    replaced += [(n, v) for n, v in changes if n.lower() not in placed and v is not None]
    for name, value in replaced:
        if not _TOKEN.match(name):
            raise ValueError(f"header name {name!r} is not an HTTP token")
        if any((ord(char) < 32 and char != "\t") or ord(char) == 127 for char in value):
            raise ValueError(f"the value of header {name} holds a control character")
    return replaced


def build_request(target: str, headers: Sequence[Header], *, method: str = "GET") -> bytes:
    """Build the request's bytes.

    Args:
        target: path and query, already percent-encoded; it is sent byte for byte, so that what the
            server must normalise (``//``, ``..``, ``%2F``) reaches it.
        headers: from `request_headers`.
        method: HTTP method.

    Raises:
        ValueError: the target holds a space, a control character or a non-ASCII one.
    """
    if not _TARGET.match(target):
        raise ValueError("the request target may hold printable ASCII only; percent-encode the rest")
    lines = [f"{method} {target} HTTP/1.1"] + ["{}: {}".format(*header) for header in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def split_head(data: bytes) -> Optional[Tuple[bytes, bytes]]:
    """Split received bytes into head and the rest.

    Returns:
        Head (without its empty line) and what follows, or None while the head is incomplete.

    Raises:
        NotHttp: the bytes cannot become an HTTP/1 response, or its head is over 64 KiB.
    """
    start = b"HTTP/1."
    if data[: len(start)] != start[: len(data)]:
        raise NotHttp(looks_like(data))
    match = re.search(rb"\r?\n\r?\n", data)
    if match:
        return data[: match.start()], data[match.end() :]
    if len(data) > HEAD_LIMIT:
        raise NotHttp(f"response head of more than {HEAD_LIMIT} bytes")
    return None


def parse_head(head: bytes) -> Head:
    """Parse a response head.

    Args:
        head: from `split_head`.

    Raises:
        NotHttp: the status line is malformed.
    """
    lines = head.split(b"\n")
    match = _STATUS_LINE.match(lines[0])
    if not match:
        raise NotHttp("malformed status line " + escaped(lines[0][:100]))
    headers: List[Header] = []
    for raw in lines[1:]:
        line = raw.rstrip(b"\r").decode("latin-1")
        if line[:1] in (" ", "\t") and headers:
            headers[-1] = (headers[-1][0], headers[-1][1] + " " + line.strip(" \t"))
            continue
        name, _, value = line.partition(":")
        headers.append((name.strip(" \t"), value.strip(" \t")))
    return Head(
        version=match.group(1).decode("ascii"),
        status=int(match.group(2)),
        reason=(match.group(3) or b"").decode("latin-1"),
        headers=headers,
        length=len(head) + len(b"\r\n\r\n"),
    )


def handshake_fault(head: Head, key: str, subprotocols: Sequence[str] = ()) -> str:
    """Say why a 101 does not open a WebSocket; empty when it does.

    The rules are those of RFC 6455, section 4.1 (what the client must check), and of browsers where
    they are stricter: a client that offered subprotocols needs one back (WHATWG WebSockets, section 4).

    Args:
        head: the parsed response, status 101.
        key: the key that was sent.
        subprotocols: those that were offered.
    """
    if head.version != "1.1":
        return f"101 over HTTP/{head.version}: an upgrade needs HTTP/1.1"
    upgrades = head.all("Upgrade")
    if [value.lower() for value in upgrades] != ["websocket"]:
        if "websocket" not in head.tokens("Upgrade"):
            return "101 without 'Upgrade: websocket' (got {!r})".format(head.get("Upgrade"))
        return "101 with more than 'Upgrade: websocket' (got {!r})".format(", ".join(upgrades))
    if "upgrade" not in head.tokens("Connection"):
        return "101 without 'Connection: Upgrade' (got {!r})".format(head.get("Connection"))
    accepts = head.all("Sec-WebSocket-Accept")
    if not accepts:
        return "101 without Sec-WebSocket-Accept: whoever answered did not read the handshake"
    if accepts != [accept_for(key)]:
        return "Sec-WebSocket-Accept does not fit the key: whoever answered did not read this handshake"
    if head.get("Sec-WebSocket-Extensions"):
        return "server uses an extension that was not offered: {}".format(
            head.get("Sec-WebSocket-Extensions")
        )
    chosen = head.all("Sec-WebSocket-Protocol")
    if not chosen and subprotocols:
        return "none of the offered subprotocols ({}) was accepted; browsers then fail the connection".format(
            ", ".join(subprotocols)
        )
    if len(chosen) > 1 or (chosen and chosen[0] not in subprotocols):
        return "server chose the subprotocol {!r}, which was not offered".format(", ".join(chosen))
    return ""


def looks_like(data: bytes) -> str:
    """Say what bytes that are not HTTP/1 look like."""
    if not data:
        return "nothing"
    if data[:1] in (b"\x15", b"\x16") and data[1:2] == b"\x03":
        return "a TLS record: this port speaks TLS, and was asked in plain text"
    if len(data) >= 9 and data[3:4] == b"\x04" and data[5:9] == b"\x00\x00\x00\x00":
        return "an HTTP/2 SETTINGS frame: this port speaks HTTP/2 only to whoever asks without ALPN"
    if data.startswith(b"SSH-"):
        return "an SSH banner: " + escaped(data.split(b"\n")[0][:60])
    if data[:4] in (b"HTTP", b"ICY "):
        return "an unknown kind of HTTP: " + escaped(data[:60])
    return escaped(data[:60])


def escaped(data: bytes, limit: int = 2048) -> str:
    r"""Printable form of untrusted bytes: control characters become ``\x1b`` and the like, ``\n`` stays.

    Nothing that comes from a server can then steer the terminal that prints it.
    """
    text = data[:limit].decode("utf-8", "backslashreplace")
    return "".join(
        char if char in "\n\t" or char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text.replace("\r\n", "\n")
    )
