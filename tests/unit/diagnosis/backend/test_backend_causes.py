"""The backend got the request and refuses it: by itself, or for one property of what nginx sent."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket.diagnosis.backend.properties import _path_code
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.experiments.search import Request, Search
from tests.unit.diagnosis.seen import (
    UP,
    backend,
    broken,
    causes,
    first,
    host,
    opened,
    proxied,
    refused,
    shown,
    site,
    socket_of,
)


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


@pytest.mark.parametrize(("inherited", "code"), [(False, "wrong-backend"), (True, "wrong-location")])
def test_lines_that_a_server_gives_to_all_make_no_location_the_websockets_own(inherited, code):
    lines = f"{UP}\nlocation /ws/ {{ proxy_pass http://127.0.0.1:8000; }}"
    own = f"location /ws/ {{ {UP}\nproxy_pass http://127.0.0.1:8000; }}"
    other = "location /live/ { proxy_pass http://127.0.0.1:8001; }"
    facts = host(
        site(f"{lines if inherited else own}\n{other}"),
        {"loopback": refused(200)},
        backends=[backend(refused(200), other_port=(socket_of(62, 8001), opened()))],
    )
    assert first(facts).code == code


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


def test_a_page_of_the_site_itself_is_refused():
    facts = host(site(proxied()), {"loopback": refused(404, "gone"), "no origin": opened()})
    finding = first(facts)
    assert finding.code == "origin-rejected" and "Origin https://app.test" in finding.title
    assert "the no origin handshake: 101" in shown(finding)


def variables(path="/"):
    """A location whose proxy_pass is made of variables, with a URI part."""
    return (
        "    location ^~ /desktop/ {\n        set $to 127.0.0.1;\n        "
        f"{UP}\n        proxy_pass http://$to:8000{path};\n    }}"
    )


def placed(head, to):
    """A location with everything that an upgrade needs."""
    return f"    location {head} {{\n        {UP}\n        proxy_pass {to};\n    }}"


def answered(body, url, sent, opening):
    """Facts where another path than nginx's opened at the backend."""
    found = backend(refused(404, "no route"))
    client = url.partition("app.test")[2]
    found.sent, found.client = Request(sent, []), Request(client, [])
    found.search.opening, found.search.opening_probe = Request(opening, []), opened()
    found.search.tried.append(("another path", found.search.opening_probe))
    found.search.fatal = ["path"]
    return host(body, {"loopback": refused(404, "no route")}, url=url, backends=[found]), found


@pytest.mark.parametrize(
    ("body", "url", "sent", "opening", "code", "change"),
    [
        (
            variables(),
            "wss://app.test/desktop/websockify",
            "/",
            "/websockify",
            "proxy-pass-variable-uri",
            "rewrite ^/desktop(/.*)$ $1 break;",
        ),
        (
            placed("~ ^/gradio/(.*)$", "http://127.0.0.1:8000"),
            "wss://app.test/gradio/queue/join",
            "/gradio/queue/join",
            "/queue/join",
            "proxy-pass-keeps-prefix",
            "rewrite ^/gradio(/.*)$ $1 break;",
        ),
        (
            placed("~ ^/ttyd(.*)$", "http://127.0.0.1:8000/$1"),
            "wss://app.test/ttyd/ws",
            "//ws",
            "/ws",
            "proxy-pass-double-slash",
            "proxy_pass http://127.0.0.1:8000$1;",
        ),
        (
            placed("/cable", "http://127.0.0.1:8000/"),
            "wss://app.test/cable",
            "/",
            "/cable",
            "proxy-pass-strips-prefix",
            "proxy_pass http://127.0.0.1:8000;",
        ),
    ],
)
def test_paths_that_no_uri_part_can_make(body, url, sent, opening, code, change):
    facts, found = answered(site(body), url, sent, opening)
    assert _path_code(facts, found) == code
    report = conclude_live(facts)
    assert causes(report) == [code]
    assert change in report.findings[0].change.text


def test_a_page_of_the_site_is_refused_and_a_bare_client_is_not():
    facts = host(site(proxied()), {"loopback": refused(403, "bad origin"), "no origin": opened()})
    facts.backends = []
    report = conclude_live(facts)
    assert causes(report) == ["origin-rejected"]
    assert "a page of this very site" in report.sentence


def test_servers_that_differ_fail_although_one_opens():
    good, bad = backend(opened()), backend(refused(404), "127.0.0.1:8001", ("127.0.0.1", 8001))
    good.each, bad.each = [("127.0.0.1:8000", opened())], [("127.0.0.1:8001", refused(404))]
    pool = "upstream pool {\n server 127.0.0.1:8000;\n server 127.0.0.1:8001;\n}\n"
    facts = host(pool + site(proxied("http://pool")), {"loopback": opened()}, backends=[good, bad])
    facts.repeated = [opened(), refused(404), opened(), refused(404)]
    report = conclude_live(facts)
    assert (report.verdict, causes(report)) == ("fails", ["upstream-servers-differ"])
    assert "127.0.0.1:8001" in report.sentence
    told = shown(report.findings[0])
    assert "of 4 handshakes through nginx 2 failed: 404 No" in told
    assert "127.0.0.1:8001, asked directly: 404 No" in told
    bad.each = [("127.0.0.1:8001", broken("closed-without-answer", "closed without a byte"))]
    assert "asked directly: closed without a byte" in shown(conclude_live(facts).findings[0])
    facts.repeated = [opened(), opened()]
    assert conclude_live(facts).verdict == "works"
