"""Kinds that situations of real life have shown: each with what makes it, and what it is told from."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.diagnosis.asking import elsewhere
from module_utils.nginx_websocket.diagnosis.backend.properties import for_property
from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import ConfigTest, Question
from module_utils.nginx_websocket.diagnosis.experiments.search import (
    Request,
    Search,
    candidates,
    differences,
    good_handshake,
)
from module_utils.nginx_websocket.diagnosis.reload.refused_tree import from_message
from module_utils.nginx_websocket.diagnosis.words.discreet import discreet
from module_utils.nginx_websocket.diagnosis.words.findings import scrubbed
from tests.unit.diagnosis.seen import (
    PLAIN,
    UP,
    about_upstream,
    backend,
    broken,
    causes,
    first,
    host,
    logged,
    opened,
    page,
    proxied,
    refused,
    shown,
    site,
    socket_of,
)


def told(lines, *, path="/", to="http://127.0.0.1:8000", url=PLAIN, up=UP, **question):
    """The causes that the configuration alone shows, with the first of them."""
    body = f"location {path} {{\nproxy_pass {to};\n{up}\n{lines}\n}}\n"
    text = f"events {{}}\nhttp {{\nserver {{\nlisten 80;\nserver_name app.test;\n{body}}}\n}}\n"
    report = diagnose_dump(Question(url, **question), text.encode())
    return causes(report), report.findings[0]


@pytest.mark.parametrize(("offered", "found"), [(["graphql-ws"], ["response-header-hidden"]), ([], [])])
def test_a_hidden_subprotocol_is_missed_by_those_who_offered_one(offered, found):
    assert told("proxy_hide_header Sec-WebSocket-Protocol;", subprotocols=offered)[0] == found


@pytest.mark.parametrize(
    ("line", "offered", "found"),
    [
        ("mqtt", ["mqttv3.1"], ["subprotocol-stripped"]),
        ("mqtt", ["mqtt"], []),
        ('"mqtt, mqttv3.1"', ["mqttv3.1"], []),
        ("mqtt", [], []),
        ("$arg_p", ["mqtt"], ["subprotocol-stripped"]),
        ("$request_id", ["mqtt"], []),
    ],
)
def test_a_subprotocol_of_nginx_that_nobody_offered(line, offered, found):
    assert told(f"proxy_set_header Sec-WebSocket-Protocol {line};", subprotocols=offered)[0] == found


@pytest.mark.parametrize("name", ["Upgrade:", "upgrade:"])
def test_a_colon_in_the_name_of_a_header(name):
    lines = f"proxy_http_version 1.1; proxy_set_header {name} $http_upgrade;"
    codes, finding = told("", up=lines)
    assert codes == ["upgrade-header-wrong-value"]
    assert "holds a colon" in finding.title
    assert f"-{lines}" in finding.change.diff() and "proxy_set_header Upgrade $http_upgrade;" in (
        finding.change.diff()
    )


def test_a_colon_beside_the_right_line_is_no_fault():
    assert told("proxy_set_header Upgrade: $http_upgrade;")[0] == []


TWICE = Request(
    "/ws/x",
    [("Host", "app.test"), ("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2"), ("X:", "y")],
)


def test_a_header_that_comes_twice_is_tried_with_one_line():
    tried = dict(candidates(TWICE, Request("/ws/x", [("Host", "app.test")]), (), "http"))
    assert tried["with one x-forwarded-for line"].values("X-Forwarded-For") == ["2.2.2.2"]
    assert "X-Forwarded-For" in differences(TWICE, TWICE.with_header("X-Forwarded-For", "1.1.1.1"))
    assert good_handshake(TWICE).value("X:") is None


LINES = "proxy_set_header X-Forwarded-For $remote_addr;\nproxy_set_header X-Forwarded-For 1.1.1.1;"


def by_property(name, lines, sent, opening):
    """The finding for a property that was fatal."""
    facts = host(site(proxied(lines=lines)), {"loopback": refused(400)})
    found = backend(refused(400))
    found.search = Search(refused(400), opening, opened(), [name])
    found.search.tried = [("as nginx sends it", refused(400)), ("otherwise", found.search.opening_probe)]
    found.sent, found.client = sent, opening
    return for_property(facts, [], found, name)


def by_header(name, sent, opening):
    """The finding for a header with another value, or without one (None)."""
    plain = Request("/ws/x", [("Host", "app.test")])
    line = f"proxy_set_header {name} {sent};" if sent else ""
    return by_property(name, line, plain.with_header(name, sent), plain.with_header(name, opening))


@pytest.mark.parametrize(
    ("name", "sent", "opening", "code", "detail", "fix"),
    [
        (
            *("X-Forwarded-Host", "inner", "app.test", "host-header-wrong"),
            "the backend goes by X-Forwarded-Host, and nginx sends inner there, which is not the page's host",
            "proxy_set_header X-Forwarded-Host $http_host",
        ),
        ("Host", "inner", "app.test", "host-header-wrong", "", "proxy_set_header Host $http_host"),
        (
            *("X-Forwarded-Proto", "http", "https", "forwarded-proto-missing", ""),
            "proxy_set_header X-Forwarded-Proto $scheme",
        ),
        ("Origin", "http://inner", None, "origin-rejected", "", "leave proxy_set_header Origin out"),
    ],
)
def test_a_header_gets_the_value_that_opened(name, sent, opening, code, detail, fix):
    finding = by_header(name, sent, opening)
    assert (finding.code, finding.detail, finding.fix) == (code, detail, fix)
    written = f"+{fix};" if opening else f"-proxy_set_header {name} {sent};"
    assert written in finding.change.diff().replace("+        ", "+").replace("-        ", "-")


def test_a_value_that_nginx_cannot_write_is_not_written():
    finding = by_header("X-Forwarded-Host", "inner", "a value of the browser's")
    assert finding.code == "host-header-wrong" and finding.change is None
    assert "nginx sends inner there" in finding.detail


def test_one_of_two_lines_goes():
    once = TWICE.with_header("X-Forwarded-For", "2.2.2.2")
    finding = by_property("X-Forwarded-For", LINES, TWICE, once)
    assert finding.code == "duplicate-header"
    assert "1.1.1.1" in finding.change.diff() and "$remote_addr" not in finding.change.diff()
    none = TWICE.with_header("X-Forwarded-For", None)
    assert by_property("X-Forwarded-For", LINES, TWICE, none).code == "backend-untrusted-proxy"


def test_both_twins_of_a_handshake_go():
    """What a file of header lines brings stands beside it once more; the backend reads both as one value."""
    twins = ["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection upgrade;"]
    right = Request("/ws/x", [("Host", "app.test"), ("Upgrade", "websocket"), ("Connection", "Upgrade")])
    sent = dataclasses.replace(right, headers=[*right.headers, *right.headers[1:]])
    finding = by_property("Upgrade", "\n".join(twins), sent, right)
    assert finding.code == "duplicate-header" and "sends Upgrade twice" in finding.detail
    gone = [line[1:].strip() for line in finding.change.diff().splitlines()[3:]]
    assert gone == twins


def test_two_lines_that_say_different_things_are_no_twins():
    """One of them is wrong by itself: it goes, whichever comes last."""
    lines = ["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection keep-alive;"]
    lines.append("proxy_set_header Connection upgrade;")
    right = Request("/ws/x", [("Host", "app.test"), ("Upgrade", "websocket"), ("Connection", "Upgrade")])
    both = [*right.headers[:2], ("Connection", "keep-alive"), ("Connection", "upgrade")]
    finding = by_property("Connection", "\n".join(lines), dataclasses.replace(right, headers=both), right)
    assert finding.code == "connection-header-wrong"


def test_two_lines_of_the_handshake_are_a_difference():
    one = Request("/", [("Upgrade", "websocket"), ("Connection", "Upgrade")])
    assert differences(one, Request("/", [("Upgrade", "WebSocket"), ("Connection", "upgrade")])) == []
    assert differences(one, Request("/", [*one.headers, ("upgrade", "websocket")])) == ["Upgrade"]
    assert differences(Request("/", [*one.headers, ("Connection", "Upgrade")]), one) == ["Connection"]


def test_a_header_of_the_client_that_nginx_takes_away():
    line = 'proxy_set_header Authorization "";'
    with_it = Request("/ws/x", [("Host", "app.test"), ("Authorization", "Bearer x")])
    sent = with_it.with_header("Authorization", None)
    finding = by_property("Authorization", line, sent, with_it)
    assert finding.code == "request-headers-not-passed" and "blanks Authorization" in finding.title
    assert line in finding.change.diff()
    assert by_property("Authorization", "", sent, with_it) is None


ALERT = "SSL_do_handshake() failed (SSL: alert handshake failure:SSL alert number 40) to upstream"


@pytest.mark.parametrize(
    ("named", "code"),
    [(opened(), "upstream-sni-missing"), (broken("tls", "certificate required"), "upstream-tls-failed")],
)
def test_an_alert_is_about_the_name_only_where_a_name_helps(named, code):
    facts = host(
        site(proxied("https://127.0.0.1:8000")),
        {"loopback": page(502)},
        backends=[backend(broken("tls", "TLS alert: certificate required"), with_name=named)],
        log=[about_upstream(ALERT, "https://127.0.0.1:8000/ws/x")],
    )
    finding = first(facts)
    assert finding.code == code
    assert ("wants a certificate" in finding.title) == (code == "upstream-tls-failed")


@pytest.mark.parametrize(
    ("error", "code"),
    [("alert 40", "upstream-sni-missing"), ("certificate required", "upstream-tls-failed")],
)
def test_an_alert_where_no_name_could_be_tried(error, code):
    facts = host(
        site(proxied("https://127.0.0.1:8000")),
        {"loopback": page(502)},
        backends=[backend(broken("tls", error))],
        log=[about_upstream(ALERT, "https://127.0.0.1:8000/ws/x")],
    )
    assert first(facts).code == code


@pytest.mark.parametrize(
    ("lined", "code"),
    [(opened(), "proxy-protocol-mismatch"), (broken("closed-without-answer"), "wrong-backend-protocol")],
)
def test_a_backend_that_waits_for_a_proxy_line(lined, code):
    silent = broken("closed-without-answer")
    facts = host(site(proxied()), {"loopback": page(502)}, backends=[backend(silent, with_line=lined)])
    assert first(facts).code == code


@pytest.mark.parametrize(("lines", "code"), [("mirror /copy;", ["mirror-upgraded"]), ("", [])])
def test_a_mirror_that_was_upgraded_as_well(lines, code):
    line = logged("connection upgrade in subrequest while reading response header from upstream")
    facts = host(
        site(proxied(lines=lines)),
        {"loopback": broken("closed-without-answer")},
        backends=[backend(opened())],
        log=[line],
    )
    assert causes(conclude_live(facts)) == code


@pytest.mark.parametrize("rejects", [True, False])
def test_a_default_that_refuses_names_in_tls(rejects):
    line = "    ssl_reject_handshake on;" if rejects else "    root /x;"
    default = f"server {{\n    listen 443 ssl default_server;\n{line}\n}}\n"
    other = site(proxied()).replace("app.test", "www.test")
    facts = host(default + other, {"loopback": broken("tls", "alert: unrecognized name")})
    assert first(facts).code == ("default-server-captured" if rejects else "tls-handshake-failed")


def test_a_map_that_chooses_the_other_pool():
    pools = "upstream pages { server 127.0.0.1:8000; }\nupstream sockets { server 127.0.0.1:8001; }\n"
    chosen = "map $http_upgrade $pool { default pages; upgrade sockets; }\n"
    facts = host(
        pools + chosen + site(proxied("http://$pool")),
        {"loopback": refused(404)},
        backends=[backend(refused(404), other_port=(socket_of(62, 8001), opened()))],
    )
    finding = first(facts)
    assert finding.code == "wrong-backend" and "another entry of the same map" in finding.title
    assert finding.evidence[0].line == 5
    names = "map $host $app { default 127.0.0.1:8000; other.test 127.0.0.1:8001; }\n"
    facts = host(
        names + site(proxied("http://$app")),
        {"loopback": refused(404)},
        backends=[backend(refused(404), other_port=(socket_of(62, 8001), opened()))],
    )
    finding = first(facts)
    assert (finding.code, finding.evidence[0].line) == ("wrong-backend", 3)
    plain = host(
        pools + site(proxied("http://pages") + "    location /other { proxy_pass http://sockets; }"),
        {"loopback": refused(404)},
        backends=[backend(refused(404), other_port=(socket_of(62, 8001), opened()))],
    )
    assert first(plain).code == "wrong-location"


def refused_file(tmp_path, text, message, line):
    """The finding for a file that nginx refuses with a message."""
    path = tmp_path / "site.conf"
    path.write_text(text, encoding="utf-8")
    from module_utils.nginx_websocket.conf.load import load
    from module_utils.nginx_websocket.conf.tree import ConfSyntaxError

    try:
        tree = load(str(path))
    except ConfSyntaxError:
        tree = None
    return from_message(ConfigTest(False, [f"[emerg] {message} in {path}:{line}"], "nginx -t"), tree), path


def test_a_no_break_space_is_named_and_mended(tmp_path):
    text = "server {\n    proxy_set_header Upgrade\u00a0$http_upgrade;\n}\n"
    finding, path = refused_file(
        tmp_path, text, 'invalid number of arguments in "proxy_set_header" directive', 2
    )
    assert finding.code == "nginx-config-invalid" and "U+00A0" in finding.title
    assert (finding.change.file, finding.change.line) == (str(path), 2)
    assert finding.change.added == ["    proxy_set_header Upgrade $http_upgrade;"]


def test_a_byte_order_mark_is_named_and_taken_away_by_a_command(tmp_path):
    finding, path = refused_file(tmp_path, "\ufeffserver {\n}\n", 'unknown directive "server"', 1)
    assert "byte order mark" in finding.title
    assert finding.change.commands == [f"sed -i '1s/\\xef\\xbb\\xbf//g' {path}"]


MANY = 'invalid number of arguments in "proxy_set_header" directive'


def test_too_many_arguments_for_want_of_a_semicolon(tmp_path):
    text = "server {\n    proxy_set_header Host $host\n    proxy_http_version 1.1;\n}\n"
    finding, _ = refused_file(tmp_path, text, MANY, 3)
    assert finding.code == "semicolon-missing"
    assert finding.change.added == ["    proxy_set_header Host $host;"]
    text = "server {\n    proxy_set_header Host $host x;\n    proxy_http_version 1.1;\n}\n"
    assert refused_file(tmp_path, text, MANY, 2)[0].code == "nginx-config-invalid"


@pytest.mark.parametrize(
    ("inner", "code"),
    [("'' close # of the rest", "semicolon-missing"), ("'' close;\n# }", "nginx-config-invalid")],
)
def test_a_brace_that_nginx_does_not_expect(tmp_path, inner, code):
    text = f"map $http_upgrade $x {{\n{inner}\n\n}}\n"
    finding, _ = refused_file(tmp_path, text, 'unexpected "}"', text.count("\n"))
    assert finding.code == code
    assert code != "semicolon-missing" or finding.evidence[0].line == 2


def test_what_is_empty_is_no_secret_and_a_space_is_shown():
    assert discreet('proxy_set_header Authorization "";') == 'proxy_set_header Authorization "";'
    assert "***" in discreet('proxy_set_header Authorization "Bearer abcdef";')
    assert scrubbed("a\u00a0b\x1b\u202e", ()) == "a\u00a0b\\x1b\\x202e"


def test_the_port_that_was_asked_is_not_elsewhere(monkeypatch):
    facts = host(site(proxied()), {"loopback": refused(400)})
    own = [socket_of(70, 8000), dataclasses.replace(socket_of(71, 8000), address="0.0.0.0")]
    found = backend(refused(400), listeners=own)
    monkeypatch.setattr(elsewhere.place, "listening", lambda facts, unix: own)
    monkeypatch.setattr(elsewhere, "ask", lambda *args, **more: opened())
    elsewhere.look_elsewhere(facts, found)
    assert found.other_port is None
    found.listeners = [dataclasses.replace(socket_of(72, 8000), address="192.0.2.7")]
    elsewhere.look_elsewhere(facts, found)
    assert found.other_port is not None


def test_an_exact_location_that_adds_a_slash():
    facts = host(
        site(f"location = /ws/x {{\n{UP}\nproxy_pass http://127.0.0.1:8000/ws/x/;\n}}"),
        {"loopback": refused(404)},
    )
    found = backend(refused(404))
    asked = Request("/ws/x", [("Host", "app.test")])
    found.search = Search(refused(404), asked, opened(), ["path"])
    found.search.tried = [("as nginx sends it", refused(404)), ("with the client's path", opened())]
    found.search.opening_probe = found.search.tried[1][1]
    found.sent, found.client = Request("/ws/x/", asked.headers), asked
    facts.backends = [found]
    finding = first(facts)
    assert finding.code == "proxy-pass-double-slash"
    assert "/ws/x/" in shown(finding)


NOT_IT = 'upstream SSL certificate does not match "localhost" while SSL handshaking to upstream'


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["*.b.test", "192.0.2.1", "api.b.test"], "proxy_ssl_name api.b.test;"),
        (["*.b.test", "192.0.2.1", "x; }"], ""),
    ],
)
def test_a_certificate_is_asked_for_by_a_name_that_it_holds(names, line):
    lines = "proxy_ssl_verify on;\nproxy_ssl_trusted_certificate /ca.pem;"
    facts = host(
        site(proxied("https://localhost:8000", lines)),
        {"loopback": page(502)},
        backends=[backend(opened(tls={"names": names}), "localhost:8000")],
        log=[about_upstream(NOT_IT, "https://127.0.0.1:8000/ws/x")],
    )
    finding = first(facts)
    assert finding.code == "upstream-tls-failed"
    diff = finding.change.diff() if finding.change is not None else ""
    assert (line in diff) if line else not diff


@pytest.mark.parametrize(
    ("answer", "asked", "code", "directive"),
    [
        (page(502), broken("connect-refused"), "backend-down", b"proxy_pass"),
        (refused(401), refused(401), "backend-auth", b"proxy_pass"),
        (page(414), refused(400), "request-header-too-large", b"large_client_header_buffers"),
    ],
)
def test_every_cause_has_its_line_where_there_is_one(answer, asked, code, directive):
    body = "    large_client_header_buffers 4 1k;\n" + proxied()
    facts = host(site(body), {"loopback": answer}, backends=[backend(asked)])
    finding = first(facts)
    line = next(item.line for item in facts.configuration.walk() if item.name == directive)
    assert finding.code == code
    assert [item["line"] for item in finding.as_data()["evidence"] if item["line"]] == [line]


@pytest.mark.parametrize(
    ("words", "direct", "code"),
    [
        ("zone=a burst=20", opened(), ["limit-req"]),
        ("zone=a burst=20 nodelay", opened(), []),
        ("zone=a", opened(), []),
        ("zone=a burst=20", broken("answer-timeout"), ["backend-hang"]),
    ],
)
def test_a_limit_that_lets_handshakes_wait(words, direct, code):
    zone = "limit_req_zone $server_name zone=a:1m rate=2r/m;\n"
    facts = host(
        zone + site(proxied(lines=f"limit_req {words};")),
        {"loopback": broken("answer-timeout")},
        backends=[backend(direct)],
    )
    report = conclude_live(facts)
    assert causes(report) == code
    assert "limit-req" not in code or "no nodelay" in report.findings[0].title


@pytest.mark.parametrize(("asks", "code"), [("ssl_verify_client on;", True), ("", False)])
def test_another_server_by_host_than_by_the_name_in_tls(asks, code):
    inner = site(proxied(lines=asks)).replace("app.test", "inner.test")
    inner = inner.replace("location / {", f"{asks}\nlocation / {{")
    facts = host(site(proxied()) + inner, {"loopback": page(421)})
    facts.question.host = "inner.test"
    facts.route = route(facts.configuration, facts.question.route_request("127.0.0.1:443", "127.0.0.1"))
    report = conclude_live(facts)
    assert ("client-certificate-required" in causes(report)) == code
    assert not code or "the name in TLS was app.test" in report.findings[0].title


@pytest.mark.parametrize(
    ("later", "code"),
    [
        ("if ($request_method = GET) { set $x 1; }", "if-is-evil"),
        ("if ($request_method = PUT) { set $x 1; }", "wrong-location"),
        ("", "wrong-location"),
    ],
)
def test_of_two_conditions_that_hold_the_last_one_counts(later, code):
    inside = f"if ($http_upgrade) {{ proxy_pass http://127.0.0.1:8001; }}\n{later}"
    facts = host(
        site(proxied(lines=inside)),
        {"loopback": refused(404)},
        backends=[backend(refused(404), other_port=(socket_of(62, 8001), opened()))],
    )
    finding = first(facts)
    assert finding.code == code
    assert code != "if-is-evil" or finding.evidence[0].text.startswith("if ($request_method = GET) holds")


@pytest.mark.parametrize(
    ("error", "detail"), [("Not a directory", "the colon that ends its path"), ("No such file", "")]
)
def test_a_socket_that_is_looked_for_below_a_file(error, detail):
    facts = host(
        site(proxied("http://unix:/run/a.sock/ws")),
        {"loopback": page(502)},
        backends=[
            backend(
                broken("connect-failed", f"unix:/run/a.sock/ws: {error}"), "unix:/run/a.sock/ws", "/run/a"
            )
        ],
        log=[about_upstream("connect() failed (20: x)", "http://unix:/run/a.sock/ws:/ws/x", "crit")],
    )
    assert first(facts).code == "backend-down" and detail in first(facts).title


@pytest.mark.parametrize(
    ("name", "found"),
    [("path", ["proxy-pass-strips-prefix"]), ("Origin", ["error-page-intercept", "origin-rejected"])],
)
def test_a_page_hides_what_nginx_made_of_the_request(name, found):
    """What the application minds by itself, an error_page hides; what nginx spoilt, it only covers."""
    pages = "proxy_intercept_errors on;\nerror_page 404 =200 /i.html;\n"
    body = f"location /ws/ {{ {UP} {pages} proxy_pass http://127.0.0.1:8000/; }}"
    facts = host(site(body), {"loopback": refused(200, "<html>")})
    asked, sent = (Request(path, [("Host", "app.test"), ("Origin", "https://a")]) for path in ("/ws/x", "/x"))
    opening = asked if name == "path" else asked.with_header("Origin", None)
    answer = refused(404, "no route")
    found_there = backend(answer)
    found_there.search = Search(answer, opening, opened(), [name])
    found_there.search.tried = [
        ("as nginx sends it", answer),
        ("otherwise", found_there.search.opening_probe),
    ]
    found_there.sent, found_there.client = sent, asked
    facts.backends = [found_there]
    assert causes(conclude_live(facts)) == found


@pytest.mark.parametrize(("status", "line"), [(414, 4), (400, 10)])
def test_the_buffers_that_count_are_those_of_the_server_that_reads(status, line):
    """The line of a request is read before its Host, by the default server of a plain port."""
    buffers = "large_client_header_buffers 1 1k;\n"
    default = f"server {{\n{buffers}    listen 80;\n    server_name _;\n}}\n"
    own = site(proxied(), "80").replace("listen 80;", f"listen 80;\n{buffers}", 1)
    answer = page(status, "Request Header Or Cookie Too Large")
    facts = host(default + own, {"loopback": answer}, url=PLAIN)
    finding = first(facts)
    assert finding.code == "request-header-too-large"
    assert [item.line for item in finding.evidence if item.line] == [line]


@pytest.mark.parametrize(("asks", "said"), [("$user", True), ("$other", False)])
def test_a_condition_on_what_the_sign_in_says_later(asks, said):
    lines = "auth_request /auth; auth_request_set $user $upstream_http_x; set $other '';\n"
    lines += f'if ({asks} = "") {{ return 403; }}'
    finding = first(host(site(proxied(lines=lines)), {"loopback": page(403)}, backends=[backend(opened())]))
    assert finding.code == "return-status"
    assert ("auth_request_set fills it afterwards" in finding.title) == said
