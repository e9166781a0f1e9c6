"""WebSocket frames (RFC 6455, section 5): build what a client sends, read what a server sends.

No I/O: bytes go in, frames come out, whatever the pieces in which the network delivers them.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import List, Optional, Tuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

NORMAL = 1000
NO_STATUS = 1005
ABNORMAL = 1006

CLOSE_CODES = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "closed without a code",
    1006: "connection lost without a close frame",
    1007: "invalid payload data",
    1008: "policy violation: the application refused this client (often its token)",
    1009: "message too big",
    1010: "client wanted an extension",
    1011: "internal error in the application",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake failed",
}
"""What a close code means: RFC 6455 section 7.4.1 and the IANA registry."""

KEEP = 4096


class FrameError(Exception):
    """The server broke the framing rules; a client must then drop the connection with 1002."""


@dataclasses.dataclass
class Frame:
    """One frame as received."""

    opcode: int
    payload: bytes
    """The payload; a data frame's is cut at the parser's ``keep``."""
    fin: bool = True
    length: int = 0
    """The payload's true length."""


def mask(payload: bytes, key: bytes) -> bytes:
    """XOR a payload with the 4-byte masking key (RFC 6455, section 5.3); its own inverse."""
    size = len(payload)
    if not size:
        return b""
    stream = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def build_frame(opcode: int, payload: bytes = b"", *, key: bytes) -> bytes:
    """Build one masked frame, as a client must send it (RFC 6455, sections 5.1 and 5.2).

    Args:
        opcode: ``TEXT``, ``BINARY``, ``PING``, ``PONG``, ``CLOSE`` or ``CONTINUATION``.
        payload: the unmasked payload; at most 125 bytes for a control frame.
        key: 4 unpredictable bytes.

    Returns:
        The bytes for the wire.

    Raises:
        ValueError: the key is not 4 bytes, or a control frame is too long.
    """
    if len(key) != 4:
        raise ValueError(f"the masking key must be 4 bytes, not {len(key)}")
    size = len(payload)
    if opcode >= CLOSE and size > 125:
        raise ValueError("a control frame holds at most 125 bytes")
    head = struct.pack("!B", 0x80 | opcode)
    if size < 126:
        head += struct.pack("!B", 0x80 | size)
    elif size < 65536:
        head += struct.pack("!BH", 0x80 | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 | 127, size)
    return head + key + mask(payload, key)


def close_payload(code: int) -> bytes:
    """Build the payload of a close frame: the code, without a reason."""
    return struct.pack("!H", code)


def parse_close(payload: bytes) -> Tuple[int, str]:
    """Read a close frame's payload (RFC 6455, section 5.5.1).

    Returns:
        Code and reason; 1005 when the frame carries no code.

    Raises:
        FrameError: the payload is one byte long, or the code may not appear on the wire.
    """
    if not payload:
        return NO_STATUS, ""
    if len(payload) == 1:
        raise FrameError("close frame with a payload of one byte")
    code = struct.unpack("!H", payload[:2])[0]
    if code < 1000 or code in (1004, NO_STATUS, ABNORMAL, 1015) or 1016 <= code < 3000 or code > 4999:
        raise FrameError(f"close frame with the code {code}, which may not be sent")
    return code, payload[2:].decode("utf-8", "replace")


def close_meaning(code: Optional[int]) -> str:
    """Say in words what a close code means; empty for None."""
    if code is None:
        return ""
    if code in CLOSE_CODES:
        return CLOSE_CODES[code]
    return "application's own code" if 3000 <= code <= 4999 else "unknown code"


class FrameParser:
    """Incremental parser of a server's frames.

    Data payloads beyond ``keep`` bytes are counted and dropped, so that a server that pushes a large
    message costs no memory; control frames are always whole.
    """

    def __init__(self, keep: int = KEEP) -> None:
        """Start with an empty buffer."""
        self._buffer = b""
        self._keep = keep
        self._frame: Optional[Frame] = None
        self._missing = 0
        self._fragmented = False

    def feed(self, data: bytes) -> List[Frame]:
        """Take the next bytes from the wire.

        Args:
            data: any number of bytes.

        Returns:
            The frames that these bytes complete, in order.

        Raises:
            FrameError: masked frame, reserved bit or opcode, bad length, bad fragmentation
                (RFC 6455, sections 5.1, 5.2, 5.4, 5.5).
        """
        self._buffer += data
        frames: List[Frame] = []
        while True:
            if self._frame is None and not self._header():
                return frames
            frame = self._frame
            assert frame is not None
            taken = self._buffer[: self._missing]
            self._buffer = self._buffer[len(taken) :]
            self._missing -= len(taken)
            frame.payload += taken[: max(0, self._keep - len(frame.payload))]
            if self._missing:
                return frames
            frames.append(frame)
            self._frame = None

    def _header(self) -> bool:
        """Read one frame header from the buffer, when it is there whole."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        fin, opcode, size = bool(buffer[0] & 0x80), buffer[0] & 0x0F, buffer[1] & 0x7F
        if buffer[0] & 0x70:
            raise FrameError("reserved bits set, and no extension was agreed")
        if buffer[1] & 0x80:
            raise FrameError("a server must not mask its frames")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise FrameError(f"unknown opcode 0x{opcode:x}")
        if opcode >= CLOSE and (size > 125 or not fin):
            raise FrameError("control frame too long or fragmented")
        start = 2
        if size == 126:
            if len(buffer) < 4:
                return False
            size, start = struct.unpack("!H", buffer[2:4])[0], 4
            if size < 126:
                raise FrameError("length not in its shortest form")
        elif size == 127:
            if len(buffer) < 10:
                return False
            size, start = struct.unpack("!Q", buffer[2:10])[0], 10
            if size < 65536 or size >> 63:
                raise FrameError("length not in its shortest form, or with its highest bit set")
        if opcode < CLOSE:
            if self._fragmented != (opcode == CONTINUATION):
                raise FrameError("continuation expected" if self._fragmented else "continuation of nothing")
            self._fragmented = not fin
        self._frame = Frame(opcode=opcode, payload=b"", fin=fin, length=size)
        self._missing = size
        self._buffer = buffer[start:]
        return True
