"""Many sites, and every kind of backend and listener, on one host: one transaction, one reload."""

from __future__ import annotations

import re
import time
from typing import Any, Dict, List

import pytest

from lab.containers import network
from module_utils.nginx_websocket.exchange.probe import probe
from tests.integration.conftest import LabHost, LabUp

MANY = 100
PATH = "/api/mqtt/ws/hints/x"
IPV6 = "always" if network.kernel_has_ipv6() else "auto"


def site(name: str, port: int, **more: Any) -> Dict[str, Any]:
    """A site on plain HTTP, with the lab's backend unless another is given."""
    given: Dict[str, Any] = {
        "name": name,
        "http": {"port": port},
        "tls": {"enabled": False},
        "backends": [{"name": "app", "ports": [8000]}],
        "websockets": [{"path": "/api/mqtt/ws/", "probe_path": PATH}],
    }
    return {**given, **more}


KINDS: List[Dict[str, Any]] = [
    site("unix.test", 8101, backends=[{"name": "app", "socket": "/run/kinds/app.sock"}]),
    site(
        "tls.test",
        8102,
        backends=[
            {
                "name": "app",
                "servers": [{"host": "127.0.0.1", "port": 8443}],
                "tls": {"enabled": True, "server_name": "inner.test", "ca": "/run/kinds/inner.pem"},
            }
        ],
    ),
    site(
        "several.test",
        8103,
        backends=[
            {
                "name": "app",
                "balance": "least_conn",
                "servers": [
                    {"host": "127.0.0.1", "port": 8000, "weight": 2},
                    {"host": "127.0.0.1", "port": 8009, "max_fails": 1, "fail_timeout": "5s"},
                ],
            },
            {"name": "second", "socket": "/run/kinds/app.sock"},
        ],
        websockets=[
            {"path": "/api/mqtt/ws/", "probe_path": PATH},
            {"path": "/ws/", "backend": "second", "secret_path": True},
            {"regex": "^/live/[a-z]{2,9}$", "backend": "second", "probe_path": "/live/room"},
        ],
    ),
    site(
        "proxied.test",
        8104,
        listen={"proxy_protocol": True},
        real_ip={"trusted": ["0.0.0.0/0"], "header": "proxy_protocol"},
    ),
    # `always` would not start where the kernel has no IPv6 at all.
    site("anybody.test", 8105, listen={"default_server": True, "ipv6": IPV6}),
]

PREPARE = """
set -e
mkdir -p /run/kinds && cd /run/kinds
openssl req -x509 -newkey rsa:2048 -nodes -keyout inner.key -out inner.pem -days 3 -subj /CN=inner.test \
    -addext subjectAltName=DNS:inner.test 2>/dev/null
chown -R lammp /run/kinds
run() { systemd-run --quiet --unit="$1" --uid=lammp --working-directory=/opt/lammp \
    --setenv=PYTHONDONTWRITEBYTECODE=1 python3 -m uvicorn app:app --no-access-log "${@:2}"; }
run kinds-unix --uds /run/kinds/app.sock
run kinds-tls --host 127.0.0.1 --port 8443 --ssl-keyfile $PWD/inner.key --ssl-certfile $PWD/inner.pem
for i in $(seq 100); do [ -S app.sock ] && ss -ltn | grep -q ':8443 ' && break; sleep 0.1; done
chmod 777 app.sock
sed -i 's|^error_log .*|error_log /var/log/nginx/error.log notice;|' /etc/nginx/nginx.conf
nginx -t && systemctl reload nginx
"""


def reloads(host: LabHost) -> int:
    return int(host.sh("grep -c 'signal 1 (SIGHUP) received' /var/log/nginx/error.log || true"))


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    """A host on which all of them were deployed in one run, and in a second one that changed nothing."""
    host = lab_up("many-sites", scenes=["ipv6"])
    host.run("bash", "-c", PREPARE)
    many = [site(f"site-{number}.test", 80) for number in range(MANY)]
    before = reloads(host)
    for changed in (True, False):
        begun = time.monotonic()
        done = host.playbook("playbooks/deploy.yml", variables={"nginx_websocket_sites": KINDS + many})
        seconds = time.monotonic() - begun
        assert done.returncode == 0, done.stdout
        assert ("changed=1" if changed else "changed=0") in done.stdout
        print(f"{len(KINDS) + MANY} sites, {'first' if changed else 'unchanged'} run: {seconds:.1f} s")
        assert reloads(host) == before + 1
    return host


def test_one_transaction(host: LabHost) -> None:
    assert host.sh("ls -I last /var/lib/nginx_websocket/backups").split() == ["0001"]
    assert len(host.sh("ls /etc/nginx/sites-enabled").split()) >= MANY + len(KINDS)


@pytest.mark.parametrize("number", [0, 57, MANY - 1])
def test_each_of_many_opens(host: LabHost, number: int) -> None:
    assert probe(f"ws://site-{number}.test{PATH}", address=(host.address, 80)).opened


@pytest.mark.parametrize("name", ["unix", "tls"])
def test_a_socket_and_a_backend_with_tls(host: LabHost, name: str) -> None:
    port = {"unix": 8101, "tls": 8102}[name]
    assert probe(f"ws://{name}.test:{port}{PATH}", address=(host.address, port)).opened


def test_a_backend_with_another_name_is_refused(host: LabHost) -> None:
    """TLS to the backend is verified: a certificate for another name is 502."""
    file = host.sh("grep -l 'proxy_ssl_name inner.test' /etc/nginx/sites-available/*").strip()
    host.sh(
        f"cp {file} /root/kept; sed -i 's/proxy_ssl_name inner.test/proxy_ssl_name other.test/' {file}; "
        "nginx -s reload"
    )
    try:
        deadline = time.monotonic() + 10  # the reload takes hold by itself
        while (status := probe(f"ws://tls.test:8102{PATH}", address=(host.address, 8102)).status) != 502:
            assert time.monotonic() < deadline, status
    finally:
        host.sh(f"cat /root/kept > {file}; nginx -s reload")


def test_several_servers_of_which_one_is_down(host: LabHost) -> None:
    """nginx goes on to the next server by itself; a client never notices."""
    url = f"ws://several.test:8103{PATH}"
    assert [probe(url, address=(host.address, 8103)).status for _ in range(4)] == [101] * 4


def test_a_second_backend_of_a_site(host: LabHost) -> None:
    """The token route ends at the second backend, which closes what has no good token."""
    answer = probe("ws://several.test:8103/ws/bad", address=(host.address, 8103), hold=1.0)
    assert (answer.status, answer.close_code) == (101, 1008)
    plain = probe("ws://several.test:8103/live/room", address=(host.address, 8103))
    assert plain.status == 403
    assert "nginx" not in plain.body


def test_proxy_protocol_tells_the_client(host: LabHost) -> None:
    answer = probe(f"ws://proxied.test:8104{PATH}", address=(host.address, 8104), proxy_protocol=True)
    assert answer.opened
    assert not probe(f"ws://proxied.test:8104{PATH}", address=(host.address, 8104)).opened


def test_default_server_takes_any_name(host: LabHost) -> None:
    own = [("Origin", "http://anybody.test:8105")]
    url = f"ws://nobody-knows.test:8105{PATH}"
    assert probe(url, address=(host.address, 8105), headers=own).opened


def test_ipv6(host: LabHost) -> None:
    if not host.sh("cat /proc/net/if_inet6 2>/dev/null || true"):
        pytest.skip("the kernel of this machine speaks no IPv6")
    assert re.search(r"\[::\]:8105\b", host.sh("ss -ltnH"))
    said = host.sh(
        "curl -sg -o /dev/null -w '%{http_code}' -m 2 -H 'Connection: Upgrade' -H 'Upgrade: websocket' "
        "-H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "
        f"-H 'Host: anybody.test:8105' 'http://[::1]:8105{PATH}' || true"
    )
    assert said == "101"
