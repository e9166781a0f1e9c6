"""The handshakes at every hop, made for real: servers on loopback stand for nginx and for the backend."""

from __future__ import annotations

import contextlib
import time

import pytest

from module_utils.nginx_websocket.diagnosis.asking.browsers_view import AT_ONCE
from module_utils.nginx_websocket.diagnosis.hops import ask_hops
from tests.unit.diagnosis.seen import host, proxied, site
from tests.unit.websocket.tiny_server import Authority, TinyServer, answer, open_and_echo, raw


def quiet(talk):
    """Opens, and says nothing until the client goes."""
    talk.accept_websocket()
    talk.echo_control()


def asked(nginx, backend, *, path="/ws/x", lines="", scheme="ws", body="", **question):
    """The facts after all handshakes with a server in nginx's place, and the one that it would ask."""
    listen = f"{nginx.port} ssl" if scheme == "wss" else str(nginx.port)
    to = f"http://127.0.0.1:{backend.port}"
    facts = host(body + site(proxied(to, lines), listen), {}, url=f"{scheme}://app.test:{nginx.port}{path}")
    facts.question.timeout, facts.question.hold = 3.0, 0.1
    for name, value in question.items():
        setattr(facts.question, name, value)
    ask_hops(facts, ("127.0.0.1", nginx.port))
    return facts


def hops(facts):
    return {hop.name: hop.probe for hop in facts.hops}


@contextlib.contextmanager
def pair(nginx=quiet, backend=quiet, **more):
    with TinyServer(nginx, **more) as front, TinyServer(backend) as behind:
        yield front, behind


def test_what_opens_is_watched_and_asked_as_a_foreign_page_too():
    with pair() as (front, behind):
        facts = asked(front, behind, hold=AT_ONCE + 0.1)
        looked_at = asked(front, behind)
    assert set(hops(looked_at)) == {"loopback", "foreign origin"}, "the first was silent for as long"
    found = hops(facts)
    assert set(found) == {"loopback", "foreign origin", "held"} and all(one.opened for one in found.values())
    origins = [talk.split(b"Origin: ")[1].split(b"\r\n")[0] for talk in front.requests]
    assert origins[0] == b"http://app.test:%d" % front.port, "the page's own comes first"
    assert b"https://origin-check.invalid" in origins
    assert facts.session == [] and facts.many == [] and facts.main_hop.probe is found["loopback"]
    (direct,) = facts.backends
    assert direct.held is not None and direct.held.opened and len(behind.requests) >= 1


def test_as_many_sockets_as_are_wanted_open_at_once():
    with pair() as (front, behind):
        facts = asked(front, behind, connections=3)
    assert [one.opened for one in facts.many] == [True] * 3 and facts.many_reason == "as many as asked for"


def test_a_small_limit_of_the_configuration_is_tried():
    zone = "limit_conn_zone $binary_remote_addr zone=a:1m;\n"
    with pair() as (front, behind):
        facts = asked(front, behind, body=zone, lines="limit_conn a 1;")
    assert len(facts.many) == 2 and "limit_conn" in facts.many_reason


def pages_alone(talk):
    """Refuses whoever sends an Origin."""
    if talk.header("Origin"):
        answer("403 Forbidden", b"bad origin")(talk)
    else:
        quiet(talk)


def test_a_refused_page_is_compared_with_a_client_that_is_none():
    with pair(pages_alone, pages_alone) as (front, behind):
        facts = asked(front, behind)
    found = hops(facts)
    assert found["loopback"].status == 403 and found["no origin"].opened
    assert found["plain"].status == 403, "an ordinary request brings the Origin as well"
    assert facts.backends[0].search is not None and facts.backends[0].search.as_sent.status == 403


def graphql(talk):
    """Refuses whoever offers no subprotocol."""
    if "graphql-transport-ws" not in talk.header("Sec-WebSocket-Protocol"):
        answer("400 Bad Request", b"no subprotocol")(talk)
    else:
        talk.accept_websocket("Sec-WebSocket-Protocol: graphql-transport-ws\r\n")
        talk.echo_control()


def test_a_subprotocol_of_which_the_path_speaks_is_offered():
    with pair(graphql, graphql) as (front, behind):
        facts = asked(front, behind, path="/graphql")
    found = hops(facts)
    assert found["subprotocol"].opened and found["loopback"].opened
    assert facts.question.subprotocols == ["graphql-transport-ws"]
    assert any("without a subprotocol: 400 Bad Request (no subprotocol)" in note for note in facts.notes)


def test_the_other_spelling_of_connection_is_tried_where_a_condition_looks_at_it():
    def firefox(talk):
        if "keep-alive" in talk.header("Connection"):
            quiet(talk)
        else:
            answer("404 Not Found")(talk)

    condition = "if ($http_connection = upgrade) { return 404; }"
    with pair(firefox) as (front, behind):
        facts = asked(front, behind, lines=condition)
    found = hops(facts)
    assert found["loopback"].status == 404 and found["other client"].opened


def test_a_server_that_hangs_up_is_asked_with_a_proxy_line():
    def behind_proxy(talk):
        if talk.request.startswith(b"PROXY TCP4 "):
            quiet(talk)

    with pair(behind_proxy) as (front, behind):
        facts = asked(front, behind)
    found = hops(facts)
    assert found["loopback"].error_kind == "closed-without-answer" and found["with PROXY"].opened


def test_a_slow_backend_is_waited_for():
    def slow(talk):
        time.sleep(0.6)  # what is slow here is the server itself
        answer("404 Not Found", b"late")(talk)

    with pair(slow, slow) as (front, behind):
        facts = asked(front, behind, timeout=0.3)
    found = hops(facts)
    assert found["hurried"].error_kind == "answer-timeout" and found["loopback"].status == 404
    assert facts.question.timeout > 3.0
    assert facts.main_hop.words.startswith("through nginx on this host, after ")


def engine_io(knows):
    """Opens a session by polling; its upgrade opens where this server still knows it."""

    def behave(talk):
        target = talk.request.split()[1].decode("latin-1")
        if "transport=polling" in target:
            answer("200 OK", b'0{"sid":"s1","upgrades":["websocket"]}')(talk)
        elif "sid=s1" in target and knows:
            quiet(talk)
        else:
            answer("400 Bad Request", b'{"code":1,"message":"Session ID unknown"}')(talk)

    return behave


@pytest.mark.parametrize("knows", [True, False])
def test_a_session_is_opened_as_socket_io_does(knows):
    with pair(engine_io(knows), engine_io(True)) as (front, behind):
        facts = asked(front, behind, path="/socket.io/?EIO=4&transport=websocket")
    assert [one.opened for one in facts.session] == ([True] * 4 if knows else [False])
    assert ("session" in hops(facts)) is knows
    assert facts.backends[0].session is not None and facts.backends[0].session.opened


def test_polling_that_opens_no_session_ends_it():
    with pair(answer("400 Bad Request", b"no"), answer("400 Bad Request", b"no")) as (front, behind):
        facts = asked(front, behind, path="/socket.io/?transport=websocket")
    assert facts.session == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(str(tmp_path_factory.mktemp("ca")))
    authority.issue("app.test")
    return authority


def test_an_authority_that_only_clients_know_is_said_and_looked_past(authority):
    context = authority.server_context(f"{authority.directory}/app.test")
    with pair(quiet, tls=context) as (front, behind):
        facts = asked(front, behind, scheme="wss")
    found = hops(facts)
    assert found["unknown issuer"].error_kind == "tls" and found["loopback"].opened
    assert not facts.question.verify


@pytest.mark.parametrize(
    ("behaviour", "opens", "kind"),
    [
        (open_and_echo, True, ""),
        (answer("404 Not Found"), False, "http-status"),
        (raw(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"), False, "not-http"),
    ],
)
def test_a_clients_own_alpn_is_tried(authority, behaviour, opens, kind):
    context = authority.server_context(f"{authority.directory}/app.test", alpn=["h2", "http/1.1"])
    with pair(behaviour, tls=context) as (front, behind):
        facts = asked(front, behind, scheme="wss", alpn=("h2", "http/1.1"))
    alpn = hops(facts)["alpn"]
    assert (alpn.opened, alpn.error_kind, alpn.tls["alpn"]) == (opens, kind, "h2")


def test_every_address_of_the_name_is_asked():
    with pair() as (front, behind):
        facts = host(
            site(proxied(f"http://127.0.0.1:{behind.port}"), str(front.port)),
            {},
            url=f"ws://app.test:{front.port}/ws/x",
        )
        facts.question.hold = 0.1
        facts.resolved, facts.local = ["127.0.0.2"], []
        ask_hops(facts, ("127.0.0.1", front.port))
    assert hops(facts)["public"].error_kind == "connect-refused"


def test_a_name_without_an_address_is_told():
    with pair() as (front, behind):
        facts = host(
            site(proxied(f"http://127.0.0.1:{behind.port}"), str(front.port)),
            {},
            url=f"ws://app.test:{front.port}/ws/x",
        )
        facts.question.hold = 0.1
        facts.resolved = facts.local = []
        ask_hops(facts, ("127.0.0.1", front.port))
    assert hops(facts)["public"].error_kind == "dns"
