"""The backend that proxy_pass names is the wrong one, or none: a variable is empty, another pool opens."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from tests.unit.diagnosis.seen import (
    PLAIN,
    UP,
    about_upstream,
    backend,
    causes,
    host,
    opened,
    page,
    refused,
    shown,
    site,
    socket_of,
)

PORTS = "map $host $port {\n    other.test 8000;\n}\n"


def location(head, to):
    """A location with the upgrade."""
    return f"    location {head} {{\n        {UP}\n        proxy_pass {to};\n    }}\n"


def empty(body, to, words="invalid port in upstream"):
    """The report for a host whose log calls the address invalid."""
    log = [about_upstream(f'{words} "127.0.0.1:"', "http://127.0.0.1:/ws/x")] if words else []
    facts = host(body + site(location("/", to), "80"), {"loopback": page(500)}, url=PLAIN, log=log)
    return conclude_live(facts)


@pytest.mark.parametrize(
    ("body", "to", "named"),
    [
        (PORTS, "http://127.0.0.1:$port", "$port"),
        (PORTS, "http://127.0.0.1:${port}", "$port"),
        ("map $host $app {\n    other.test 127.0.0.1:8000;\n}\n", "http://$app/x", "$app"),
        ("", "http://127.0.0.1:$arg_port", "$arg_port"),
        ("map $host $app {\n    other.test http://127.0.0.1:8000;\n}\n", "$app", "$app"),
    ],
)
@pytest.mark.parametrize("words", ["invalid port in upstream", ""])
def test_a_variable_that_is_empty_is_named(body, to, named, words):
    report = empty(body, to, words)
    assert causes(report) == ["wrong-backend"]
    assert f"{named}, which is empty" in report.findings[0].detail
    assert ("has no entry" in shown(report.findings[0])) == bool(body)


def test_a_capture_may_have_been_lost():
    assert causes(empty("", "http://127.0.0.1:$1")) == ["capture-lost"]


TWO = "upstream pages {\n    server 127.0.0.1:8000;\n}\nupstream sockets {\n    server 127.0.0.1:8072;\n}\n"


def two_pools(head):
    """The report where the pool of pages is asked for the sockets, and the other one opens them."""
    server = (
        location(head, "http://pages") + "    location /poll {\n        proxy_pass http://sockets;\n    }\n"
    )
    rest = "    location /about {\n        proxy_pass http://pages;\n    }\n"
    asked = backend(refused(500, "wrong port"))
    asked.other_port = (socket_of(7, 8072), opened())
    facts = host(TWO + site(server + rest, "80"), {"loopback": refused(500, "wrong port")}, url=PLAIN)
    facts.backends = [asked]
    return conclude_live(facts)


def general(lines):
    """The report where the general location leads to pages, and not as an upgrade needs it."""
    server = f"    location / {{\n        {lines}\n        proxy_pass http://pages;\n    }}\n"
    server += "    location /poll {\n        proxy_pass http://sockets;\n    }\n"
    asked = backend(refused(500, "wrong port"))
    asked.other_port = (socket_of(7, 8072), opened())
    facts = host(TWO + site(server, "80"), {"loopback": refused(500, "wrong port")}, url=PLAIN)
    facts.backends = [asked]
    return conclude_live(facts)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("", "location / sends no Upgrade header"),
        ("proxy_method POST;", "location / sends no Upgrade header"),
        ("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;", "'close' as Connection"),
    ],
)
def test_the_first_line_that_is_missing_beside_the_wrong_backend_is_shown_as_well(lines, told):
    report = general(lines)
    assert causes(report)[0] == "wrong-location"
    lines = shown(report.findings[0]).split("\n")
    assert "101, the WebSocket opens" in lines[2] and len(lines) == 4 and told in lines[3]


def test_a_location_for_sockets_that_names_another_pool_gets_the_right_one():
    report = two_pools("/ws/")
    assert causes(report) == ["wrong-backend"]
    assert "+        proxy_pass http://sockets;" in report.findings[0].change.text
    assert "the location of this path passes the upgrade to 127.0.0.1:8000" in report.findings[0].detail


@pytest.mark.parametrize(("port", "code"), [(8072, "regex-shadows-prefix"), (8073, "wrong-location")])
def test_a_location_for_the_sockets_that_another_one_hides_is_the_cause_where_it_leads_there(port, code):
    server = location("/ws/", f"http://127.0.0.1:{port}")
    server += "    location ~ ^/ {\n        proxy_pass http://127.0.0.1:8000;\n    }\n"
    server += "    location /poll {\n        proxy_pass http://127.0.0.1:8072;\n    }\n"
    asked = backend(refused(500, "wrong port"))
    asked.other_port = (socket_of(7, 8072), opened())
    facts = host(site(server, "80"), {"loopback": refused(500, "wrong port")}, url=PLAIN, backends=[asked])
    finding = conclude_live(facts).findings[0]
    assert finding.code == code
    assert "and to port 8072, to which this configuration leads as well: 101" in shown(finding)


def test_the_general_location_lacks_one_for_the_sockets():
    assert causes(two_pools("/")) == ["wrong-location"]
