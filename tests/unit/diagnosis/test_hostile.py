"""Input that wants to break the diagnosis: no crash, no hang, nothing executed, no secret printed."""

from __future__ import annotations

import json
import os
import time

import pytest

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError
from module_utils.nginx_websocket.diagnosis.engine import diagnose_configuration, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.errorlog import (
    LogWatch,
    parse,
    read_tail,
    reload_failures,
)
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.diagnosis.evidence.host_state import stray_files
from module_utils.nginx_websocket.diagnosis.words.discreet import discreet

URL = "ws://app.test/ws/x"
LOCATION = b"""location /ws/ { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; %s }"""


def dump(body, name="/etc/nginx/nginx.conf"):
    return b"# configuration file %s:\nevents {}\nhttp {\n%s\n}\n" % (name.encode(), body)


def verdict(body, url=URL, **options):
    report = diagnose_dump(Question(url, **options), dump(body))
    json.dumps(report.as_data())
    return report


def test_lua_blocks_are_not_read_as_configuration_nor_executed(tmp_path):
    marker = tmp_path / "executed"
    lua = b"""server { listen 80;
    location /ws/ { content_by_lua_block { os.execute("touch %s") local s = "}" -- }
        if x then ngx.say([[ } ]]) end } } }""" % os.fsencode(marker)
    report = verdict(lua)
    assert report.verdict == "cannot tell"
    assert not marker.exists()


def test_bytes_that_are_no_utf8(tmp_path):
    body = (
        b"server { listen 80; server_name app.test \xff\xfe.test; "
        + LOCATION % b'set $x "\xe9\xff\x80";'
        + b" }"
    )
    assert verdict(body).verdict == "cannot tell"
    assert (
        verdict(
            b"server { listen 80; location /\xff\xff/ { return 403; } location / { return 404; } }"
        ).verdict
        == "fails"
    )


def test_an_include_loop_and_a_symlink_loop_end(tmp_path):
    (tmp_path / "a.conf").write_text("include b.conf;\n", encoding="ascii")
    (tmp_path / "b.conf").write_text("include a.conf;\n", encoding="ascii")
    with pytest.raises(ConfSyntaxError):
        load(str(tmp_path / "a.conf"))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nginx.conf").write_text("events {}\nhttp { include loop; }\n", encoding="ascii")
    with pytest.raises(ConfSyntaxError):
        load(str(tmp_path / "nginx.conf"))


def test_a_dump_of_ten_megabytes_is_read_in_seconds():
    body = b"server { listen 80; server_name app.test; " + LOCATION % b"" + b" }\n" + b"# padding\n" * 1000000
    started = time.process_time()
    assert verdict(body).verdict == "cannot tell"
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"server {",
        b"server { listen 80; location / { proxy_pass; } }",
        b"server { listen x; location { } }",
        b"server { listen 80; location ~ ( { return 200; } }",
        b"map $a { } server { listen 80; }",
        b"server { listen 80; rewrite ^ / last; rewrite ^ / last; }",
        b"}" * 100,
        b"{" * 1000,
        b"server { listen 80; if ($http_upgrade) { } location /ws/ { proxy_set_header; proxy_pass "
        b"http://$x$y; } }",
        b"server { listen 80; location /ws/ { proxy_pass http://[::1; } }",
        b"upstream u { } server { listen 80; location / { proxy_pass http://u; } }",
        b"server { listen 80; location / { try_files ; } }",
        b"limit_req_zone; server { listen 80; limit_req; limit_conn; location / { proxy_pass http://a; } }",
        b"server { listen 80; error_page; location / { proxy_pass http://a; proxy_intercept_errors on; } }",
        b"server { listen 80; proxy_hide_header; proxy_http_version; location / { proxy_pass http://a; } }",
        b"server { listen 80; allow; deny; auth_basic; auth_request; satisfy; location / { proxy_pass "
        b"http://a; } }",
        b"upstream a { server; server x max_conns=; zone; } server { listen 80; location / { proxy_pass "
        b"http://a; } }",
        b"server { listen 80; proxy_cache; resolver; proxy_read_timeout; location / { proxy_pass "
        b"http://a; } }",
        b"server { listen 80; proxy_read_timeout 9x; add_header; location / { proxy_pass http://$host; } }",
    ],
)
def test_broken_configurations_give_a_verdict(body):
    assert verdict(body).verdict in ("fails", "cannot tell")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 1000,
        b"# configuration file /x:\n",
        b"\xff\xfe" * 100,
        b"# configuration file /x:\n# configuration file /x:\n",
    ],
)
def test_what_is_no_dump_gives_a_verdict(data):
    assert diagnose_dump(Question(URL), data).verdict in ("fails", "cannot tell")


def test_unreadable_files_are_left_out(tmp_path):
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "fifo.conf").write_text("", encoding="ascii")
    os.mkfifo(tmp_path / "sites-available.fifo")
    main = tmp_path / "nginx.conf"
    main.write_text(
        "events {}\nhttp { server { listen 80; include sites/*.conf; location / { return 404; } } }\n",
        encoding="ascii",
    )
    os.mkfifo(tmp_path / "sites" / "hang")
    (tmp_path / "sites" / "big").write_bytes(b"location " * 200000)
    (tmp_path / "sites" / "loop").symlink_to("loop")
    (tmp_path / "sites" / "binary").write_bytes(b"location \0\xff{" * 10)
    configuration = load(str(main))
    found = route(configuration, "ws://a.test/ws/x")
    assert stray_files(configuration, found.server, b"/ws/x", b"a.test", (1, 22, 1), 80) == []


# ---------------------------------------------------------------------------------------- logs

LINE = '2026/01/02 03:04:05 [error] 7#7: *1 {}, client: 127.0.0.1, server: _, request: "GET /ws/x HTTP/1.1"'


def test_control_characters_of_a_log_do_not_reach_the_terminal():
    from module_utils.nginx_websocket.diagnosis.words.findings import scrubbed

    line = parse(LINE.format("access forbidden by rule \x1b[2J\x1b]0;owned\x07\r"), "/log")
    assert line.code == "access-denied"
    shown = scrubbed(line.evidence().text, [])
    assert "\x1b" not in shown
    assert "\x07" not in shown


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "\0",
        "2026/99/99 99:99:99 [error] 1#1: x",
        "9999/12/31 23:59:59 [emerg] 1#1: " + "x" * 9999,
        "[error] 1#1",
        "\x1b]0;x\x07" * 50,
    ],
)
def test_lines_that_are_no_log_lines(raw):
    parse(raw, "/log")


def test_logs_that_are_no_files_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    watch = LogWatch([str(tmp_path / "fifo"), "/dev/zero", str(tmp_path / "none")])
    assert not watch.readable
    assert len(watch.unreadable) == 3
    with pytest.raises(OSError, match="no regular file"):
        list(read_tail("/dev/zero"))
    assert reload_failures([str(tmp_path / "none")], 0.0) == []


def test_a_log_that_was_rotated_meanwhile(tmp_path):
    log = tmp_path / "error.log"
    log.write_text("x" * 5000, encoding="ascii")
    watch = LogWatch([str(log)])
    log.write_text(LINE.format('limiting requests, excess: 1.0 by zone "r"') + "\n", encoding="ascii")
    assert [line.code for line in watch.added("/ws/x")] == ["limit-req"]


# ---------------------------------------------------------------------------------------- secrets

SECRETS = ("s3cr3t-Value-0123456789", "dXNlcjpwYXNzd29yZDEyMzQ", "hunter2hunter2", "Zx81Qw93Lk27Pm55Rt")


def test_no_secret_of_the_configuration_or_the_question_is_shown():
    body = (
        b"server { listen 80; server_name app.test; location /ws/ {\n"
        b"    proxy_pass http://user:hunter2hunter2@127.0.0.1:8000;\n"
        b'    proxy_set_header Authorization "Basic dXNlcjpwYXNzd29yZDEyMzQ";\n'
        b"    proxy_set_header X-Api-Key s3cr3t-Value-0123456789;\n"
        b"    proxy_set_header Host $host;\n}\n}"
    )
    report = verdict(
        body,
        url="ws://app.test/ws/x?token=Zx81Qw93Lk27Pm55Rt",
        headers=[("Authorization", "Bearer Zx81Qw93Lk27Pm55Rt")],
    )
    text = json.dumps(report.as_data())
    for secret in SECRETS:
        assert secret not in text
    assert "proxy_set_header Host $host" in text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("    proxy_set_header Host $host;", True),
        ("    proxy_set_header Authorization $http_authorization;", True),
        ("    proxy_read_timeout 3600s;", True),
        ("location ~ ^/api/v1/[a-z0-9]{8,32}$ {", True),
        ("    ssl_certificate /etc/letsencrypt/live/example-2024.org/fullchain.pem;", True),
        ("    server 10.0.0.12:8000 max_conns=100;", True),
        ("    secure_link_secret hunter2hunter2;", False),
        ("    set $api_token hunter2hunter2;", False),
        ("    proxy_pass http://u:hunter2hunter2@b;", False),
    ],
)
def test_only_secrets_are_masked(line, shown):
    assert (discreet(line) == line) is shown
    assert shown or "hunter2" not in discreet(line)


def test_a_configuration_is_never_executed_through_its_names(tmp_path):
    marker = tmp_path / "executed"
    body = (
        b'server { listen 80; server_name "$(touch %s)"; error_log "|touch %s"; location / { return 404; } }'
        % (os.fsencode(marker), os.fsencode(marker))
    )
    (tmp_path / "nginx.conf").write_bytes(b"events {}\nhttp {" + body + b"}")
    diagnose_configuration(Question(URL), load(str(tmp_path / "nginx.conf")))
    assert not marker.exists()
