"""One case for each cause that a family of rules tells, from what was seen to the first finding."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence.facts import ConfigTest
from module_utils.nginx_websocket.diagnosis.experiments.search import Request, Search
from module_utils.nginx_websocket.diagnosis.location.error_pages import shown_as
from tests.unit.diagnosis.seen import (
    UP,
    about_upstream,
    backend,
    broken,
    host,
    logged,
    opened,
    page,
    proxied,
    refused,
    site,
    socket_of,
)

PLAIN = "ws://app.test/ws/x"


def first(facts):
    """Code and text of the finding that comes first, which must be a cause."""
    report = conclude_live(facts)
    assert report.verdict == "fails", report.sentence
    return report.findings[0]


def shown(finding):
    return "\n".join(item.shown() for item in finding.evidence)


# ---------------------------------------------------------------------------------------- nginx and its port


def held(owner, **more):
    facts = host(site(proxied()), {"loopback": broken("connect-refused")}, **more)
    facts.owner, facts.owner_is_nginx = owner, False
    return facts


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origin": "container"}, "docker ps --filter publish=443"),
        ({"exe": "/usr/bin/docker-proxy"}, "docker ps --filter publish=443"),
        ({"pid": None, "pids": []}, "docker ps --filter publish=443"),
        ({"exe": "/usr/sbin/apache2"}, ""),
    ],
)
def test_somebody_else_has_the_port(change, words):
    finding = first(held(dataclasses.replace(socket_of(77, 443), **change)))
    assert finding.code == "other-process-on-port" and words in finding.fix
    assert "port 443 on 127.0.0.1" in shown(finding)


def test_no_nginx_runs():
    facts = host(site(proxied()), {"loopback": broken("connect-refused")})
    facts.owner, facts.nginx, facts.nginx_choice = None, None, "nobody is called nginx"
    finding = first(facts)
    assert finding.code == "nginx-not-running" and "nobody is called nginx" in shown(finding)


@pytest.mark.parametrize(
    ("kind", "listen", "code"),
    [
        ("dns", "443 ssl", "name-not-resolved"),
        ("connect-refused", "443 ssl", "port-not-listening"),
        ("connect-refused", "8443 ssl", "port-not-listening"),
        ("connect-timeout", "443 ssl", "address-unreachable"),
        ("connect-failed", "443 ssl", "address-unreachable"),
    ],
)
def test_no_connection_comes_about(kind, listen, code):
    facts = host(site(proxied(), listen), {"loopback": broken(kind)})
    facts.firewall = ["chain input: drop tcp dport 443"]
    finding = first(facts)
    assert finding.code == code
    assert ("drop tcp dport 443" in shown(finding)) is (code == "address-unreachable")


# ---------------------------------------------------------------------------------------- TLS and protocol


def test_a_port_without_tls_names_the_one_that_has_it():
    body = site(proxied(), "8080") + site(proxied(), "8443 ssl")
    facts = host(body, {"loopback": broken("tls", "wrong version number")}, url="wss://app.test:8080/ws/x")
    finding = first(facts)
    assert finding.code == "tls-not-enabled"
    assert "open wss://app.test:8443" in finding.fix and "port 8080 must stay plain" in finding.fix


def test_a_port_that_speaks_no_tls_though_the_files_say_so():
    facts = host(site(proxied()), {"loopback": broken("tls", "the server does not speak TLS on this port")})
    assert first(facts).code == "tls-not-enabled"


def test_the_certificate_of_another_site_is_behind_the_server_that_answers():
    body = site(proxied(), "443 ssl").replace("app.test", "other.test")
    tls = {"verify_error": "Hostname mismatch", "names": "other.test", "subject": "other.test"}
    tls["verify_error"] = "it is for other.test, not for app.test"
    report = conclude_live(host(body, {"loopback": broken("tls", tls=tls)}))
    causes = [finding.code for finding in report.findings if finding.is_cause]
    assert causes[-1] == "cert-invalid" and set(causes) <= {"default-server-captured", "cert-invalid"}


@pytest.mark.parametrize(
    ("hops", "log", "url", "listen", "code"),
    [
        ({"loopback": broken("not-http", "an answer in HTTP/2")}, [], PLAIN, "80", "h2c-on-plain-port"),
        ({"loopback": broken("not-http", "nonsense")}, [], PLAIN, "80 http2", "h2c-on-plain-port"),
        (
            {"loopback": broken("closed-without-answer")},
            [logged("1024 worker_connections are not enough", "alert")],
            PLAIN,
            "80",
            "worker-connections",
        ),
        (
            {"loopback": broken("closed-without-answer")},
            [logged("accept4() failed (24: Too many open files)", "alert")],
            PLAIN,
            "80",
            "open-file-limit",
        ),
        (
            {"loopback": broken("answer-timeout")},
            [logged("accept4() failed (24: Too many open files)", "alert")],
            PLAIN,
            "80",
            "open-file-limit",
        ),
        ({"loopback": broken("answer-timeout")}, [], PLAIN, "80", "backend-hang"),
    ],
)
def test_no_http_comes_back(hops, log, url, listen, code):
    silent = [backend(broken("answer-timeout"))]
    assert first(host(site(proxied(), listen), hops, url=url, log=log, backends=silent)).code == code


def test_a_clients_own_alpn_leads_to_http2():
    facts = host(
        site(proxied(), "443 ssl http2"),
        {"loopback": broken("closed-without-answer"), "alpn": broken("not-http", tls={"alpn": "h2"})},
    )
    assert first(facts).code == "http2-only"


# ---------------------------------------------------------------------------------------- nginx's own answer


@pytest.mark.parametrize(
    ("answer", "log", "code"),
    [
        (page(400, "The plain HTTP request was sent to HTTPS port"), [], "plain-http-to-tls-port"),
        (page(400, "Request Header Or Cookie Too Large"), [], "request-header-too-large"),
        (page(414), [], "request-header-too-large"),
        (page(503), [logged('limiting requests, excess: 1.0 by zone "a", client: 127.0.0.1')], "limit-req"),
        (page(503), [logged('limiting connections by zone "a", client: 127.0.0.1')], "limit-conn"),
        (page(403), [logged("access forbidden by rule, client: 127.0.0.1")], "access-denied"),
    ],
)
def test_nginx_says_no(answer, log, code):
    facts = host(
        site(proxied(), "80"), {"loopback": answer}, url=PLAIN, log=log, backends=[backend(opened())]
    )
    assert first(facts).code == code


# ---------------------------------------------------------------------------------------- the backend


@pytest.mark.parametrize(
    ("probe", "more", "code"),
    [
        (broken("connect-timeout"), {}, "backend-connect-timeout"),
        (broken("answer-timeout"), {}, "backend-hang"),
        (broken("answer-timeout"), {"other_scheme": opened()}, "upstream-scheme-mismatch"),
        (broken("closed-without-answer"), {"other_scheme": refused(404)}, "upstream-scheme-mismatch"),
        (broken("closed-without-answer"), {}, "wrong-backend-protocol"),
        (broken("not-http"), {}, "wrong-backend-protocol"),
        (broken("tls"), {}, "upstream-tls-failed"),
        (broken("tls"), {"with_name": opened()}, "upstream-sni-missing"),
        (broken("connect-refused"), {"other_port": (socket_of(62, 8001), opened())}, "backend-down"),
    ],
)
def test_no_answer_of_the_backend(probe, more, code):
    facts = host(site(proxied()), {"loopback": page(502)}, backends=[backend(probe, **more)])
    assert first(facts).code == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (
            "upstream sent too big header while reading response header from upstream",
            "upstream-header-too-big",
        ),
        (
            "connect() to 127.0.0.1:8000 failed (13: Permission denied) while connecting to upstream",
            "upstream-permission-denied",
        ),
        (
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            "backend-connect-timeout",
        ),
        (
            "upstream timed out (110: Connection timed out) while reading response header from upstream",
            "timeout-short",
        ),
    ],
)
def test_the_log_says_what_a_direct_question_does_not(words, code):
    line = about_upstream(words, "http://127.0.0.1:8000/ws/x")
    late = dataclasses.replace(refused(404), seconds=90.0)
    facts = host(site(proxied()), {"loopback": page(504)}, backends=[backend(late)], log=[line])
    assert first(facts).code == code


@pytest.mark.parametrize(
    ("probe", "more", "code", "words"),
    [
        (refused(401), {}, "backend-auth", ""),
        (refused(403), {}, "backend-auth", "whatever the Host and Origin"),
        (refused(500), {}, "backend-error", "answers 500 by itself"),
        (
            refused(302, headers=[("Location", "/login")]),
            {},
            "backend-error",
            "the backend itself redirects (302 to /login)",
        ),
        (refused(200), {"plain": refused(200)}, "backend-no-websocket", "ignores upgrades"),
        (refused(404), {}, "backend-no-websocket", ""),
        (
            refused(404),
            {"other_port": (socket_of(62, 8001), opened())},
            "wrong-backend",
            "opens on port 8001",
        ),
        (refused(400), {"other_scheme": opened()}, "upstream-scheme-mismatch", ""),
        (opened(closed_after=0.1), {}, "backend-closed", ""),
    ],
)
def test_the_backend_refuses_by_itself(probe, more, code, words):
    asked = opened(closed_after=0.1, close_code=1008) if probe.opened else probe
    facts = host(site(proxied()), {"loopback": asked}, backends=[backend(probe, **more)])
    finding = first(facts)
    assert finding.code == code and words in finding.title


CLIENT = Request(
    "/ws/x?token=1",
    [
        ("Host", "app.test"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        ("Origin", "https://app.test"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "443"),
    ],
)


def experiment(sent, *fatal, opening=CLIENT, answer=None):
    """A backend that refuses nginx's request, and opens for another one; these properties were fatal."""
    search = Search(answer or refused(403), opening, opened(), list(fatal))
    search.tried = [("as nginx sends it", search.as_sent), ("with another one", search.opening_probe)]
    found = backend(search.as_sent)
    found.search, found.sent, found.client = search, sent, CLIENT
    return found


@pytest.mark.parametrize(
    ("line", "fatal", "sent", "code", "words"),
    [
        ("", "Host", "127.0.0.1:8000", "host-header-wrong", "proxy_set_header Host $http_host"),
        (
            "proxy_set_header Host $proxy_host;",
            "Host",
            "x",
            "host-header-wrong",
            "proxy_set_header Host $http_host",
        ),
        (
            "",
            "X-Forwarded-Proto",
            None,
            "forwarded-proto-missing",
            "proxy_set_header X-Forwarded-Proto $scheme",
        ),
        ("", "X-Forwarded-Port", "80", "host-header-wrong", "proxy_set_header X-Forwarded-Port $server_port"),
        ("", "Origin", "https://other.test", "origin-rejected", "proxy_set_header Origin $http_origin"),
        ("", "Sec-WebSocket-Key", None, "request-headers-not-passed", ""),
        ("", "Sec-WebSocket-Protocol", None, "subprotocol-stripped", ""),
        ("", "x_token", None, "header-underscore-dropped", ""),
        ("", "Upgrade", None, "no-upgrade-header", ""),
        ("", "Connection", "close", "connection-header-wrong", ""),
        ("", "version", None, "http10-upstream", ""),
        ("", "method", None, "method-changed", ""),
        ("", "query", None, "query-string-lost", ""),
        ("", "hosts", None, "duplicate-host-header", ""),
    ],
)
def test_the_property_that_was_fatal_is_the_cause(line, fatal, sent, code, words):
    request = CLIENT.with_header(fatal, sent) if "-" in fatal or fatal in ("Host", "Origin") else CLIENT
    body = site(f"    location / {{ {UP} {line} proxy_pass http://127.0.0.1:8000; }}")
    finding = first(host(body, {"loopback": refused(403)}, backends=[experiment(request, fatal)]))
    assert finding.code == code and words in finding.fix
    assert "sent to 127.0.0.1:8000: 403" in shown(finding)
    if fatal in ("Host", "X-Forwarded-Proto", "Origin"):
        assert f"nginx sends {fatal}: {sent}" in shown(finding) or f"nginx sends no {fatal}" in shown(finding)


@pytest.mark.parametrize(
    ("location", "to", "sent", "opening", "code"),
    [
        ("/ws/", "http://127.0.0.1:8000/", "/x", "/ws/x", "proxy-pass-strips-prefix"),
        ("/ws/", "http://127.0.0.1:8000", "/ws/x", "/x", "proxy-pass-keeps-prefix"),
        ("/", "http://127.0.0.1:8000", "/ws/x", "/ws/x/y", "proxy-pass-strips-prefix"),
    ],
)
def test_the_path_that_the_backend_knows(location, to, sent, opening, code):
    body = site(f"    location {location} {{ {UP} proxy_pass {to}; }}")
    request, right = dataclasses.replace(CLIENT, target=sent), dataclasses.replace(CLIENT, target=opening)
    found = experiment(request, "path", opening=right, answer=refused(404))
    assert first(host(body, {"loopback": refused(404)}, backends=[found])).code == code


def test_a_rewrite_that_changes_the_path():
    body = site(f"    location / {{ {UP} rewrite ^/ws/(.*) /$1 break; proxy_pass http://127.0.0.1:8000; }}")
    found = experiment(dataclasses.replace(CLIENT, target="/x"), "path", answer=refused(404))
    assert first(host(body, {"loopback": refused(404)}, backends=[found])).code == "rewrite-changes-path"


# ---------------------------------------------------------------------------------------- the open socket


@pytest.mark.parametrize(
    ("lines", "after", "direct", "code"),
    [
        ("proxy_read_timeout 3s;", 3.0, opened(), "timeout-short"),
        ("", 1.0, opened(closed_after=1.0), "backend-closed"),
    ],
)
def test_a_socket_that_ends(lines, after, direct, code):
    facts = host(
        site(proxied(lines=lines)),
        {"loopback": opened(closed_after=after, close_code=1006)},
        backends=[backend(direct)],
    )
    assert first(facts).code == code


@pytest.mark.parametrize(
    ("body", "answer", "log", "code"),
    [
        (
            "limit_conn_zone $binary_remote_addr zone=a:1m;\n"
            + site(proxied(lines="        limit_conn a 1;")),
            page(503),
            [],
            "limit-conn",
        ),
        (
            "upstream app { server 127.0.0.1:8000 max_conns=1; }\n" + site(proxied("http://app")),
            page(502),
            [about_upstream("no live upstreams while connecting to upstream", "http://app/ws/x")],
            "upstream-max-conns",
        ),
    ],
)
def test_a_second_socket_is_refused_by_a_limit(body, answer, log, code):
    facts = host(body, {"loopback": opened()}, backends=[backend(opened())], log=log)
    facts.many = [opened(), answer]
    report = conclude_live(facts)
    finding = next(one for one in report.findings if one.code == code)
    assert "of 2 sockets opened together 1 opened" in shown(finding)


def test_a_session_that_the_next_backend_does_not_know():
    found = backend(refused(400), session=opened())
    facts = host(
        "upstream app { server 127.0.0.1:8000; server 127.0.0.1:8001; }\n" + site(proxied("http://app")),
        {"loopback": refused(400)},
        backends=[found],
    )
    facts.session = [refused(200), refused(400)]
    finding = first(facts)
    assert finding.code == "no-sticky-session" and "the same straight to" in shown(finding)


# ---------------------------------------------------------------------------------------- pages in its place


def test_a_page_that_hides_what_the_backend_refused():
    lines = "        proxy_intercept_errors on;\n        error_page 403 /denied.html;"
    facts = host(
        site(proxied(lines=lines)),
        {"loopback": refused(403, "<h1>sorry</h1>")},
        backends=[backend(refused(403, "no token"))],
    )
    report = conclude_live(facts)
    causes = [finding.code for finding in report.findings if finding.is_cause]
    assert causes == ["error-page-intercept", "backend-auth"]


def test_clients_that_differ_in_one_header():
    body = site(
        f"    location / {{ {UP}\n        if ($http_connection = Upgrade) {{\n"
        "            proxy_pass http://127.0.0.1:8000;\n        }\n        return 404;\n    }"
    )
    facts = host(body, {"loopback": page(404), "other client": opened()})
    finding = first(facts)
    assert finding.code == "connection-header-wrong" and "$http_upgrade" in finding.fix


def test_a_page_of_the_site_itself_is_refused():
    facts = host(site(proxied()), {"loopback": refused(404, "gone"), "no origin": opened()})
    finding = first(facts)
    assert finding.code == "origin-rejected" and "Origin https://app.test" in finding.title
    assert "the no origin handshake: 101" in shown(finding)


# ---------------------------------------------------------------------------------------- nginx -t says no


@pytest.mark.parametrize(
    ("message", "line", "code"),
    [
        ('[emerg] "map" directive is not allowed here', "", "map-wrong-context"),
        ('[emerg] unknown "connection_upgrade" variable', "", "missing-map"),
        ('[emerg] unknown "colour" variable', "", "nginx-config-invalid"),
        (
            '[emerg] invalid number of arguments in "proxy_set_header" directive',
            "proxy_set_header Upgrade;",
            "upgrade-header-wrong-value",
        ),
        (
            '[emerg] invalid number of arguments in "proxy_set_header" directive',
            "proxy_set_header Host;",
            "nginx-config-invalid",
        ),
        ('[emerg] invalid value "2"', "proxy_http_version 2;", "http2-upstream"),
        ('[emerg] unknown directive "nonsense"', "", "nginx-config-invalid"),
    ],
)
@pytest.mark.parametrize("running", [True, False])
def test_a_configuration_that_nginx_refuses(tmp_path, message, line, code, running):
    path = tmp_path / "nginx.conf"
    path.write_text(f"events {{}}\n{line}\n")
    facts = host(site(proxied()), {"loopback": page(502)})
    facts.test = ConfigTest(False, [f"{message} in {path}:2"], "nginx -t")
    if not running:
        facts.nginx.master = None
    finding = first(facts)
    assert finding.code == code and (finding.evidence[0].file, finding.evidence[0].line) == (str(path), 2)
    words = "goes on with the configuration that it loaded before" if running else "does not start with it"
    assert words in shown(finding)


@pytest.mark.parametrize(
    ("page_line", "answered", "told"),
    [
        ("error_page 403 =404 /denied.html;", refused(404), True),
        ("error_page 403 =404 /denied.html;", refused(200), False),
        ("error_page 403 https://login.test/;", refused(302), True),
        ("error_page 403 https://login.test/;", refused(200), False),
        ("error_page 403 = /denied.html;", refused(200), True),
        ("error_page 403 /denied.html;", refused(404), True),
        ("error_page 500 /denied.html;", refused(404), False),
    ],
)
def test_a_refusal_may_come_as_another_page(page_line, answered, told):
    facts = host(site(proxied(lines=f"        deny all;\n        {page_line}")), {"loopback": answered})
    assert shown_as(facts, (403,), answered) is told
