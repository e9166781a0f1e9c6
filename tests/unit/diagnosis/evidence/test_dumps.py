"""Dumps as people hand them over: some are none, some are a part of one."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question

URL = "ws://app.test/ws/x"
SERVER = b"server {\n    listen 80;\n    server_name app.test;\n    location / { proxy_pass http://b; }\n}\n"
WHOLE = b"# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {\n" + SERVER + b"}\n"


def causes(dump):
    report = diagnose_dump(Question(URL), dump)
    return [finding.code for finding in report.findings if finding.is_cause], report


@pytest.mark.parametrize(
    "dump",
    [
        SERVER,
        b"location / { proxy_pass http://b; }\n",
        b"\xef\xbb\xbf" + WHOLE,
        WHOLE.decode().encode("utf-16"),
        WHOLE.decode().encode("utf-16-le"),
        WHOLE.replace(b"\n", b"\r\n"),
        b"nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n" + WHOLE,
    ],
)
def test_whatever_holds_the_server_is_read(dump):
    assert causes(dump)[0] == ["no-upgrade-header"]


@pytest.mark.parametrize(
    ("dump", "words"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"bash: nginx: command not found\n", "command not found"),
        (b"Permission denied", "Permission denied"),
    ],
)
def test_what_is_no_configuration_is_told_as_such(dump, words):
    found, report = causes(dump)
    assert (found, report.verdict) == ([], "cannot tell")
    assert words in report.sentence


def test_lines_of_a_single_block_keep_their_numbers():
    report = causes(SERVER)[1]
    assert report.findings[0].evidence[0].line == 4


def test_the_diff_of_a_part_is_about_that_part_alone():
    diff = causes(SERVER.replace(b"location /", b"location /ws"))[1].as_data()["findings"][0]["diff"]
    assert diff.startswith("--- nginx.conf\n+++ nginx.conf\n@@ -4,1 +4,1 @@\n-    location /ws {")
    assert "http {" not in diff
