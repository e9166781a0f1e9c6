"""Header lines of a file that several locations include: one location is mended, the others stay."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.engine import diagnose_configuration
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.edit import memory
from module_utils.nginx_websocket.edit.cures import Fault, cures

SITE = """\
events {}
http {
    map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    server {
        listen 80;
        server_name app.test;
        location /ws/ {
            include proxy.conf;
            proxy_pass http://127.0.0.1:8000;
        }
        location / {
            include proxy.conf;
            proxy_pass http://127.0.0.1:9000;
        }
    }
}
"""
HOST = "proxy_set_header Host $host;\n"
OLD, NEW = "proxy_http_version 1.0;\n", "proxy_http_version 1.1;\n"
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
CONNECTION = "proxy_set_header Connection $connection_upgrade;"


def tree(shared, more=""):
    files = {"/n.conf": SITE, "/proxy.conf": shared, "/more.conf": more}
    return load("/n.conf", read=lambda path: files[path].encode(), glob=lambda pattern: [pattern])


def diff(shared, more=""):
    """The diff of the first finding."""
    found = diagnose_configuration(Question("ws://app.test/ws/x"), tree(shared, more)).findings[0]
    assert found.is_cause
    return found.as_data()["diff"]


def changed(text):
    """Removed and added lines of a diff, without margins."""
    lines = [line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return [line[0] + line[1:].strip() for line in lines]


@pytest.mark.parametrize(
    ("shared", "added"),
    [
        (NEW + 'proxy_set_header Connection "";\n' + HOST, []),
        (NEW + HOST + "proxy_set_header Connection '';\nproxy_set_header Upgrade \"\";\n", []),
        ('proxy_set_header Connection "";\n' + HOST, [NEW.strip()]),
    ],
)
def test_beside_a_line_without_a_value_the_right_one_is_enough(shared, added):
    """nginx sends no header without a value, and so only one Connection."""
    found = diff(shared)
    assert found.startswith("--- /n.conf")
    assert changed(found) == [f"+{line}" for line in (*added, UPGRADE, CONNECTION)]


@pytest.mark.parametrize(
    ("shared", "kept", "added"),
    [
        (NEW + "proxy_set_header Connection keep-alive;\n" + HOST, [NEW, HOST], []),
        (OLD + 'proxy_set_header Connection "";\n' + HOST, [HOST], [NEW]),
        (
            HOST + "proxy_set_header Upgrade h2c;\nproxy_set_header Connection keep-alive;\n" + NEW,
            [HOST, NEW],
            [],
        ),
    ],
)
def test_a_wrong_value_has_the_lines_of_the_file_written_out(shared, kept, added):
    lines = [line.strip() for line in (*kept, *added)]
    found = changed(diff(shared))
    assert found == ["-include proxy.conf;", *(f"+{line}" for line in (*lines, UPGRADE, CONNECTION))]


def test_an_old_version_has_the_lines_of_the_file_written_out():
    """From the configuration alone it is no cause: some backends open in HTTP/1.0."""
    configuration = tree(OLD + HOST + UPGRADE + "\n" + CONNECTION + "\n")
    found = route(configuration, Request("ws://app.test/ws/x"))
    [edits] = cures(configuration, found, Fault("http10-upstream"))
    kept = (HOST.strip(), UPGRADE, CONNECTION, NEW.strip())
    written = changed(memory.diff(configuration, edits))
    assert written == ["-include proxy.conf;", *(f"+{line}" for line in kept)]


def test_the_file_itself_is_mended_where_nothing_changes_for_the_others():
    found = diff(NEW + "proxy_set_header Connection close;\n" + HOST)
    assert found.startswith("--- /proxy.conf")
    assert changed(found) == ["-proxy_set_header Connection close;", f"+{CONNECTION}", f"+{UPGRADE}"]


def test_what_the_file_includes_itself_is_not_lost():
    shared = NEW + "proxy_set_header Connection keep-alive;\ninclude more.conf;\n"
    assert diff(shared, "proxy_hide_header X-Powered-By;\n") == ""
