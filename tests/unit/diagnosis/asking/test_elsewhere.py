"""Who else listens on the host may be a stranger: nothing of the client goes there."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.asking import elsewhere
from module_utils.nginx_websocket.diagnosis.asking.elsewhere import harmless, look_elsewhere, named_ports
from module_utils.nginx_websocket.diagnosis.evidence.facts import BackendFacts, Facts, Question
from module_utils.nginx_websocket.host.listeners import Listener
from tests.unit.websocket.tiny_server import TinyServer

SECRETS = ["s3cr3t-user-token", "abc123", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"]
URL = f"wss://app.test/ws/{SECRETS[2]}?token={SECRETS[1]}"


def question(**more):
    return Question(URL, headers=[("Authorization", SECRETS[0]), ("Cookie", SECRETS[1])], **more)


def configuration(text):
    return load("nginx.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def asked(monkeypatch, **more):
    """What a stranger on this host got, and what the look found."""
    got = []

    def behave(talk):
        got.append(talk.read_request())
        talk.accept_websocket()
        talk.wait_for_client()

    with TinyServer(behave) as server:
        stranger = Listener("tcp4", "127.0.0.1", server.port, inode=1)
        monkeypatch.setattr(elsewhere.place, "listening", lambda facts, unix: [stranger])
        text = (
            f"http {{ upstream a {{ server 127.0.0.1:{server.port}; }} }}" if more.pop("named", False) else ""
        )
        facts, found = Facts(question(**more), configuration=configuration(text)), BackendFacts("x", None)
        look_elsewhere(facts, found)
    return b"".join(got), found, stranger


@pytest.mark.parametrize("more", [{"named": True}, {"other_ports": True}])
def test_no_secret_leaves(monkeypatch, more):
    got, found, stranger = asked(monkeypatch, **more)
    assert got and not any(secret.encode() in got for secret in SECRETS)
    assert b"Authorization" not in got and b"Cookie" not in got
    assert found.other_port[0] is stranger


def test_a_stranger_is_listed_and_not_asked(monkeypatch):
    got, found, stranger = asked(monkeypatch)
    assert (got, found.other_port, found.others) == (b"", None, [stranger])


def test_a_path_without_its_tokens():
    assert harmless(question().endpoint.target) == "/ws/x"
    assert harmless("/api/mqtt/ws/hints?x=1") == "/api/mqtt/ws/hints"


def test_ports_that_the_configuration_names():
    text = "upstream a { server 127.0.0.1:8001 weight=2; server unix:/x; } server { listen 80; location / { "
    text += "proxy_pass http://127.0.0.1:8002/x; } location /b { proxy_pass http://a; } }"
    assert named_ports(configuration("http { " + text + " }")) == {8001, 8002}
    assert named_ports(None) == set()
