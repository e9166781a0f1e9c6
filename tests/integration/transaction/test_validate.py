"""nginx_validate on a real host: the verdict, its places, and that nothing is left behind."""

from __future__ import annotations

import os

import pytest

from tests.integration.transaction_host import SUITE, TransactionHost

GOOD = "server { listen 80; server_name v.test; }\n"
BAD = "server {\n    listen 80;\n    server_name v.test;\n    nonsense on;\n}\n"


@pytest.fixture(scope="module")
def started(lab_up):
    return TransactionHost(lab_up(f"tx-validate-{os.getpid()}", suite=SUITE))


@pytest.fixture
def host(started):
    started.reset()
    return started


def ask(host, *files, **more):
    return host.lab.module("nginx_validate", {"files": list(files), **more})


def test_the_live_tree(host):
    verdict = ask(host)
    assert verdict["valid"] and verdict["method"] == "mount namespace" and not verdict["changed"]
    assert verdict["nginx"]["conf_path"] == "/etc/nginx/nginx.conf"
    host.write("/etc/nginx/conf.d/bad.conf", BAD)
    verdict = ask(host)
    assert verdict["msg"].endswith('/etc/nginx/conf.d/bad.conf:4: unknown directive "nonsense"')


def test_files_that_are_not_there_yet(host):
    before = host.everything()
    verdict = ask(host, {"path": "/etc/nginx/conf.d/v.conf", "content": GOOD})
    assert verdict["valid"] and verdict["read"] == {"/etc/nginx/conf.d/v.conf": True}
    verdict = ask(host, {"path": "/etc/nginx/conf.d/v.conf", "content": BAD}, fail=False)
    assert not verdict["valid"]
    assert verdict["errors"] == [
        {
            "file": "/etc/nginx/conf.d/v.conf",
            "line": 4,
            "level": "emerg",
            "message": 'unknown directive "nonsense"',
            "context": [
                "     1  server {",
                "     2      listen 80;",
                "     3      server_name v.test;",
                ">    4      nonsense on;",
                "     5  }",
            ],
        }
    ]
    assert host.everything() == before


def test_a_file_that_no_include_covers_is_said_not_to_be_read(host):
    verdict = ask(host, {"path": "/etc/nginx/conf.d/v.txt", "content": "nonsense"})
    assert verdict["valid"] and verdict["read"] == {"/etc/nginx/conf.d/v.txt": False}


def test_a_file_taken_away(host):
    host.write("/etc/nginx/conf.d/upstream.conf", "upstream pool { server 127.0.0.1:1; }\n")
    host.write(
        "/etc/nginx/conf.d/v.conf",
        "server { listen 80; server_name v.test; location / { proxy_pass http://pool; } }\n",
    )
    verdict = ask(host, {"path": "/etc/nginx/conf.d/upstream.conf"}, fail=False)
    assert not verdict["valid"]
    assert verdict["errors"][0]["message"] == 'host not found in upstream "pool"'
    assert verdict["errors"][0]["file"] == "/etc/nginx/conf.d/v.conf"


def test_warnings_have_places_too(host):
    host.write("/etc/nginx/conf.d/v.conf", GOOD)
    verdict = ask(host, {"path": "/etc/nginx/conf.d/w.conf", "content": GOOD})
    assert verdict["valid"]
    assert (
        'conflicting server name "v.test" on 0.0.0.0:80, ignored'
        in verdict["warnings_of_nginx"][0]["message"]
    )


def test_several_files_and_a_main_file_of_another_tree(host):
    host.write("/opt/other/nginx.conf", "events {}\nhttp { include sites/*.conf; }\n")
    host.sh("mkdir -p /opt/other/sites")
    verdict = ask(
        host,
        {"path": "/opt/other/sites/a.conf", "content": "map $uri $x { default 1; }\n"},
        {"path": "/opt/other/sites/b.conf", "content": "server { listen 81; return 200 $x; }\n"},
        conf_path="/opt/other/nginx.conf",
    )
    assert verdict["valid"] and all(verdict["read"].values()), verdict


def test_a_path_that_cannot_be(host):
    assert "directory that exists" in ask(host, {"path": "/nowhere/a.conf", "content": ""})["msg"]
    assert "is a directory" in ask(host, {"path": "/etc/nginx", "content": ""})["msg"]


def test_nginx_that_is_stopped(host):
    host.sh("systemctl stop nginx; rm -f /run/nginx.pid")
    verdict = ask(host, {"path": "/etc/nginx/conf.d/v.conf", "content": GOOD})
    assert verdict["valid"]
    assert host.sh("ls /run/nginx.pid 2>/dev/null || true") == "", (
        "no empty pid file, of which a reload would die"
    )


def test_no_nginx_at_all(host):
    host.sh("systemctl stop nginx; mv /usr/sbin/nginx /usr/sbin/nginx.away")
    try:
        assert "no nginx on this host" in ask(host)["msg"]
    finally:
        host.sh("mv /usr/sbin/nginx.away /usr/sbin/nginx")
