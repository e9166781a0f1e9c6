"""Why a WebSocket URL could not open before the release that cures it."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.transaction.site.model import UNDECIDED, Refused, RouteCheck, Site
from module_utils.nginx_websocket.transaction.surroundings.host import read_tree
from module_utils.nginx_websocket.transaction.tree.static_routes import broken_today, check_static

UPGRADES = """\
    location /ws/ {
        proxy_pass http://127.0.0.1:8000;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
    }
"""
PASSES = "    location / { proxy_pass http://127.0.0.1:8000; }\n"


def asked(tree, locations: str, name: str = "a.test", question=broken_today):
    tree.enable("a", f"server {{\n    server_name {name};\n{locations}}}\n")
    site = Site("a.test", b"", ["a.test"], routes=[RouteCheck("ws://a.test/ws/probe", "", "http://a.test")])
    nginx = tree.instance()
    return question([site], read_tree(nginx).configuration, nginx)


def test_a_location_that_does_not_upgrade_is_named_with_its_line(tree):
    [finding] = asked(tree, PASSES)
    assert finding.code == "no-upgrade-header"
    assert "ws://a.test/ws/probe" in finding.message
    assert "sites-enabled/a:3" in finding.message


@pytest.mark.parametrize(
    ("locations", "name"),
    [(UPGRADES + PASSES, "a.test"), (PASSES, "other.test")],
    ids=["a route that upgrades", "a site that comes for the first time"],
)
def test_nothing_was_broken(tree, locations, name):
    assert asked(tree, locations, name) == []


NAMED = """\
    location /ws/ { %s }
    location @app {
        proxy_pass http://127.0.0.1:8000;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
    }
"""


@pytest.mark.parametrize("line", ["error_page 404 = @app;", "auth_request /a; error_page 404 = @app;"])
def test_a_candidate_that_may_open_is_left_to_the_proof(tree, line):
    """Whether a file is missing, and so the named location is asked, is not in the configuration."""
    [finding] = asked(tree, NAMED % line, question=check_static)
    assert finding.code == UNDECIDED


@pytest.mark.parametrize("line", ["return 404;", "deny all; error_page 404 = @app;", ""])
def test_a_candidate_that_certainly_does_not_open_is_refused(tree, line):
    with pytest.raises(Refused, match="would not open") as refused:
        asked(tree, NAMED % line, question=check_static)
    assert "sites-enabled/a:3" in str(refused.value)


def test_a_candidate_that_opens_says_nothing(tree):
    assert asked(tree, UPGRADES, question=check_static) == []
