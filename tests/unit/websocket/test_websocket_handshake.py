"""The opening handshake as bytes: what goes out, what may come back."""

import base64

import pytest

from module_utils.nginx_websocket.exchange.handshake import (
    Head,
    NotHttp,
    accept_for,
    build_request,
    escaped,
    handshake_fault,
    new_key,
    parse_head,
    request_headers,
    split_head,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, section 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def head(*headers, status=101, version="1.1"):
    return Head(version, status, "Switching Protocols", list(headers))


RIGHT = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT))


def test_accept_is_the_example_of_the_rfc():
    assert accept_for(KEY) == ACCEPT


def test_keys_are_sixteen_bytes_and_fresh():
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert {len(base64.b64decode(key)) for key in keys} == {16}


def test_request_bytes():
    headers = request_headers("a.test", key=KEY, origin="https://a.test", subprotocols=["x", "y"])
    assert build_request("/ws?a=b", headers) == (
        b"GET /ws?a=b HTTP/1.1\r\nHost: a.test\r\n"
        b"User-Agent: Mozilla/5.0 (compatible; nginx-websocket-probe)\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Origin: https://a.test\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY.encode() + b"\r\n"
        b"Sec-WebSocket-Protocol: x, y\r\n\r\n"
    )


def test_headers_are_replaced_in_place_removed_and_added():
    changes = [("host", "other"), ("Upgrade", None), ("X-A", "1"), ("X-A", "2")]
    headers = request_headers("a.test", key=KEY, changes=changes)
    assert headers[0] == ("host", "other")
    assert "upgrade" not in [name.lower() for name, _ in headers]
    assert [value for name, value in headers if name == "X-A"] == ["1", "2"]
    two_hosts = request_headers("a.test", key=KEY, changes=[("Host", "a"), ("Host", "b")])
    assert [value for name, value in two_hosts if name == "Host"] == ["a", "b"]


def test_plain_request_has_no_trace_of_websocket():
    names = [name.lower() for name, _ in request_headers("a.test")]
    assert not [name for name in names if name.startswith("sec-") or name == "upgrade"]


@pytest.mark.parametrize(
    "call, message",
    [
        ({"changes": [("X", "a\r\nEvil: 1")]}, "control character"),
        ({"changes": [("X Y", "a")]}, "not an HTTP token"),
        ({"changes": [("X\n", "a")]}, "not an HTTP token"),
        ({"origin": "https://a\n"}, "control character"),
        ({"subprotocols": ["a b"]}, "subprotocol 'a b'"),
    ],
)
def test_nothing_breaks_out_of_its_header(call, message):
    with pytest.raises(ValueError, match=message):
        request_headers("a.test", key=KEY, **call)


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/a\n", "/é", ""])
def test_targets_are_printable_ascii(target):
    with pytest.raises(ValueError, match="percent-encode"):
        build_request(target, [])


def test_target_goes_out_byte_for_byte():
    assert build_request("//a/../%2Fb/./c", []).startswith(b"GET //a/../%2Fb/./c HTTP/1.1\r\n")


def test_heads_are_split_at_every_length():
    data = b"HTTP/1.1 101 X\r\nA: b\r\n\r\nrest"
    for cut in range(1, len(data) - 4):
        assert split_head(data[:cut]) is None
    assert split_head(data) == (b"HTTP/1.1 101 X\r\nA: b", b"rest")
    assert split_head(b"HTTP/1.0 200 OK\n\nx") == (b"HTTP/1.0 200 OK", b"x")


@pytest.mark.parametrize(
    "data, looks",
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "SSH banner"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS record"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03", "HTTP/2 SETTINGS"),
        (b"\x1b[31mred", r"\\x1b\[31mred"),
        (b"HTTP/2 200\r\n", "unknown kind of HTTP"),
    ],
)
def test_what_is_not_http_is_recognised(data, looks):
    with pytest.raises(NotHttp, match=looks):
        split_head(data)


def test_endless_head_is_refused():
    with pytest.raises(NotHttp, match="more than 65536"):
        split_head(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20000)


def test_head_is_parsed_with_its_duplicates():
    parsed = parse_head(b"HTTP/1.1 200 Fine \xe9\r\nA:  b \r\nA: c\r\n folded\r\nno colon\r\nE:")
    assert (parsed.version, parsed.status, parsed.reason) == ("1.1", 200, "Fine é")
    assert parsed.headers == [("A", "b"), ("A", "c folded"), ("no colon", ""), ("E", "")]
    assert parsed.all("a") == ["b", "c folded"]
    assert parse_head(b"HTTP/1.1 204").status == 204


@pytest.mark.parametrize("line", [b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 abc", b"HTTP/1.1200"])
def test_bad_status_lines(line):
    with pytest.raises(NotHttp, match="malformed status line"):
        parse_head(line)


def test_right_answer_has_no_fault():
    assert handshake_fault(head(*RIGHT), KEY) == ""
    odd_case = (
        ("UPGRADE", "WebSocket"),
        ("connection", "keep-alive, UPGRADE"),
        ("sec-websocket-accept", ACCEPT),
    )
    assert handshake_fault(head(*odd_case), KEY) == ""
    assert handshake_fault(head(*RIGHT, ("Sec-WebSocket-Protocol", "b")), KEY, ["a", "b"]) == ""


@pytest.mark.parametrize(
    "answer, subprotocols, message",
    [
        (head(*RIGHT, version="1.0"), [], "HTTP/1.0"),
        (head(*RIGHT[1:]), [], "without 'Upgrade: websocket'"),
        (head(("Upgrade", "h2c"), *RIGHT[1:]), [], "got 'h2c'"),
        # Browsers take one line with one word (RFC 6455, section 4.1).
        (head(RIGHT[0], ("Upgrade", "h2c"), *RIGHT[1:]), [], "more than 'Upgrade: websocket'"),
        (head(("Upgrade", "websocket, h2c"), *RIGHT[1:]), [], "more than 'Upgrade: websocket'"),
        (head(RIGHT[0], RIGHT[2]), [], "without 'Connection: Upgrade'"),
        (head(RIGHT[0], ("Connection", "close"), RIGHT[2]), [], "got 'close'"),
        (head(*RIGHT[:2]), [], "without Sec-WebSocket-Accept"),
        (head(*RIGHT[:2], ("Sec-WebSocket-Accept", ACCEPT.lower())), [], "does not fit the key"),
        (head(*RIGHT, ("Sec-WebSocket-Accept", ACCEPT)), [], "does not fit the key"),
        (head(*RIGHT, ("Sec-WebSocket-Extensions", "permessage-deflate")), [], "extension"),
        (head(*RIGHT, ("Sec-WebSocket-Protocol", "x")), [], "'x', which was not offered"),
        (head(*RIGHT, ("Sec-WebSocket-Protocol", "x")), ["y"], "not offered"),
        (head(*RIGHT), ["y"], "none of the offered"),
    ],
)
def test_every_fault_is_named(answer, subprotocols, message):
    assert message in handshake_fault(answer, KEY, subprotocols)


def test_escaping_leaves_nothing_that_steers_a_terminal():
    assert escaped(b"a\r\nb\t\x1b[2J\x00\xff\xc2\x9b\xe2\x80\xae") == "a\nb\t\\x1b[2J\\x00\\xff\\x9b\\u202e"
    assert escaped("grüße 你".encode()) == "grüße 你"
