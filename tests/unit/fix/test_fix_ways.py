"""Where the best edit changes something else for users, the next one is made."""

from __future__ import annotations

import pytest
from test_fix import BROKEN, GOOD, changed_lines

from module_utils.nginx_websocket.conf import splice
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.memory import edited
from module_utils.nginx_websocket.fix import choosing, without_tls
from module_utils.nginx_websocket.fix.mending import Mended
from tests.unit.websocket.tiny_server import Authority, Talk, TinyServer, open_and_echo, raw


def spoilt(tree):
    """The tree with another answer for everybody."""
    line = next(one for one in tree.walk() if one.name == b"return")
    return edited(tree, [splice.set_argument(line, 1, b"other")])


def spoiled_first(monkeypatch, *, all_of_them):
    real = choosing.ways

    def ways(facts, causes, tree):
        for good in real(facts, causes, tree):
            yield Mended(spoilt(good.after), ("spoilt",))
            if not all_of_them:
                yield good

    monkeypatch.setattr(choosing, "ways", ways)


def test_the_next_edit_is_made_where_the_best_one_changes_something_else(host, monkeypatch):
    spoiled_first(monkeypatch, all_of_them=False)
    host.put(BROKEN)
    done = host.fix()
    assert done.outcome == "applied", done.message
    assert done.causes == ["no-upgrade-header"] and "return 200 hello" in host.text()
    assert sum(len(edit.after) for edit in done.edits) == 3 and len(done.files) == 1


def test_where_none_is_fit_the_reason_of_the_best_is_told(host, monkeypatch):
    spoiled_first(monkeypatch, all_of_them=True)
    host.put(BROKEN)
    before = host.all_files()
    done = host.fix()
    assert done.failed and not done.changed and "something else" in done.message
    assert done.causes == ["spoilt"] and any("other" in line for edit in done.edits for line in edit.after)
    assert host.all_files() == before


NOWHERE = GOOD.replace("/ws/ {\n", "/chat/ {\n        rewrite ^/chat/(.*) /$1 last;\n").replace(
    "location / { return 200 hello; }", "root /srv/nothing;"
)


def test_a_rewrite_that_leads_nowhere_stays_in_its_location_for_all_below_it(host):
    host.put(NOWHERE)
    done = host.fix("ws://chat.test/chat/ws")
    assert done.outcome == "applied", done.message
    assert changed_lines(NOWHERE, host.text()) == [
        "-         rewrite ^/chat/(.*) /$1 last;",
        "+         rewrite ^/chat/(.*) /$1 break;",
    ]


def test_a_rewrite_that_leads_other_requests_to_their_location_does_not_stay(host):
    text = NOWHERE.replace("root /srv/nothing;", "location /api/ { return 200 api; }")
    host.put(text.replace("location /chat/ {", "location /api/keep { return 200 x; }\n    location /chat/ {"))
    before = host.text()
    done = host.fix("ws://chat.test/chat/api/ws")
    assert "break" not in host.text(), done.message
    assert not done.failed or host.text() == before


def scheme(target):
    pools = (
        "upstream app { server 127.0.0.1:1; }\nupstream far { server 192.0.2.7:1; }\n"
        "upstream Resting { server 127.0.0.1:1; server 192.0.2.7:1 down; }\n"
    )
    data = (
        f"events {{}}\nhttp {{\n{pools}server {{ location /ws/ {{ proxy_pass {target}; }} }}\n}}\n".encode()
    )
    return load("/n.conf", read=lambda path: data, glob=lambda pattern: [])


@pytest.mark.parametrize(
    ("backend", "allowed"),
    [
        ("127.0.0.1:9001/", True),
        ("[::1]:9001", True),
        ("localhost", True),
        ("app", True),
        ("192.0.2.7:9001", False),
        ("far/x", False),
        ("resting", False),
        ("localhost.example.org", False),
    ],
)
def test_tls_to_a_backend_is_given_up_on_this_host_alone(backend, allowed):
    for tls in ("https", "wss"):
        bare = without_tls.given_up(scheme(f"{tls}://{backend}"), scheme(f"http://{backend}"))
        assert bare == ("" if allowed else backend.split("/")[0])


def spoken(port):
    target = f"127.0.0.1:{port}/"
    return not without_tls.not_spoken(scheme(f"wss://{target}"), scheme(f"https://{target}"))


@pytest.mark.parametrize(
    "plain", [lambda talk: None, raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Talk.wait_for_client]
)
def test_a_backend_of_this_host_is_asked_whether_it_speaks_tls(plain, monkeypatch):
    monkeypatch.setattr(without_tls, "_SECONDS", 0.3)  # one waits for the end of a line that never comes
    with TinyServer(plain, read=False) as server:
        assert not spoken(server.port)
    assert spoken(server.port), "nobody is there, and nothing is known"


def test_a_backend_of_this_host_that_speaks_tls_does_so_whoever_its_certificate_is_for(tmp_path):
    authority = Authority(str(tmp_path))
    with TinyServer(open_and_echo, tls=authority.server_context(authority.issue("a.test"))) as server:
        assert spoken(server.port)


def test_a_backend_elsewhere_is_not_asked(monkeypatch):
    monkeypatch.setattr(without_tls, "dial", lambda *_: pytest.fail("it was asked"))
    assert not without_tls.not_spoken(scheme("wss://192.0.2.7:1"), scheme("https://192.0.2.7:1"))
