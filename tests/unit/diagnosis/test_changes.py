"""The diff of a cause, applied: it stands in the right block, and nothing else of the file goes."""

from __future__ import annotations

import pytest

from module_utils.diagnosis.engine import diagnose_dump
from module_utils.diagnosis.facts import Question

HEAD = "events {}\nhttp {\n"
UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
)


def asked(text, url="ws://app.test/ws/x"):
    return diagnose_dump(Question(url), b"# configuration file /n.conf:\n" + text.encode())


def applied(text, change):
    lines = text.split("\n")
    first = change.line - 1
    assert lines[first : first + len(change.removed)] == change.removed
    lines[first : first + len(change.removed)] = change.added
    return "\n".join(lines)


def cured(server):
    """The configuration after the first diff, and the causes that are left."""
    text = HEAD + server + "\n}\n"
    finding = asked(text).findings[0]
    assert finding.is_cause
    assert finding.change is not None
    after = applied(text, finding.change)
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


def test_a_block_on_one_line_is_split_before_its_end():
    after, _ = cured("server {\n  listen 80;\n  location / { proxy_pass http://b; } # x\n}")
    assert after.split("\n")[4:9] == [
        "  location / { proxy_pass http://b;",
        "      proxy_http_version 1.1;",
        "      proxy_set_header Upgrade $http_upgrade;",
        '      proxy_set_header Connection "upgrade";',
        "  } # x",
    ]


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
