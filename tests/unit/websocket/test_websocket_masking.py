"""Tokens do not get out; what a reader needs stays."""

import pytest

from module_utils.nginx_websocket.exchange.masking import (
    header_secrets,
    masked_argv,
    masked_headers,
    masked_url,
    token_like,
    url_secrets,
    without,
)

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"


@pytest.mark.parametrize(
    "word",
    [
        JWT,
        "123e4567-e89b-12d3-a456-426614174000",
        "0123456789abcdef0123456789abcdef",
        "xK9pQ2mN8vB4wZ7tR1yL",
        "QmFzZTY0VG9rZW5XaXRob3V0RGlnaXRz",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "eyJhbGciOiJub25lIn0.e30.",
        "98347598237459823745982374",
    ],
)
def test_tokens_are_seen(word):
    assert token_like(word)
    assert masked_url(f"wss://a.test/ws/{word}") == "wss://a.test/ws/***"


@pytest.mark.parametrize(
    "word",
    [
        "api",
        "session-874q8t",
        "hints",
        "how-to-configure-nginx-for-websockets-behind-a-proxy",
        "index-4f3a9c2b.js",
        "notificationsSubscription",
        "WebSocketConnectionManagerFactory",
        "v1.22.1",
        "2024-01-31",
        "socket.io",
        "nginx-websocket",
        "00000000",
    ],
)
def test_words_are_left(word):
    assert not token_like(word)
    assert masked_url(f"wss://a.test/{word}/x") == f"wss://a.test/{word}/x"


@pytest.mark.parametrize(
    "url, shown",
    [
        ("wss://user:pass@a.test:8443/ws", "wss://***@a.test:8443/ws"),
        ("wss://a.test/token/abc/x", "wss://a.test/token/***/x"),
        (
            "wss://a.test/ws?token=abc&EIO=4&transport=websocket",
            "wss://a.test/ws?token=***&EIO=4&transport=websocket",
        ),
        ("wss://a.test/ws?a=b;c=d", "wss://a.test/ws?a=***;c=***"),
        ("wss://a.test?x=1", "wss://a.test?x=***"),
        ("wss://a.test/ws?client=web&kind=Mobile", "wss://a.test/ws?client=web&kind=Mobile"),
        ("wss://a.test/ws?client=webb", "wss://a.test/ws?client=***"),
        ("wss://a.test/ws?access_token=web", "wss://a.test/ws?access_token=***"),
        ("wss://a.test/ws?password=none", "wss://a.test/ws?password=***"),
        (f"wss://a.test/ws?{JWT}", "wss://a.test/ws?***"),
        (f"wss://a.test/ws#{JWT}", "wss://a.test/ws#***"),
        (f"/ws/{JWT}?v=1", "/ws/***?v=1"),
        (f"wss://a.test/ws?v={JWT}", "wss://a.test/ws?v=***"),
        ("wss://a.test/ws?v=" + "1" * 17, "wss://a.test/ws?v=***"),
        (f"wss://a.test/ws/{JWT.replace('.', '%2E')}", "wss://a.test/ws/***"),
        (
            "wss://lammp.test/api/mqtt/ws/hints/session-874q8t",
            "wss://lammp.test/api/mqtt/ws/hints/session-874q8t",
        ),
        ("not a url", "not a url"),
        ("", ""),
    ],
)
def test_urls(url, shown):
    assert masked_url(url) == shown


@pytest.mark.parametrize(
    "name, value, shown",
    [
        ("Authorization", "Bearer abc", "Bearer ***"),
        ("authorization", "abc", "***"),
        ("Proxy-Authorization", "Basic dTpw", "Basic ***"),
        ("Cookie", "sid=abc; theme=dark", "sid=***; theme=***"),
        ("Set-Cookie", "sid=abc; Path=/; HttpOnly", "sid=***; Path=/; HttpOnly"),
        ("X-Api-Key", "abc", "***"),
        ("X-CSRF-Token", "abc", "***"),
        ("Location", "https://a.test/x?token=abc", "https://a.test/x?token=***"),
        ("Sec-WebSocket-Protocol", f"graphql-ws, {JWT}", "graphql-ws, ***"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("X-Whatever", JWT, "***"),
        ("WWW-Authenticate", 'Basic realm="x"', 'Basic realm="x"'),
        ("Origin", "https://a.test", "https://a.test"),
        ("Origin", "http://app.example.test:18080", "http://app.example.test:18080"),
        ("Origin", JWT, "***"),
        ("Origin", f"https://a.test/?token={JWT}", "https://a.test/?token=***"),
        ("ETag", '"5f3a9c2b1d4e6f70a1b2"', '"5f3a9c2b1d4e6f70a1b2"'),
    ],
)
def test_headers(name, value, shown):
    assert masked_headers([(name, value)]) == [(name, shown)]


def test_pages_that_repeat_what_was_sent_are_masked_too():
    secrets = url_secrets(f"wss://a.test/ws/{JWT}?q=hush%21hush") + header_secrets(
        [("Authorization", "Bearer s3cr3t")]
    )
    page = f"no route /ws/{JWT} with hush!hush and hush%21hush for s3cr3t, Bearer s3cr3t"
    assert without(page, secrets) == "no route /ws/*** with *** and *** for ***, ***"


@pytest.mark.parametrize(
    "argv, shown",
    [
        (["x", "--token", "abc", "y"], ["x", "--token", "***", "y"]),
        (["x", "--token=abc"], ["x", "--token=***"]),
        (["env", "API_KEY=abc", "HOME=/root"], ["env", "API_KEY=***", "HOME=/root"]),
        (["x", "redis://u:p@h/0"], ["x", "redis://***@h/0"]),
        (["x", "--db=postgres://u:p@h/0"], ["x", "--db=postgres://***@h/0"]),
        (["x", "--password", "--verbose"], ["x", "--password", "--verbose"]),
        (["uvicorn", "--ssl-keyfile", "/etc/k.pem"], ["uvicorn", "--ssl-keyfile", "/etc/k.pem"]),
        (["python3", "-m", "http.server", "8000"], ["python3", "-m", "http.server", "8000"]),
        (
            ["uvicorn", "app.main:app", "--host", "127.0.0.1"],
            ["uvicorn", "app.main:app", "--host", "127.0.0.1"],
        ),
        (["x", "xK9pQ2mN8vB4wZ7tR1yL"], ["x", "***"]),
    ],
)
def test_command_lines(argv, shown):
    assert masked_argv(argv) == shown
