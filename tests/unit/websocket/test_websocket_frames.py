"""Frames: RFC 6455's own examples, every split, every rule a server can break."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from module_utils.nginx_websocket.exchange import frames
from module_utils.nginx_websocket.exchange.frames import (
    FrameError,
    FrameParser,
    build_frame,
    close_payload,
    parse_close,
)


def server_frame(opcode, payload=b"", first=None):
    head = bytes([0x80 | opcode if first is None else first])
    size = len(payload)
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + struct.pack("!H", size) + payload
    return head + b"\x7f" + struct.pack("!Q", size) + payload


def test_masked_hello_is_the_example_of_the_rfc():
    # RFC 6455, section 5.7
    frame = build_frame(frames.TEXT, b"Hello", key=bytes([0x37, 0xFA, 0x21, 0x3D]))
    assert frame == bytes([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])


@pytest.mark.parametrize(
    "size, head", [(125, b"\x82\xfd"), (126, b"\x82\xfe\x00\x7e"), (65535, b"\x82\xfe\xff\xff")]
)
def test_length_takes_its_shortest_form(size, head):
    assert build_frame(frames.BINARY, b"x" * size, key=b"\0\0\0\0").startswith(head)


def test_longest_form_begins_at_65536():
    assert build_frame(frames.BINARY, b"x" * 65536, key=b"\0\0\0\0")[1:10] == b"\xff" + struct.pack(
        "!Q", 65536
    )


def test_control_frames_are_short():
    with pytest.raises(ValueError, match="control frame"):
        build_frame(frames.PING, b"x" * 126, key=b"1234")


def test_key_is_four_bytes():
    with pytest.raises(ValueError, match="4 bytes, not 3"):
        build_frame(frames.TEXT, b"", key=b"123")


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_is_its_own_inverse(payload, key):
    masked = frames.mask(payload, key)
    assert masked == bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    assert frames.mask(masked, key) == payload


@given(st.lists(st.tuples(st.sampled_from([1, 2, 8, 9, 10]), st.binary(max_size=125)), max_size=5), st.data())
def test_any_split_gives_the_same_frames(wanted, data):
    stream = b"".join(server_frame(opcode, payload) for opcode, payload in wanted)
    parser, got = FrameParser(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        got += parser.feed(stream[:cut])
        stream = stream[cut:]
    assert [(frame.opcode, frame.payload) for frame in got] == wanted


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 200000])
def test_every_length_form_is_read_and_long_payloads_are_dropped(size):
    parser = FrameParser(keep=1000)
    stream = server_frame(frames.BINARY, b"a" * size) + server_frame(frames.PING, b"p")
    got = [frame for i in range(0, len(stream), 7001) for frame in parser.feed(stream[i : i + 7001])]
    assert [(frame.opcode, frame.length, len(frame.payload)) for frame in got] == [
        (frames.BINARY, size, min(size, 1000)),
        (frames.PING, 1, 1),
    ]


def test_fragments_are_taken_with_control_frames_between():
    stream = server_frame(1, b"a", first=0x01) + server_frame(9) + server_frame(0, b"b")
    assert [(f.opcode, f.fin) for f in FrameParser().feed(stream)] == [(1, False), (9, True), (0, True)]


@pytest.mark.parametrize(
    "stream, message",
    [
        (b"\xc1\x00", "reserved bits"),
        (b"\x81\x80\0\0\0\0", "must not mask"),
        (b"\x83\x00", "unknown opcode 0x3"),
        (b"\x89\x7e\x00\x7e", "too long or fragmented"),
        (b"\x09\x00", "too long or fragmented"),
        (b"\x82\x7e\x00\x7d", "shortest form"),
        (b"\x82\x7f" + struct.pack("!Q", 65535), "shortest form"),
        (b"\x82\x7f" + struct.pack("!Q", 1 << 63), "highest bit"),
        (b"\x80\x00", "continuation of nothing"),
        (b"\x01\x00\x81\x00", "continuation expected"),
        (b"HTTP/1.1 400", "reserved bits"),
    ],
)
def test_broken_rules_are_named(stream, message):
    with pytest.raises(FrameError, match=message):
        FrameParser().feed(stream)


def test_close_payloads():
    assert parse_close(b"") == (1005, "")
    assert parse_close(close_payload(1008)) == (1008, "")
    assert parse_close(close_payload(4001) + "é".encode()) == (4001, "é")
    assert frames.close_meaning(1008).startswith("policy violation")
    assert frames.close_meaning(4001) == "application's own code"
    assert frames.close_meaning(None) == ""


@pytest.mark.parametrize(
    "payload",
    [
        b"\x03",
        struct.pack("!H", 1005),
        struct.pack("!H", 1015),
        struct.pack("!H", 1006),
        struct.pack("!H", 999),
        struct.pack("!H", 2000),
    ],
)
def test_close_codes_that_may_not_be_sent(payload):
    with pytest.raises(FrameError):
        parse_close(payload)
