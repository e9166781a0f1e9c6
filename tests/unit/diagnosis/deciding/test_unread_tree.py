"""A tree that nobody can read: a change is offered only where the host's own nginx takes it."""

from __future__ import annotations

import types

import pytest

from module_utils.nginx_websocket.diagnosis.deciding import tested, unread
from module_utils.nginx_websocket.diagnosis.evidence.facts import ConfigTest, Facts, Question
from module_utils.nginx_websocket.diagnosis.words.findings import Finding

UP = (
    "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection upgrade;\n"
)
SITE = (
    "events {}\nhttp {\n    server {\n        listen 80;\n        server_name app.test;\n"
    "        location /ws {\n            include snippets/ws.conf;\n"
    "            proxy_pass http://127.0.0.1:8000;\n        }\n    }\n}\n"
)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host in a directory; ``asked`` holds what its nginx was asked about, and it takes ``good``."""
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "ws.conf").write_text(UP)
    seen = types.SimpleNamespace(path=tmp_path / "nginx.conf", asked=[], takes=True)

    def taken(facts, files):
        seen.asked.append(files)
        return seen.takes

    monkeypatch.setattr(tested, "taken", taken)

    def mended(text, words, url="ws://app.test/ws/x", inside=None):
        seen.path.write_text(text)
        facts = Facts(Question(url), live=True)
        facts.nginx = types.SimpleNamespace(conf_path=str(seen.path), prefix=str(tmp_path))
        facts.test = ConfigTest(False, [f"[emerg] {words}".replace("DIR", str(tmp_path))])
        facts.inside = inside
        cause = Finding("nginx-config-invalid")
        unread.offer([cause], facts)
        return cause.change.diff() if cause.change is not None else ""

    seen.mended = mended
    return seen


ENDS = 'unexpected end of file, expecting "}" in DIR/nginx.conf:11'


def test_the_brace_is_offered(host):
    found = host.mended(SITE.replace("        }\n", "", 1), ENDS)
    assert "\n+        }\n" in found
    assert f"--- {host.path}\n" in found


def test_what_nginx_does_not_take_is_not_offered(host):
    host.takes = False
    assert host.mended(SITE.replace("        }\n", "", 1), ENDS) == ""
    assert host.asked


def test_what_opens_no_socket_is_not_offered(host):
    assert host.mended(SITE.replace("        }\n", "", 1), ENDS, "ws://app.test/other") == ""
    assert not host.asked


def test_a_container_of_somebody_is_left_alone(host):
    assert host.mended(SITE.replace("        }\n", "", 1), ENDS, inside=object()) == ""


ABSENT = 'open() "DIR/%s" failed (2: No such file or directory) in DIR/nginx.conf:7'


@pytest.mark.parametrize("written", ["snippets/wss.conf", "snippet/ws.conf", "ws.conf"])
def test_an_include_of_a_file_that_has_another_name(host, written):
    found = host.mended(SITE.replace("snippets/ws.conf", written), ABSENT % written)
    assert f"-            include {written};\n+            include snippets/ws.conf;\n" in found


def test_an_absolute_include_stays_absolute(host):
    folder = host.path.parent / "snippets"
    found = host.mended(SITE.replace("snippets/ws.conf", f"{folder}/wss.conf"), ABSENT % "snippets/wss.conf")
    assert f"+            include {folder}/ws.conf;\n" in found


def test_an_include_of_which_nothing_is_near(host):
    written = "snippets/headers.conf"
    assert host.mended(SITE.replace("snippets/ws.conf", written), ABSENT % written) == ""


def test_a_message_without_a_place_says_nothing(host):
    assert host.mended(SITE, "no such thing") == ""


def test_a_tree_that_was_read_is_the_affair_of_others(host):
    facts = Facts(Question("ws://app.test/ws"), live=True, configuration=object())
    cause = Finding("nginx-config-invalid")
    unread.offer([cause], facts)
    assert cause.change is None
