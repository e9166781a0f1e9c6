"""The diff of a cause, applied: it stands in the right block, and nothing else of the file goes."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.unit.diagnosis.seen import patched

HEAD = "events {}\nhttp {\n"
UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
)


def asked(text, url="ws://app.test/ws/x"):
    return diagnose_dump(Question(url), b"# configuration file /n.conf:\n" + text.encode())


def cured(server):
    """The configuration after the first diff, and the causes that are left."""
    text = HEAD + server + "\n}\n"
    finding = asked(text).findings[0]
    assert finding.is_cause
    assert finding.change is not None
    after = patched(text, finding.change.diff())
    return after, [item.code for item in asked(after).findings if item.is_cause]


@pytest.mark.parametrize(
    "server",
    [
        "server {\n    listen 80;\n    location / { proxy_pass http://b; proxy_set_header Host $host; }\n}",
        "server { listen 80; location / { proxy_pass http://b; } }",
        "server { listen 80; location / { proxy_pass http://b; } } server { listen 81; }",
        "server {\n    listen 80;\n    location / {\n        proxy_pass http://b; }\n}",
        "server {\n    listen 80;\n    location / {\n        proxy_pass\n            http://b; } }",
        "server {\n    listen 80;\n    location / { proxy_pass http://b; location /a/ {\n } }\n}",
        "server {\n    listen 80;\n    location / {\n        proxy_pass http://b; # here\n    }\n}",
    ],
)
def test_lines_are_added_inside_the_block_of_proxy_pass(server):
    after, left = cured(server)
    assert left == []
    assert after.count("{") == after.count("}")


def test_a_block_on_one_line_stays_on_one_line():
    after, _ = cured("server {\n  listen 80;\n  location /ws/ { proxy_pass http://b; } # x\n}")
    assert after.split("\n")[4] == (
        "  location /ws/ { proxy_pass http://b; proxy_http_version 1.1; "
        "proxy_set_header Upgrade $http_upgrade; "
        'proxy_set_header Connection "upgrade"; } # x'
    )


@pytest.mark.parametrize(
    "lines",
    [
        f"{UPGRADE} proxy_hide_header Upgrade; proxy_pass http://b;",
        f"{UPGRADE} proxy_pass http://b; proxy_hide_header Upgrade;",
        f"{UPGRADE} proxy_pass http://b;\n        proxy_hide_header Upgrade; # not this one\n",
    ],
)
@pytest.mark.parametrize(
    "around", ["location / { %s }", "location / {\n        %s }", "location / {\n  %s\n}"]
)
def test_a_line_is_changed_without_the_others_that_share_it(lines, around):
    after, left = cured("server { listen 80;\n" + around % lines + "\n}")
    assert left == []
    assert "proxy_hide_header" not in after
    assert "proxy_pass http://b;" in after


PLAIN = """server {{
    listen 80;
    server_name app.test;{server}
    {location}
}}
"""
TLS = """server {{
    listen 443 ssl;
    server_name app.test;
    {other}
}}"""


@pytest.mark.parametrize(
    "location",
    [
        f"location /ws/ {{\n        {UPGRADE}\n        proxy_pass http://b;\n    }}",
        f"location ~ ^/ws/ {{ {UPGRADE} proxy_pass http://b; }}",
        f"location = /ws/x {{\n {UPGRADE} proxy_pass http://b; }}",
        "location ^~ /ws/ { proxy_pass http://b; }",
    ],
)
@pytest.mark.parametrize(
    "other", ["location / { proxy_pass http://b; }", "root /srv;", "location ~ \\.php { }"]
)
def test_the_location_of_the_plain_server_is_given_to_the_tls_server(location, other):
    server = "" if "Upgrade" in location else f"\n    {UPGRADE}"
    text = HEAD + PLAIN.format(server=server, location=location) + TLS.format(other=other) + "\n}\n"
    finding = asked(text, "wss://app.test/ws/x").findings[0]
    assert (finding.code, finding.is_cause) == ("ws-missing-in-tls-server", True)
    after = patched(text, finding.change.diff())
    assert not any(item.is_cause for item in asked(after, "wss://app.test/ws/x").findings)
    assert after.count("location") == text.count("location") + 1


MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n"


@pytest.mark.parametrize(
    ("own", "other", "more"),
    [
        # (proxy_pass of the plain server's location, the TLS server, locations that come)
        ("http://b", "location / { proxy_pass http://b; }", 0),
        ("http://b", "location / { proxy_pass http://c; }", 1),
        ("http://b/y/", "location / { proxy_pass http://b/y/; }", 1),
        ("http://b", "location / { set $x b; proxy_pass http://$x; }", 1),
        ("http://b", "root /srv;", 1),
    ],
)
@pytest.mark.parametrize("http", [MAP, ""])
def test_a_general_location_gets_the_lines_where_a_map_of_the_files_own_leaves_the_rest(
    own, other, more, http
):
    location = f"location /ws/ {{ {UPGRADE} proxy_pass {own}; }}"
    text = HEAD + http + PLAIN.format(server="", location=location) + TLS.format(other=other) + "\n}\n"
    finding = asked(text, "wss://app.test/ws/x").findings[0]
    assert finding.code == "ws-missing-in-tls-server"
    after = patched(text, finding.change.diff())
    assert after.count("location") == text.count("location") + (more if http else 1)
    assert ("let the location that answers pass the upgrade on" in finding.fix) == (http != "" and not more)
    assert not any(item.is_cause for item in asked(after, "wss://app.test/ws/x").findings)


def test_a_map_is_no_reason_to_leave_a_location_behind_another():
    """Only a location that another server lacks can be spared."""
    shadowed = (
        f"location /ws/ {{ {UPGRADE} proxy_pass http://b; }}\n    location ~ ^/ {{ proxy_pass http://b; }}"
    )
    text = HEAD + MAP + PLAIN.format(server="", location=shadowed) + "\n}\n"
    finding = asked(text, "ws://app.test/ws/x").findings[0]
    assert finding.code == "regex-shadows-prefix" and "let the location that answers" not in finding.fix
    after = patched(text, finding.change.diff())
    assert "location ^~ /ws/" in after
    assert not any(item.is_cause for item in asked(after, "ws://app.test/ws/x").findings)


def test_a_server_on_one_line_is_split_for_the_location():
    location = f"location /ws/ {{ {UPGRADE} proxy_pass http://b; }}"
    text = HEAD + PLAIN.format(server="", location=location)
    text += "server { listen 443 ssl; server_name app.test; location / { return 404; } }\n}\n"
    finding = asked(text, "wss://app.test/ws/x").findings[0]
    assert finding.code == "ws-missing-in-tls-server"
    assert f"-{text.split(chr(10))[-3]}\n" in finding.change.diff()
    assert not any(
        item.is_cause for item in asked(patched(text, finding.change.diff()), "wss://app.test/ws/x").findings
    )


@pytest.mark.parametrize(
    ("server", "other", "diff"),
    [
        ("\n    set $target b;", "root /srv;", False),
        ("", "location ~ ^/ws/ { root /srv; }", False),
        ("", "return 404;", False),
        ("", "location /ws/ { proxy_pass http://b; }", True),
    ],
)
def test_a_location_that_would_not_work_there_is_not_copied(server, other, diff):
    location = f"location /ws/ {{ {UPGRADE} proxy_pass http://$target; }}"
    text = HEAD + PLAIN.format(server=server, location=location) + TLS.format(other=other) + "\n}\n"
    finding = asked(text, "wss://app.test/ws/x").findings[0]
    assert finding.code == "ws-missing-in-tls-server"
    assert (finding.change is not None) is diff
    if diff:
        after = patched(text, finding.change.diff())
        assert after.count("location") == text.count("location")
        assert not any(item.is_cause for item in asked(after, "wss://app.test/ws/x").findings)
