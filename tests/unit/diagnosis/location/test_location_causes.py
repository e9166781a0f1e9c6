"""Another server or location answers, or a page stands in the place of an answer."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.location.error_pages import shown_as
from tests.unit.diagnosis.seen import (
    UP,
    backend,
    causes,
    host,
    opened,
    page,
    proxied,
    refused,
    site,
    socket_of,
)


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


def test_why_the_location_that_leads_there_does_not_answer_is_the_cause():
    body = (
        "    location ~ / {\n        proxy_pass http://127.0.0.1:8001;\n    }\n"
        f"    location /ws {{\n        {UP}\n        proxy_pass http://127.0.0.1:8000;\n    }}"
    )
    wrong = backend(refused(404, "no such page"), "127.0.0.1:8001", ("127.0.0.1", 8001))
    wrong.other_port = (socket_of(7, 8000), opened())
    facts = host(site(body), {"loopback": refused(404, "no such page")}, backends=[wrong])
    assert causes(conclude_live(facts)) == ["regex-shadows-prefix"]


@pytest.mark.parametrize("passed", ["uwsgi_pass", "fastcgi_pass", "scgi_pass"])
def test_what_speaks_no_http_to_its_backend_is_the_cause(passed):
    body = site(f"    location / {{\n        {passed} 127.0.0.1:8000;\n    }}")
    report = conclude_live(host(body, {"loopback": refused(404, "no such page")}))
    assert causes(report) == ["wrong-pass-directive"]
    assert report.findings[0].evidence[0].line == 7


def test_a_name_that_no_server_has():
    body = site("    return 404;").replace("app.test", "other.test") + site(proxied()).replace(
        "app.test", "b.test"
    )
    report = conclude_live(host(body, {"loopback": page(404)}))
    assert causes(report)[0] == "default-server-captured"


def test_a_server_alone_on_its_port_that_has_the_name_is_no_stranger():
    report = conclude_live(host(site("    location / { return 503; }"), {"loopback": page(503)}))
    assert causes(report) == ["return-status"]
