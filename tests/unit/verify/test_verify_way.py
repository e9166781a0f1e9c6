"""How a host's sites are looked at: straight where that goes, else through Ansible's connection."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from verify.as_user import way

ROOT = Path(__file__).resolve().parents[3]
#: Names and addresses that lead nowhere (RFC 6761, RFC 5737).
NO_NAME = "web1.invalid"
#: An ssh that refuses, as one without a key: nothing of the user's own configuration is read.
SSH = {"user": "", "port": 0, "key": "", "control_path": "", "args": "-F none"}


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def port():
    """The port of a web server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def closed():
    """A port of this machine on which nobody listens."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        return server.server_port


def test_what_can_be_dialled_is_dialled(port, closed):
    assert way.find("ssh", "127.0.0.1", [closed, port], 2) == way.Way("127.0.0.1")
    # nginx does not listen yet: the host is there all the same.
    assert way.find("ssh", "127.0.0.1", [closed], 2) == way.Way("127.0.0.1")


def test_a_name_of_the_ssh_configuration_is_resolved(tmp_path, port):
    config = tmp_path / "config"
    config.write_text("Host web1alias\n  HostName 127.0.0.1\n")
    ssh = {**SSH, "address": "web1alias", "args": f"-F {config}"}
    assert way.find("ssh", "web1alias", [port], 2, ssh=ssh) == way.Way("127.0.0.1")


@pytest.mark.parametrize("hop", ["ProxyJump bastion.invalid", "ProxyCommand nc %h %p"])
def test_what_refuses_behind_a_bastion_may_be_another_machine(tmp_path, closed, hop):
    config = tmp_path / "config"
    config.write_text(f"Host 127.0.0.1\n  {hop}\n")
    ssh = {**SSH, "address": "127.0.0.1", "args": f"-F {config}"}
    with pytest.raises(way.NoWay, match="ssh carries no connection there"):
        way.find("ssh", "127.0.0.1", [closed], 2, ssh=ssh)


@pytest.mark.parametrize(
    ("transport", "more", "told"),
    [
        ("ssh", {"ssh": {**SSH, "address": NO_NAME}}, "nginx_websocket_verify: false"),
        ("paramiko", {}, "Ansible comes by paramiko"),
        ("kubectl", {"wished": NO_NAME}, "nginx_websocket_verify_address is web1.invalid"),
    ],
)
def test_a_host_that_nobody_can_look_at_is_refused(transport, more, told):
    with pytest.raises(way.NoWay, match=told):
        way.find(transport, NO_NAME, [443], 2, **more)


@pytest.mark.parametrize(
    ("transport", "engine"),
    [("community.docker.docker", "docker"), ("containers.podman.podman", "podman")],
)
def test_a_container_is_looked_at_from_within(tmp_path, monkeypatch, transport, engine):
    engine_that(tmp_path, monkeypatch, engine, 'shift 4; exec "$@"')
    found = way.find(transport, NO_NAME, [443], 2)
    assert found.through[:5] == (engine, "exec", "-i", "--", NO_NAME)
    assert "not from outside" in found.told


def engine_that(tmp_path, monkeypatch, name, does):
    """A container engine that takes ``exec -i -- CONTAINER COMMAND…``."""
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_a_container_that_the_engine_does_not_know_is_refused_before_anything_is_touched(
    tmp_path, monkeypatch
):
    engine_that(tmp_path, monkeypatch, "docker", "echo 'Error: No such container' >&2; exit 1")
    with pytest.raises(way.NoWay, match="docker carries no connection there: Error: No such container"):
        way.find("community.docker.docker", NO_NAME, [443], 2)


def test_the_controller_itself_is_dialled_where_its_name_leads_nowhere():
    assert way.find("local", NO_NAME, [443], 2) == way.Way("127.0.0.1")


def test_ports_are_those_on_which_the_sites_are_seen():
    sites = [{"tls": {"enabled": False}, "http": {"port": 8080}}, {"http": {"mode": "none"}}]
    assert way.ports_of(sites) == [8080, 443]


EACH = ("python3", "-c", "import socket, sys, threading, os\n"
        "sock = socket.create_connection(('{address}', {port}))\n"
        "threading.Thread(target=lambda: [sock.sendall(d) for d in iter(lambda: os.read(0, 9999), b'')],"
        " daemon=True).start()\n"
        "[os.write(1, d) for d in iter(lambda: sock.recv(9999), b'')]")  # fmt: skip


@pytest.mark.parametrize("through", [[sys.executable, str(way.RELAY)], EACH])
def test_the_suite_looks_through_another_program(port, through):
    """Through one program for all connections, as in a container, and through one for each, as ssh -W."""
    host = {
        "name": "web1",
        "address": NO_NAME,
        "through": list(through),
        "told": "seen from within",
        "report": {"masters": [], "workers": [], "unit": {}, "releases": {}},
        "sites": [{"name": "a.test", "tls": {"enabled": False}, "http": {"port": port}}],
    }
    done = subprocess.run(
        [sys.executable, "-m", "verify", "-", "-k", "test_pages_are_served"],
        input=json.dumps({"timeout": 10, "hosts": [host]}),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["hosts"]["web1"]
    assert (result["failures"], result["passed"]) == ([], 1)
    assert result["findings"] == ["seen from within [not-from-outside]"]
