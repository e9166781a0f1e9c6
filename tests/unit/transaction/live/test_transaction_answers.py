"""The question for the release, put to real sockets."""

from __future__ import annotations

import time

import pytest

from module_utils.nginx_websocket.behaviour.server.listen import Address
from module_utils.nginx_websocket.transaction.live.answers import (
    Question,
    ask,
    dial_address,
    prove,
    prove_untouched,
)
from module_utils.nginx_websocket.transaction.site.model import NotProven
from tests.unit.websocket.tiny_server import Authority, TinyServer, answer, raw

RELEASE, OTHER = "a" * 32, "b" * 32


def question(port, release=RELEASE, **more):
    settings = {"tls": False, "proxy_protocol": False, "host": "a.test", "where": "/x:1", **more}
    return Question(Address("inet", "127.0.0.1", port), "127.0.0.1", release=release, **settings)


def serving(release=RELEASE, **more):
    return TinyServer(answer("200 OK", release.encode()), **more)


def soon():
    return time.monotonic() + 0.3


def test_the_id_is_asked_for_at_its_own_path_by_name():
    with serving() as server:
        assert ask(question(server.port)) == ""
    (request,) = server.requests
    assert request.startswith(
        f"GET /.well-known/nginx-websocket/{RELEASE} HTTP/1.1\r\nHost: a.test\r\n".encode()
    )


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (answer("404 Not Found", b"nothing"), f'answered "404 Not Found" instead of release {RELEASE}'),
        (answer("200 OK", OTHER.encode()), f'answered "200 OK" instead of release {RELEASE}'),
        (answer("404 Not Found", RELEASE.encode()), "404"),
        (raw(b"nonsense\r\n\r\n"), "no answer"),
        (raw(b""), "no answer"),
    ],
)
def test_whatever_else_comes_is_told(behaviour, said):
    with TinyServer(behaviour) as server:
        assert said in ask(question(server.port))


def test_nobody_there_is_told():
    with serving() as server:
        pass
    assert ask(question(server.port)).startswith("no answer (")


def test_a_proxy_line_comes_first_where_the_socket_waits_for_one():
    with serving() as server:
        assert ask(question(server.port, proxy_protocol=True)) == ""
    words = server.requests[0].split(b"\r\n")[0].split()
    assert words[:4] == [b"PROXY", b"TCP4", b"127.0.0.1", b"127.0.0.1"]
    assert words[5] == str(server.port).encode() and server.requests[0].count(b"GET ") == 1


def test_tls_is_spoken_whoever_issued_the_certificate(tmp_path):
    authority = Authority(str(tmp_path))
    context = authority.server_context(authority.issue("other.test"))
    with serving(tls=context) as server:
        assert ask(question(server.port, tls=True)) == ""
        assert ask(question(server.port)) != ""


def test_the_dialled_address_is_one_at_which_this_server_answers():
    wildcard = Address("inet", "0.0.0.0", 80)
    assert dial_address(wildcard, frozenset([wildcard])) == "127.0.0.1"
    hidden = frozenset([wildcard, Address("inet", "127.0.0.1", 80)])
    assert dial_address(wildcard, hidden) == "127.0.0.2", "an exact address hides the wildcard"
    assert dial_address(wildcard, hidden | {Address("inet", "127.0.0.2", 80)}) is None
    assert dial_address(Address("unix", "/run/x", 0), frozenset()) is None
    assert dial_address(Address("inet", "192.0.2.1", 80), frozenset()) is None, "not an address of this host"


def test_a_release_is_proven_by_several_connections_and_a_settled_one_by_one():
    with serving() as server:
        prove([question(server.port)], soon())
        assert len(server.requests) == 3
        prove([question(server.port)], soon(), settled=True)
        assert len(server.requests) == 4
    prove([], soon())


def test_an_old_worker_among_new_ones_is_waited_for_and_all_must_agree():
    answers = [OTHER, RELEASE, OTHER, RELEASE, RELEASE, RELEASE]
    seen = []

    def behave(talk):
        seen.append(answers[len(seen)])
        answer("200 OK", seen[-1].encode())(talk)

    with TinyServer(behave) as server:
        prove([question(server.port)], time.monotonic() + 20)
    assert seen == answers


def test_what_is_not_served_is_named_with_its_place():
    with serving(OTHER) as server:
        asked = [question(server.port), question(server.port, host="b.test", where="/y:7")]
        with pytest.raises(NotProven, match=r"http://a\.test at 127\.0\.0\.1 port \d+ \(/x:1\).*and 1 more"):
            prove(asked, soon())


def test_after_a_refused_reload_the_kept_release_is_served_and_the_undone_one_is_not():
    with serving() as kept, serving(OTHER) as undone:
        mine, theirs = question(kept.port), question(undone.port, OTHER)
        with pytest.raises(NotProven, match=r"still serves release b+, which is undone"):
            prove_untouched([mine], [mine, theirs], soon())
        gone = question(kept.port, OTHER)
        prove_untouched([mine], [mine, gone], soon())
        prove_untouched([], [gone], soon())
        with pytest.raises(NotProven, match="does not serve"):
            prove_untouched([gone], [], soon())
    with pytest.raises(NotProven, match="no server could be asked"):
        prove_untouched([], [], soon())
