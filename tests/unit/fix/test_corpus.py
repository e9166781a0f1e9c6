"""Configurations of real-life shape, broken in every way: opened in one run, and nothing else changes."""

from __future__ import annotations

import re

import pytest
from conftest import UsersHost
from shapes import cases

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.fix.mending import hunks

CASES = cases()
PATHS = (
    "/",
    "/index.html",
    "/app.js",
    "/api/x",
    "/.env",
    "/.git/config",
    "/index.php",
    "/other",
    "/wsx",
    "/a/ws/",
)


def tree(text):
    data = f"events {{}}\nhttp {{\n{text}}}\n".encode()
    return load("/n.conf", read=lambda path: data, glob=lambda pattern: [])


def answers(text):
    """What everybody else gets, location by location; a refused configuration answers nobody."""
    found = {}
    configuration = tree(text)
    for name in sorted(set(re.findall(r"server_name (\S+);", text))):
        for path in PATHS:
            seen = behaviour(configuration, Request(f"http://{name}{path}"), version=(1, 22, 1), files=None)
            found[name, path] = (
                seen.answer,
                seen.guards,
                seen.upstream and (seen.upstream.uri, seen.upstream.headers),
            )
    return found


def test_there_are_as_many_cases_as_the_goal_asks_for():
    assert len(CASES) >= 60


@pytest.mark.parametrize(("name", "text", "url"), CASES, ids=[name for name, _, _ in CASES])
def test_one_run_opens_it_and_changes_nothing_else(name, text, url):
    host = UsersHost()
    host.put(text)
    done = host.fix(url)
    assert done.outcome == "applied", done.message
    mended = host.text()
    lines = [line for hunk in hunks(text.encode(), mended.encode()) for line in hunk.removed + hunk.added]
    most = 4 if "map" in name else 8 if "scheme-and" in name else 5
    assert len(lines) <= most, lines
    if "scheme" not in name and "map" not in name:  # nginx refuses those as they are, and answers nobody
        assert answers(mended) == answers(text)
    again = host.fix(url)
    assert (again.outcome, again.changed, host.text()) == ("unchanged", False, mended)
    assert host.rollback().outcome == "applied" and host.text() == text
