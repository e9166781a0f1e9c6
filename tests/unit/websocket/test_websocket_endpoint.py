"""URLs and addresses taken apart."""

import pytest

from module_utils.nginx_websocket.exchange.endpoint import address_text, parse_address, parse_url


@pytest.mark.parametrize(
    "url, host, port, target, header, tls",
    [
        ("ws://a.test", "a.test", 80, "/", "a.test", False),
        ("wss://a.test/x?y=1#frag", "a.test", 443, "/x?y=1", "a.test", True),
        ("http://a.test:8080//x/../%2F", "a.test", 8080, "//x/../%2F", "a.test:8080", False),
        ("https://[::1]/", "::1", 443, "/", "[::1]", True),
        ("ws://[fe80::1]:81/", "fe80::1", 81, "/", "[fe80::1]:81", False),
        ("wss://user:p@a.test/x", "a.test", 443, "/x", "a.test", True),
        ("ws://a.test?x=1", "a.test", 80, "/?x=1", "a.test", False),
        ("ws://127.0.0.1:8000/ws", "127.0.0.1", 8000, "/ws", "127.0.0.1:8000", False),
        ("WSS://bücher.test/", "xn--bcher-kva.test", 443, "/", "xn--bcher-kva.test", True),
        ("ws://a.test:80/", "a.test", 80, "/", "a.test", False),
        ("ws://a_b.test/", "a_b.test", 80, "/", "a_b.test", False),
    ],
)
def test_urls(url, host, port, target, header, tls):
    endpoint = parse_url(url)
    assert (endpoint.host, endpoint.port, endpoint.target) == (host, port, target)
    assert (endpoint.host_header, endpoint.tls) == (header, tls)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.test/ws",
        "ftp://a.test/",
        "ws://",
        "ws:///x",
        "ws://a b/",
        "ws://a.test:0/",
        "ws://a.test:70000/",
        "ws://a.test/a b",
        "ws://a.test/\r\nX: y",
        "ws://a.test/é",
        "ws://a\r\n.test/",
        "ws://-a.test/",
        "ws://a.test\r\n",
        "ws://a.test\n",
        "ws://a.test/x\n",
        "ws://[::1%25eth0]/",
        "ws://::1/",
    ],
)
def test_bad_urls_are_refused(url):
    with pytest.raises(ValueError):
        parse_url(url)


def test_origin_of_the_same_host():
    assert parse_url("wss://a.test:8443/x").origin == "https://a.test:8443"
    assert parse_url("ws://a.test/x").origin == "http://a.test"


@pytest.mark.parametrize(
    "text, address",
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("a.test:443", ("a.test", 443)),
        ("[::1]:8000", ("::1", 8000)),
        ("unix:/run/app.sock", "/run/app.sock"),
        ("/run/app.sock", "/run/app.sock"),
    ],
)
def test_addresses_round_trip(text, address):
    assert parse_address(text) == address
    assert parse_address(address_text(address)) == address
    if text.startswith("unix:"):
        assert address_text((text, 0)) == text


@pytest.mark.parametrize(
    "text", ["", "a.test", "::1:80", "a:b", "a.test:0", "a.test:65536", "unix:app.sock", "a b:80"]
)
def test_bad_addresses(text):
    with pytest.raises(ValueError, match="not of the form"):
        parse_address(text)
