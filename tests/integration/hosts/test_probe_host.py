"""websocket_probe on a real host, through real nginx to a real uvicorn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"

SITE = """\
map $http_upgrade $probe_connection { default upgrade; '' close; }
server {
    listen 80;
    listen 443 ssl;
    server_name lammp.test;
    ssl_certificate /etc/letsencrypt/live/lammp.test/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/lammp.test/privkey.pem;
    location / { return 301 https://elsewhere.test$request_uri; }
    location /api/ { proxy_pass http://127.0.0.1:8000; }
    location /dead/ { proxy_pass http://127.0.0.1:9; }
    location ~ ^/(ws|api/mqtt/ws)/ {
        if ($http_origin = "https://evil.test") { return 403; }
        proxy_pass http://127.0.0.1:8000;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $probe_connection;
    }
    location ~ ^/hasty/(?<rest>.*) {
        proxy_pass http://127.0.0.1:8000/api/mqtt/ws/hints/$rest;
        proxy_http_version 1.1;
        proxy_read_timeout 1s;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $probe_connection;
    }
}
server { listen 8095 proxy_protocol; location / { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } }
"""


@pytest.fixture(scope="module")
def host(lab_up):
    host = lab_up("probe")
    host.write("/etc/nginx/conf.d/probe.conf", SITE)
    host.sh("nginx -t 2>&1 && systemctl restart nginx")
    return host


def run(host, arguments, *flags):
    """Run the module and say in ``failed`` whether Ansible took it as failed, which its output leaves out."""
    module = ["-b", "-m", "websocket_probe", "-a", json.dumps(arguments), *flags]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible"), "-i", "inventory/lab", host.name, *module],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 2), done.stdout + done.stderr
    result = json.loads(done.stdout.partition("=>")[2])
    return {**result, "failed": done.returncode == 2}


def probe(host, path, **arguments):
    scheme = arguments.pop("scheme", "ws")
    arguments.setdefault("address", "127.0.0.1:443" if scheme == "wss" else "127.0.0.1:80")
    result = run(host, {"url": f"{scheme}://lammp.test{path}", **arguments})
    assert result["changed"] is False
    return result


def test_open_through_nginx(host):
    result = probe(host, "/api/mqtt/ws/hints/session-874q8t", expect="pong", origin="https://lammp.test")
    found = result["probe"]
    assert (found["opened"], found["pong"], found["status"]) == (True, True, 101)
    assert found["server"].startswith("nginx")
    assert result["msg"].startswith(
        "ws://lammp.test/api/mqtt/ws/hints/session-874q8t: 101, WebSocket open, pong"
    )


def test_open_through_tls_with_the_certificate_checked(host):
    arguments = {"scheme": "wss", "cafile": "/etc/letsencrypt/live/lammp.test/chain.pem"}
    found = probe(host, "/api/mqtt/ws/hints/x", **arguments)["probe"]
    assert found["opened"]
    assert (found["tls"]["alpn"], found["tls"]["verify_error"]) == ("http/1.1", "")
    assert "lammp.test" in found["tls"]["names"]
    refused = probe(host, "/api/mqtt/ws/hints/x", scheme="wss")
    assert refused["failed"]
    assert refused["probe"]["error_kind"] == "tls"
    assert refused["probe"]["tls"]["names"] == found["tls"]["names"]
    taken = probe(host, "/api/mqtt/ws/hints/x", scheme="wss", validate_certs=False)
    assert taken["probe"]["opened"]
    assert taken["probe"]["tls"]["verify_error"]


def test_bad_token_is_an_open_socket_with_its_code(host):
    result = probe(host, f"/ws/{JWT}")
    assert not result["failed"]
    assert (result["probe"]["opened"], result["probe"]["close_code"]) == (True, 1008)
    strict = probe(host, f"/ws/{JWT}", expect="pong")
    assert strict["failed"]
    assert "1008" in strict["msg"]


def test_location_without_headers_is_reported_with_who_answered(host):
    result = probe(host, "/api/mqtt-without-headers")
    assert result["failed"]
    for part in (
        "expected an open WebSocket, got 404",
        "Server: nginx",
        "sent: GET /api/mqtt-without-headers",
    ):
        assert part in result["msg"]


def test_redirect_is_reported_and_not_followed(host):
    result = probe(host, "/other")
    assert result["failed"]
    assert result["probe"]["status"] == 301
    assert "redirects to https://elsewhere.test/other; browsers do not follow" in result["msg"]


def test_refusals(host):
    evil = {"origin": "https://evil.test"}
    assert not probe(host, "/ws/x", expect="refused", **evil)["failed"]
    assert not probe(host, "/ws/x", expect="status", status=[403], **evil)["failed"]
    assert not probe(host, "/dead/x", expect="status", status=[502])["failed"]
    wrong = probe(host, "/ws/x", expect="status", status=[401], **evil)
    assert wrong["failed"]
    assert "expected status 401, got 403 Forbidden" in wrong["msg"]
    opened = probe(host, "/ws/x", expect="refused")
    assert opened["failed"]
    assert "expected a refusal" in opened["msg"]


def test_idle_timeout_is_seen(host):
    result = probe(host, "/hasty/x", expect="pong", hold=10)
    assert result["failed"]
    found = result["probe"]
    assert (found["opened"], found["pong"], found["close_code"]) == (True, True, 1006)
    assert 0.8 < found["closed_after"] < 5


def test_proxy_protocol(host):
    arguments = {"address": "127.0.0.1:8095"}
    assert not probe(host, "/api/mqtt/ws/hints/x", proxy_protocol=True, **arguments)["failed"]
    without = probe(host, "/api/mqtt/ws/hints/x", **arguments)
    assert without["failed"]
    assert without["probe"]["error_kind"] == "closed-without-answer"


def test_nothing_listens(host):
    result = probe(host, "/x", address="127.0.0.1:9")
    assert result["failed"]
    assert "127.0.0.1:9 refused the connection" in result["msg"]
    assert not probe(host, "/x", address="127.0.0.1:9", expect="any")["failed"]


def test_tokens_are_neither_printed_nor_logged(host):
    secrets = (JWT, "hush-hush", "top-secret")
    result = probe(
        host,
        f"/api/none/{JWT}?token=hush-hush",
        headers={"Authorization": "Bearer top-secret"},
        expect="status",
        status=[404],
    )
    assert not result["failed"]
    log = host.sh(
        "journalctl --no-pager --quiet --identifier=ansible-websocket_probe; journalctl --no-pager -n 200"
    )
    for secret in secrets:
        assert secret not in repr(result)
        assert secret not in "\n".join(line for line in log.splitlines() if "websocket_probe" in line)
    assert "/api/none/***?token=***" in result["msg"]


def test_headers_can_be_replaced_and_left_out(host):
    result = probe(
        host, "/ws/x", headers={"Upgrade": None, "Host": "other.test", "X-Number": 5}, expect="any"
    )
    request = result["probe"]["request"]
    assert "Upgrade: websocket" not in request
    assert "Host: other.test\r\n" in request
    assert "X-Number: 5\r\n" in request


def test_check_mode_probes_too(host):
    result = run(host, {"url": "ws://lammp.test/ws/x", "address": "127.0.0.1:80"}, "--check")
    assert result["probe"]["opened"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"url": "lammp.test/ws"}, "not a URL of the form"),
        ({"url": "ws://lammp.test/", "address": "nonsense"}, "address 'nonsense' is not of the form"),
        ({"url": "ws://lammp.test/", "origin": "a\nb"}, "Origin holds a control character"),
        ({"url": "wss://lammp.test/", "cafile": "/nope.pem"}, "cafile /nope.pem cannot be used"),
        (
            {"url": "ws://lammp.test/", "expect": "status"},
            "expect is status but all of the following are missing",
        ),
    ],
)
def test_bad_arguments_name_what_is_wrong(host, arguments, message):
    result = run(host, arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_unix_socket_and_python_of_an_old_release(lab_up):
    old = lab_up("probe-bullseye", suite="bullseye")
    old.write(
        "/etc/nginx/conf.d/probe.conf",
        "server { listen unix:/run/probe.sock; location / {\n"
        " proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1;\n"
        " proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } }\n",
    )
    old.sh("systemctl restart nginx")
    arguments = {
        "url": "ws://lammp.test/api/mqtt/ws/hints/x",
        "address": "unix:/run/probe.sock",
        "expect": "pong",
    }
    result = run(old, arguments)
    assert result["probe"]["address"] == "unix:/run/probe.sock"
    assert result["probe"]["pong"]
