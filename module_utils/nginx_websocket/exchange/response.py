"""One HTTP/1 response, read from bytes as they come (RFC 9112).  No I/O."""

from __future__ import annotations

from typing import List, Optional, Tuple

from .handshake import HEAD_LIMIT, Head, escaped, looks_like, parse_head, split_head

NO_BODY = (101, 204, 304)
_WRAPPED = 8
"""Bytes for one of the body: a chunk of one has five more; the rest of a chunk's line may have no end."""


class Response:
    """Takes bytes, gives the final head and the beginning of the body.

    Interim responses (1xx but 101) are skipped.  A 101 ends the response: what follows is of the other
    protocol.
    """

    def __init__(self, method: str = "GET", limit: int = 2048) -> None:
        """Nothing has come yet.

        Args:
            method: of the request; the answer to HEAD has no body.
            limit: bytes of the body that are wanted.
        """
        self.head: Optional[Head] = None
        self.method = method
        self.limit = limit
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Take what came next.

        Raises:
            NotHttp: it cannot become an HTTP/1 response.
        """
        self._data += data
        while self.head is None and self._data:
            split = split_head(self._data)
            if split is None:
                return
            head, self._data = parse_head(split[0]), split[1]
            if head.status == 101 or head.status >= 200:
                self.head = head

    @property
    def rest(self) -> bytes:
        """What came behind the head, as it came: the first bytes of the other protocol after a 101."""
        return self._data if self.head is not None else b""

    @property
    def body(self) -> bytes:
        """The body as far as it came, at most ``limit`` bytes, its chunked coding undone."""
        return self._read()[0]

    @property
    def complete(self) -> bool:
        """Whether no more bytes are wanted: the body ended, or as much of it as was asked for is there."""
        return self._read()[1]

    def _read(self) -> Tuple[bytes, bool]:
        if self.head is None:
            return b"", False
        if self.head.status in NO_BODY or self.method == "HEAD":
            return b"", True
        if "chunked" in self.head.tokens("Transfer-Encoding"):
            body, ended = dechunked(self._data)
            enough = len(body) >= self.limit or len(self._data) > _WRAPPED * self.limit + HEAD_LIMIT
            return body[: self.limit], ended or enough
        length = self.head.get("Content-Length")
        wanted = min(self.limit, int(length)) if length.isdigit() else self.limit
        return self._data[:wanted], len(self._data) >= wanted

    def unfinished(self) -> str:
        """Words for what came in place of a whole head; empty when nothing did."""
        if self.head is not None or not self._data:
            return ""
        return f"{len(self._data)} bytes: {looks_like(self._data)}"

    def raw(self, limit: int) -> str:
        """The beginning of what came, control characters escaped."""
        return escaped(self._data, limit)


def dechunked(data: bytes) -> Tuple[bytes, bool]:
    """Undo chunked coding as far as it has arrived (RFC 9112, section 7.1); True at its end."""
    pieces: List[bytes] = []
    at = 0
    while True:
        end = data.find(b"\r\n", at)
        try:
            size = int(data[at:end].split(b";")[0], 16) if end >= 0 else -1
        except ValueError:
            return b"".join(pieces), True
        if size <= 0:
            return b"".join(pieces), size == 0
        at = end + 2 + size + 2
        pieces.append(data[end + 2 : at - 2])
        if len(data) < at:
            return b"".join(pieces), False
