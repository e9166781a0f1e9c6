"""site.yml whole, verification from outside included, for sites that are not the usual one.

A load balancer in front that speaks the PROXY protocol, a backend on a unix socket, a backend behind TLS that
knows one name only, and other ports than 80 and 443: two sites, one run.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from typing import Any, Dict, List

import pytest

from lab.files import pki
from module_utils.nginx_websocket.exchange.probe import probe
from module_utils.nginx_websocket.exchange.result import Probe
from tests.integration.conftest import LabHost, LabUp

PATH = "/api/mqtt/ws/hints/x"
PAIR = {"certificate": "/etc/ssl/sites/cert.pem", "certificate_key": "/etc/ssl/sites/privkey.pem"}
ROUTES = {"websockets": [{"path": "/api/mqtt/ws/", "probe_path": PATH}], "api": [{"path": "/api/"}]}

# It refuses the handshake of a client that asks for no name, or for another one.
ONE_NAME = """\
import ssl, uvicorn
config = uvicorn.Config("app:app", host="127.0.0.1", port=8444, access_log=False,
                        ssl_certfile="/etc/ssl/inner/cert.pem", ssl_keyfile="/etc/ssl/inner/privkey.pem")
config.load()
unknown = ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
config.ssl.sni_callback = lambda connection, name, context: None if name == "inner.test" else unknown
uvicorn.Server(config).run()
"""

BACKENDS = """
set -e
chown -R lammp /etc/ssl/inner
run() { systemd-run --quiet --unit="$1" --uid=lammp --property=RuntimeDirectory="$1" \
    --working-directory=/opt/lammp --setenv=PYTHONPATH=/opt/lammp "${@:2}"; }
run on-a-socket python3 -m uvicorn app:app --no-access-log --uds /run/on-a-socket/app.sock
run one-name python3 /opt/one_name.py
for i in $(seq 200); do
    [ -S /run/on-a-socket/app.sock ] && ss -ltn | grep -q ':8444 ' && exit 0
    sleep 0.05
done
exit 1
"""


def proxied(balancer: str) -> Dict[str, Any]:
    """Behind a load balancer of that address, in front of a backend on a unix socket."""
    return {
        "name": "proxied.test",
        "listen": {"proxy_protocol": True},
        "real_ip": {"trusted": [balancer], "header": "proxy_protocol"},
        "http": {"port": 8080},
        "tls": {"port": 8443, **PAIR},
        "backends": [{"name": "app", "socket": "/run/on-a-socket/app.sock"}],
        **ROUTES,
    }


INNER: Dict[str, Any] = {
    "name": "front.test",
    "http": {"port": 9080},
    "tls": {"port": 9443, **PAIR},
    "backends": [
        {
            "name": "app",
            "servers": [{"host": "127.0.0.1", "port": 8444}],
            "tls": {"enabled": True, "server_name": "inner.test", "ca": "/etc/ssl/inner/ca.pem"},
        }
    ],
    **ROUTES,
}


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    """A host to which both sites were deployed and verified by one run."""
    host = lab_up("end-to-end")
    for place, names in (("sites", ["front.test", "proxied.test"]), ("inner", ["inner.test"])):
        for file in ("cert.pem", "privkey.pem"):
            host.write(f"/etc/ssl/{place}/{file}", (pki.certificate(names) / file).read_text())
    host.write("/etc/ssl/inner/ca.pem", pki.authority().read_text())
    host.write("/opt/one_name.py", ONE_NAME)
    host.run("bash", "-c", BACKENDS)
    with socket.create_connection((host.address, 22)) as connection:
        balancer = connection.getsockname()[0]
    done = host.playbook("site.yml", variables={"nginx_websocket_sites": [proxied(balancer), INNER]})
    assert done.returncode == 0, done.stdout
    assert "changed=1 " in done.stdout
    assert "rescued=0" in done.stdout
    assert re.search(r"\d\d checks passed", done.stdout), done.stdout
    return host


def opened(host: LabHost, name: str, port: int, **more: Any) -> Probe:
    """Open the WebSocket from outside, as a browser does from the site's own page."""
    url, origin = f"wss://{name}:{port}{PATH}", f"https://{name}:{port}"
    return probe(url, address=(host.address, port), origin=origin, cafile=str(pki.authority()), **more)


# A load balancer's connection; prints what arrives at the backend. Runs here, and on the host as nobody's.
BALANCER = """\
import socket, ssl, sys
plain = socket.create_connection((sys.argv[1], 8443), 5)
plain.sendall(b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 8443\\r\\n")
connection = ssl._create_unverified_context().wrap_socket(plain, server_hostname="proxied.test")
lines = (b"GET /api/headers HTTP/1.1", b"Host: proxied.test:8443", b"Connection: close", b"", b"")
connection.sendall(b"\\r\\n".join(lines))
print(connection.makefile("rb").read().partition(b"\\r\\n\\r\\n")[2].decode())
"""


def arrived(text: str) -> Dict[str, str]:
    """Return the headers that arrived at the backend, by name, and who connected to it, empty on a socket."""
    told = json.loads(text)
    return {"": told["client"], **dict(told["headers"])}


def test_a_load_balancer_tells_the_client(host: LabHost) -> None:
    """The backend and the log get the client that it names; nobody else's word is taken."""
    command = [sys.executable, "-c", BALANCER, host.address]
    told = arrived(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told[""] == ""  # no address: it came by the unix socket
    assert told["x-real-ip"] == told["x-forwarded-for"] == "203.0.113.9"
    assert told["host"] == "proxied.test:8443"
    assert host.sh("tail -n 1 /var/log/nginx/proxied.test.access.log").startswith("203.0.113.9 ")
    told = arrived(host.run("python3", "-c", BALANCER, "127.0.0.1"))
    assert told["x-real-ip"] == "127.0.0.1"


def test_only_a_load_balancer_is_let_in(host: LabHost) -> None:
    assert opened(host, "proxied.test", 8443, proxy_protocol=True).opened
    assert opened(host, "proxied.test", 8443).status is None


def test_the_backend_is_asked_for_by_its_name(host: LabHost) -> None:
    """Without SNI the backend ends the handshake, and nginx has nothing but 502 to say."""
    assert opened(host, "front.test", 9443).opened
    file = "/etc/nginx/sites-available/front.test.conf"
    host.sh(f"cp {file} /root/kept; sed -i 's/proxy_ssl_server_name on/proxy_ssl_server_name off/' {file}")
    host.sh("nginx -s reload")
    try:
        deadline = time.monotonic() + 10  # the reload takes hold by itself
        while (status := opened(host, "front.test", 9443).status) != 502:
            assert time.monotonic() < deadline, status
    finally:
        host.sh(f"cat /root/kept > {file}; nginx -s reload")


@pytest.mark.parametrize(
    ("name", "plain", "tls", "flags"),
    [("front.test", 9080, 9443, []), ("proxied.test", 8080, 8443, ["--haproxy-protocol"])],
)
def test_plain_http_leads_to_the_right_port(
    host: LabHost, name: str, plain: int, tls: int, flags: List[str]
) -> None:
    url = f"http://{name}:{plain}/a?b=c"
    flags = ["--resolve", f"{name}:{plain}:{host.address}", *flags]
    said = host.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", *flags, url)
    assert said == f"301 https://{name}:{tls}/a?b=c"
