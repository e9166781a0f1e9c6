"""A missing semicolon: the one byte comes where the place is certain, and nowhere else."""

from __future__ import annotations

import pytest
from simulated_host import ROOT
from test_fix import BROKEN, GOOD, changed_lines

from module_utils.nginx_websocket.edit.refused.unended import ended
from module_utils.nginx_websocket.fix.model import Wish
from module_utils.nginx_websocket.fix.unended import CODE


@pytest.mark.parametrize(
    ("text", "line", "after"),
    [
        (
            b"server {\n  listen 80\n  server_name a;\n}\n",
            3,
            b"server {\n  listen 80;\n  server_name a;\n}\n",
        ),
        (
            b"server {\n  listen 80\n  location / {\n  }\n}\n",
            3,
            b"server {\n  listen 80;\n  location / {\n  }\n}\n",
        ),
        (b"server {\n  listen 80 # here\n}\n", 3, b"server {\n  listen 80; # here\n}\n"),
        (b"server {\r\n  listen 80\r\n}\r\n", 3, b"server {\r\n  listen 80;\r\n}\r\n"),
        (b"location / {\n  root /a\n  index b\n}\n", 4, b"location / {\n  root /a;\n  index b\n}\n"),
    ],
)
def test_the_place_is_certain(text, line, after):
    assert ended("f", text, line) == after


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"server {\n  server_name a\n    b;\n}\n", 3),  # names may stand on several lines
        (b"server {\n  listen 80 }\n", 2),  # a brace that shares its line may be a typing error of any kind
        (b"log_format a 'x'\n  'root';\n", 2),
        (b"server {\n  listen 80\n  server_name a;\n}\n", 1),  # nginx means another statement
        (b'add_header A "b\n  root;\n', 2),
        (b"content_by_lua_block {\n  a\n}\nlisten 80\n", 4),
    ],
)
def test_where_it_is_not_nothing_comes(text, line):
    assert ended("f", text, line) is None


def test_one_byte_opens_the_socket_and_a_second_run_has_nothing_to_do(host):
    text = GOOD.replace('"upgrade";\n        proxy_set_header Host $host;', '"upgrade"\n    }')
    text = text.replace("as the application wants it\n    }\n", "as the application wants it\n")
    host.put(text)
    done = host.fix()
    assert (done.outcome, done.causes) == ("applied", [CODE]), done.message
    assert len(host.text()) == len(text) + 1 and host.text().replace('"upgrade";', '"upgrade"') == text
    assert "files-read-again" in [finding.code for finding in done.findings]
    assert host.fix().changed is False
    refused = host.rollback()
    assert refused.failed and "--allow-invalid" in refused.message
    reloads = host.world.reloads
    back = host.rollback(allow_invalid=True)
    assert (back.outcome, host.text(), host.world.reloads) == ("applied", text, reloads), back.message
    assert "nginx-refuses" in [finding.code for finding in back.findings]


def test_what_is_wrong_behind_it_is_mended_with_it(host):
    text = BROKEN.replace(
        "proxy_pass http://127.0.0.1:9001;\n        proxy_set_header Host $host;",
        "proxy_set_header Host $host;\n        proxy_pass http://127.0.0.1:9001\n    }",
    )
    text = text.replace("as the application wants it\n    }\n", "as the application wants it\n")
    host.put(text)
    done = host.fix()
    assert (done.outcome, done.causes) == ("applied", [CODE, "no-upgrade-header"]), done.message
    assert len(changed_lines(text, host.text())) <= 5


def test_another_tools_file_gets_none(host):
    text = "# Ansible managed\n" + GOOD.replace("server_name chat.test;", "server_name chat.test }")
    text = text.replace("chat.test }", "chat.test\n    }\n    server {")
    host.put(text)
    refused = host.fix()
    assert refused.failed and host.text() == text
    assert "nginx_websocket_fix_managed" in refused.message, refused.message
    assert host.fix(wish=Wish(managed=True)).failed  # the braces do not fit


def test_a_file_that_is_not_the_urls_own_is_mended_as_well(host):
    host.put(BROKEN)
    host.put("server {\n    listen 81\n}\n", f"{ROOT}/conf.d/other.conf")
    done = host.fix()
    assert done.outcome == "applied", done.message
    assert host.text(f"{ROOT}/conf.d/other.conf") == "server {\n    listen 81;\n}\n"
