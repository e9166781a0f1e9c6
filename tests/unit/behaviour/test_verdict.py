"""One engine says whether an upgrade survives: deployment refuses only what is certain."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.upgrade.hops import next_hop
from module_utils.nginx_websocket.behaviour.upgrade.verdict import judge, obstacles

BACK = "proxy_pass http://127.0.0.1:18000;"
HOP = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
GOOD = HOP + BACK


def codes(found):
    return [(item.code, item.certain) for item in obstacles(found)]


def test_file_that_may_be_missing_leads_to_a_backend(located):
    found = located("location /x/ { error_page 404 = @app; } location @app { %s }" % GOOD, "/x/y")
    assert judge(found).survives is None
    # without = the backend's 101 becomes a 404
    text = "location /x/ { return 404; error_page 404 @app; } location @app { %s }" % GOOD
    assert codes(located(text, "/x/y")) == [("error-page-intercept", True)]
    assert judge(located(text.replace("404 @app", "404 = @app"), "/x/y")).survives is True


@pytest.mark.parametrize("sent", ["upgrade", "Upgrade", "keep-alive, Upgrade", "upgrade , x"])
def test_connection_needs_the_word_among_others(located, sent):
    text = "location / { %s }" % GOOD.replace('"upgrade"', '"%s"' % sent)
    assert judge(located(text)).survives is True


@pytest.mark.parametrize("sent", ["upgraded", "keep-alive", "no-upgrade"])
def test_a_longer_word_is_another_word(located, sent):
    text = "location / { %s }" % GOOD.replace('"upgrade"', '"%s"' % sent)
    assert codes(located(text)) == [("connection-header-wrong", True)]


@pytest.mark.parametrize(
    ("line", "code"),
    [("Connection close", "connection-header-wrong"), ("Upgrade h2c", "upgrade-header-wrong-value")],
)
def test_a_right_and_a_wrong_line_of_a_name_are_up_to_the_backend(located, line, code):
    for text in ("location / { proxy_set_header %s; %s }" % (line, GOOD), "location / { %s %s }"):
        found = located(text if "%" not in text else text % (GOOD, "proxy_set_header %s;" % line))
        assert codes(found) == [(code, False)]
        assert judge(found).survives is None


def test_firefox_connection_is_passed_on(located):
    text = "location / { %s }" % GOOD.replace('"upgrade"', "$http_connection")
    headers = [("Connection", "keep-alive, Upgrade")]
    assert judge(located(text, headers=headers)).survives is True


@pytest.mark.parametrize(("version", "survives"), [((1, 31, 3), None), ((1, 31, 4), True)])
def test_two_host_lines_count_until_nginx_sends_one(located, version, survives):
    text = "location / { proxy_set_header Host a; proxy_set_header Host b; %s }" % GOOD
    assert judge(located(text, version=version)).survives is survives


GUARDED = "location / { satisfy any; allow 192.0.2.0/24; deny all; auth_basic x; %s }" % GOOD


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("192.0.2.1", []),
        ("198.51.100.1", [("access-denied", True), ("auth-basic", True)]),
        ("", [("access-denied", False), ("auth-basic", False)]),
    ],
)
def test_satisfy_any(located, remote, expected):
    assert codes(located(GUARDED, remote=remote)) == expected


@pytest.mark.parametrize(("remote", "refused"), [("192.0.2.1", True), ("198.51.100.1", True)])
def test_satisfy_all(located, remote, refused):
    found = located(GUARDED.replace("satisfy any;", ""), remote=remote)
    assert (judge(found).survives is False) is refused


def test_unix_rule_lets_no_client_of_the_network_in(located):
    text = "location / { allow unix:; deny all; %s }" % GOOD
    assert judge(located(text, remote="192.0.2.1")).survives is False


def test_guard_of_the_location_before_the_fallback_counts(located):
    text = "location /ws/ { deny all; try_files $uri @app; } location @app { %s }" % GOOD
    assert codes(located(text, "/ws/x", remote="192.0.2.1")) == [("access-denied", True)]


@pytest.mark.parametrize(
    ("page", "survives"), [("403 = @app", None), ("403 /403.html", False), ("401 = @app", False)]
)
def test_refusal_that_an_error_page_hands_on(located, page, survives):
    text = "root /srv; location /ws/ { deny all; error_page %s; %s } location @app { %s }"
    assert judge(located(text % (page, GOOD, GOOD), "/ws/x")).survives is survives


def test_method_is_refused(located):
    text = "location / { limit_except POST { deny all; } %s }" % GOOD
    [found] = [item for item in obstacles(located(text)) if item.certain]
    assert found.code == "method-not-allowed"
    assert found.directive.name == b"limit_except"


SECOND = """
server { listen 8080; location / { %s } }
server { listen 127.0.0.1:18000; location / { %s } }
"""


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        (GOOD, GOOD.replace("18000", "9"), []),
        # what the second hop gets is what the first one sends, not what the client sent
        (GOOD, GOOD.replace("18000", "9").replace('"upgrade"', "$http_connection"), []),
        (GOOD, "proxy_http_version 1.1; proxy_pass http://127.0.0.1:9;", [("no-upgrade-header", True)]),
        (
            "proxy_http_version 1.1;" + BACK,
            GOOD.replace("18000", "9"),
            [("outer-proxy-strips-upgrade", True)],
        ),
        (
            "proxy_http_version 1.1;" + BACK,
            GOOD.replace("18000", "9").replace("$http_upgrade", "websocket"),
            [("upgrade-hardcoded-no-tunnel", True)],
        ),
    ],
)
def test_second_hop(serve, outer, inner, expected):
    assert codes(serve(SECOND % (outer, inner))) == expected


def test_the_second_hop_gets_no_header_of_its_own(serve):
    """Without a Host from the first hop there is none: nginx answers 400."""
    inner = next_hop(serve(SECOND % (GOOD + 'proxy_set_header Host "";', GOOD.replace("18000", "9"))))
    assert inner is not None and (inner.answer.kind, inner.answer.status) == ("bad-request", 400)
    inner = next_hop(serve(SECOND % (GOOD, GOOD.replace("18000", "9"))))
    assert inner is not None and inner.answer.kind == "proxy"


def test_second_hop_through_a_unix_socket(serve):
    text = (SECOND % (GOOD, "proxy_http_version 1.1; proxy_pass http://127.0.0.1:9;")).replace(
        "http://127.0.0.1:18000", "http://unix:/run/x"
    )
    text = text.replace("listen 127.0.0.1:18000", "listen unix:/run/x")
    assert codes(serve(text)) == [("no-upgrade-header", True)]


def test_behaviour_tells_the_verdict(configure):
    text = "events {} http { server { listen 80; location / { deny all; %s } } }"
    request = Request("ws://a.test/", address="192.0.2.1", remote="198.51.100.1")
    found = behaviour(configure(text % BACK), request)
    assert found.answer.kind == "refused"
    assert (found.upgrade.survives, found.upgrade.code) == (False, "access-denied")
    assert behaviour(configure(text % BACK), "http://a.test/").upgrade is None


def test_only_server_of_the_address_has_the_name(located):
    """nginx does not look at its names, so no name matched; that is no sign of a missing site."""
    found = located("location / { try_files $uri /index.html; }")
    assert codes(found) == [("try_files-spa-fallback", True)]


@pytest.mark.parametrize(
    ("line", "offered", "expected"),
    [
        ("add_header Upgrade h2c always;", "", [("response-header-added", True)]),
        ("add_header upgrade 'h2,h2c' always;", "mqtt", [("response-header-added", True)]),
        ("add_header Upgrade h2c;", "", []),  # without always a 101 gets nothing
        ("add_header Upgrade '' always;", "", []),
        ("proxy_hide_header Upgrade; add_header Upgrade websocket always;", "", []),
        ("proxy_hide_header Upgrade; add_header Upgrade h2c always;", "", [("response-header-added", True)]),
        ("add_header Sec-WebSocket-Accept x always;", "", [("response-header-added", True)]),
        ("add_header Sec-WebSocket-Extensions x always;", "", [("response-header-added", True)]),
        ("add_header Sec-WebSocket-Protocol mqtt always;", "", [("response-header-added", True)]),
        ("add_header Sec-WebSocket-Protocol mqtt always;", "chat", [("response-header-added", True)]),
        # Whether the backend chooses one as well, the files do not tell.
        ("add_header Sec-WebSocket-Protocol mqtt always;", "chat, mqtt", [("response-header-added", False)]),
        (
            "add_header Sec-WebSocket-Protocol mqtt always; proxy_hide_header Sec-WebSocket-Protocol;",
            "mqtt",
            [],
        ),
        ("add_header Sec-WebSocket-Protocol $http_sec_websocket_protocol always;", "", []),
        ("add_header Sec-WebSocket-Protocol $time_iso8601 always;", "", [("response-header-added", False)]),
        ("add_header X-Frame-Options DENY always;", "", []),
        ("proxy_hide_header Connection;", "", []),  # nginx writes that of a 101 itself
        ("proxy_hide_header Sec-WebSocket-Accept;", "", [("response-header-hidden", True)]),
    ],
)
def test_lines_of_the_answer_that_end_a_handshake(located, line, offered, expected):
    headers = [("Sec-WebSocket-Protocol", offered)] if offered else []
    assert codes(located("location / { %s %s }" % (line, GOOD), headers=headers)) == expected


@pytest.mark.parametrize("to", ["http://127.0.0.1:$arg_x", "http://[::1]:$arg_x/", "http://$arg_x", "$arg_x"])
def test_an_address_that_is_empty_is_a_500_of_nginx(located, to):
    found = located("location / { %s proxy_pass %s; }" % (HOP, to))
    assert codes(found) == [("wrong-backend", True)]
    assert found.answer.status == 500
