"""The container that publishes a port, by docker's own files."""

from __future__ import annotations

import json

import pytest

from module_utils.nginx_websocket.host.containers.published import container_publishing


@pytest.fixture
def docker(tmp_path):
    """Writes a container's files as docker does."""

    def container(ident, name, ports, running=True):
        (tmp_path / ident).mkdir()
        state = {"Name": f"/{name}", "State": {"Running": running}}
        bound = {inner: [{"HostIp": "", "HostPort": outer}] for inner, outer in ports.items()}
        (tmp_path / ident / "config.v2.json").write_text(json.dumps(state))
        (tmp_path / ident / "hostconfig.json").write_text(json.dumps({"PortBindings": bound}))

    return container, str(tmp_path)


def test_the_one_that_publishes_it(docker):
    container, directory = docker
    container("a1", "web", {"80/tcp": "8080", "443/tcp": "8443"})
    container("b2", "db", {"5432/tcp": "5432"})
    assert container_publishing(8443, directory) == "web"
    assert container_publishing(5432, directory) == "db"
    assert container_publishing(80, directory) == ""  # the container's own port, not the host's


def test_udp_what_is_stopped_and_what_is_not_one(docker):
    container, directory = docker
    container("a1", "quic", {"443/udp": "443"})
    container("b2", "old", {"443/tcp": "443"}, running=False)
    assert container_publishing(443, directory) == ""
    container("c3", "blue", {"443/tcp": "443"})
    assert container_publishing(443, directory) == "blue"
    container("d4", "green", {"443/tcp": "443"})
    assert container_publishing(443, directory) == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"PortBindings": {"80/tcp": null}}', '{"PortBindings": []}', "[" * 9999]
)
def test_files_that_say_nothing(docker, tmp_path, text):
    container, directory = docker
    container("a1", "web", {"80/tcp": "80"})
    (tmp_path / "a1" / "hostconfig.json").write_text(text)
    assert container_publishing(80, directory) == ""


def test_a_name_that_no_shell_should_see(docker):
    container, directory = docker
    container("a1", "web; reboot", {"80/tcp": "80"})
    assert container_publishing(80, directory) == ""
    assert container_publishing(80, directory + "/nowhere") == ""
