"""playbooks/diagnose.yml on a lab host, as a user runs it."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"
SITE = """\
map $http_upgrade $diagnose_connection { default upgrade; '' close; }
server {
    listen 8090;
    server_name _;
    location /api/ {
        proxy_pass http://127.0.0.1:8000;
    }
    location /good/ {
        proxy_pass http://127.0.0.1:8000/api/mqtt/ws/hints/;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $diagnose_connection;
        proxy_set_header X-Api-Key "s3cr3t-Value-0123456789";
    }
    location /dead/ {
        proxy_pass http://127.0.0.1:9;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $diagnose_connection;
    }
}
"""


@pytest.fixture(scope="module")
def host(lab_up):
    host = lab_up("diagnose")
    host.write("/etc/nginx/conf.d/diagnose.conf", SITE)
    host.sh("nginx -t 2>&1 && systemctl restart nginx")
    return host


def diagnose(host, tmp_path, **variables):
    """Run the playbook; what it printed, the data of the host, and the HTML."""
    json_file, html_file = tmp_path / "out.json", tmp_path / "out.html"
    done = host.playbook(
        "playbooks/diagnose.yml", variables={**variables, "json": str(json_file), "html": str(html_file)}
    )
    assert json_file.exists(), done.stdout + done.stderr
    data = json.loads(json_file.read_text(encoding="utf-8"))
    return done, data["hosts"][host.name], html_file.read_text(encoding="utf-8")


def patched(directory, content, diff):
    """The content with a diff applied by git, which takes no diff that does not fit."""
    (directory / "diagnose.conf").write_text(content, encoding="utf-8")
    diff = re.sub(r"^(---|\+\+\+) \S+", r"\1 diagnose.conf", diff, flags=re.M)
    subprocess.run(
        ["git", "apply", "-p0", "--unidiff-zero", "--directory", "", "-"],
        cwd=directory,
        input=diff.encode(),
        check=True,
    )
    return (directory / "diagnose.conf").read_text(encoding="utf-8")


def test_the_cause_with_its_line_and_the_fix_as_a_diff(host, tmp_path):
    before = host.digest("/etc/nginx", "/var/lib/nginx", "/run/nginx.pid")
    workers = host.workers()
    done, data, page = diagnose(host, tmp_path, url="ws://127.0.0.1:8090/api/mqtt/ws/hints/session-1")
    assert done.returncode == 0
    assert data["verdict"] == "fails"
    assert data["findings"][0]["code"] == "no-upgrade-header"
    assert data["findings"][0]["is_cause"]
    assert any(
        item["file"] == "/etc/nginx/conf.d/diagnose.conf" and item["line"] == 6
        for item in data["findings"][0]["evidence"]
    )
    assert "+        proxy_set_header Upgrade $http_upgrade;" in data["findings"][0]["diff"]
    # The diff applies to the file and cures the host.
    assert re.search(r"FAILS", done.stdout)
    assert "no-upgrade-header" in page
    assert "<mark>" in page
    assert host.digest("/etc/nginx", "/var/lib/nginx", "/run/nginx.pid") == before
    assert host.workers() == workers
    host.write("/etc/nginx/conf.d/diagnose.conf", patched(tmp_path, SITE, data["findings"][0]["diff"]))
    host.sh("nginx -t 2>&1 && systemctl reload nginx")
    _, cured, _ = diagnose(host, tmp_path, url="ws://127.0.0.1:8090/api/mqtt/ws/hints/session-1")
    host.write("/etc/nginx/conf.d/diagnose.conf", SITE)
    host.sh("systemctl reload nginx")
    assert cured["verdict"] == "works"
    assert not [finding for finding in cured["findings"] if finding["is_cause"]]


def test_a_working_route_works_and_no_secret_is_shown(host, tmp_path):
    done, data, page = diagnose(host, tmp_path, url=f"ws://127.0.0.1:8090/good/session-1?token={TOKEN}")
    assert data["verdict"] == "works"
    for text in (done.stdout, json.dumps(data), page):
        assert TOKEN not in text
        assert "s3cr3t-Value-0123456789" not in text
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"http(?!s://(nginx\.org|github\.com|www\.))", page)


def test_a_dead_backend_is_named(host, tmp_path):
    _, data, _ = diagnose(host, tmp_path, url="ws://127.0.0.1:8090/dead/x")
    assert data["findings"][0]["code"] == "backend-down"
    assert any(
        item["kind"] == "log" and "Connection refused" in item["text"]
        for item in data["findings"][0]["evidence"]
    )


def test_without_a_url_every_route_is_listed(host, tmp_path):
    done, data, _ = diagnose(host, tmp_path)
    states = {
        item["url"].split("8090")[1]: item["state"] for item in data["routes"] if ":8090/" in item["url"]
    }
    assert {path.split("/")[1]: state for path, state in states.items()} == {"good": "works", "dead": "fails"}
    assert "WebSocket routes" in done.stdout


def test_nginx_stopped(host, tmp_path):
    host.sh("systemctl stop nginx")
    try:
        _, data, _ = diagnose(host, tmp_path, url="ws://127.0.0.1:8090/good/x")
        assert data["findings"][0]["code"] == "nginx-not-running"
        # nginx -t must not leave the empty pid file that breaks the next reload.
        assert host.sh("test -e /run/nginx.pid && echo there || echo absent").strip() == "absent"
    finally:
        host.sh("systemctl start nginx")


def test_a_bad_url_is_one_clear_error(host, tmp_path):
    done, data, _ = diagnose(host, tmp_path, url="http//nothing")
    assert done.returncode != 0
    assert data["verdict"] == "cannot tell"
    assert "http//nothing" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("subprotocols", [["mqtt", "stomp"], "mqtt,stomp"])
def test_a_list_may_be_written_as_text(host, tmp_path, subprotocols):
    """A list goes straight to the host; text is left to Ansible, which makes a list of it."""
    url = "ws://127.0.0.1:8090/good/session-1"
    done, data, _ = diagnose(host, tmp_path, url=url, subprotocols=subprotocols)
    assert done.returncode == 0, done.stdout
    assert "(mqtt, stomp)" in json.dumps(data)


def test_a_value_of_another_type_is_told_in_ansibles_words(host):
    done = host.playbook("playbooks/diagnose.yml", variables={"url": "ws://127.0.0.1/", "hold": "two"})
    assert done.returncode != 0
    assert "argument 'hold'" in done.stdout.replace("''", "'") and "float" in done.stdout
