"""The name that a client asks for, as nginx takes it out of Host."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request, guessed_host

CASES = [
    ("ws://app.test/x", (), b"app.test"),
    ("ws://app.test:8080/x", (), b"app.test"),
    ("ws://APP.test/x", (), b"app.test"),
    ("ws://127.0.0.1/x", [("Host", "App.Test:81")], b"app.test"),
    ("ws://127.0.0.1/x", [("host", "app.test.")], b"app.test"),
    ("ws://[::1]:8080/x", (), b"[::1]"),
    ("ws://127.0.0.1/x", [("Host", "[FE80::1]")], b"[fe80::1]"),
    ("ws://127.0.0.1/x", [("Host", "a\x01b")], b""),
    ("ws://127.0.0.1/x", [("Host", "..")], b""),
]


@pytest.mark.parametrize(("url", "headers", "name"), CASES)
def test_the_name_is_lower_case_without_port(url, headers, name):
    assert guessed_host(Request(url, headers=headers), (1, 22, 1)) == name


def test_without_host_there_is_none():
    assert guessed_host(Request("ws://app.test/", exact_headers=True), (1, 22, 1)) == b""
