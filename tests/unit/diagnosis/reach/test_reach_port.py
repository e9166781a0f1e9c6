"""Who has the port of the URL, and whether a connection comes about."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from tests.unit.diagnosis.seen import broken, first, host, proxied, refused, shown, site, socket_of


def held(owner, **more):
    facts = host(site(proxied()), {"loopback": broken("connect-refused")}, **more)
    facts.owner, facts.owner_is_nginx = owner, False
    return facts


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"origin": "container"}, "docker ps --filter publish=443"),
        ({"exe": "/usr/bin/docker-proxy"}, "docker ps --filter publish=443"),
        ({"pid": None, "pids": []}, "docker ps --filter publish=443"),
        ({"exe": "/usr/sbin/apache2"}, ""),
    ],
)
def test_somebody_else_has_the_port(change, words):
    finding = first(held(dataclasses.replace(socket_of(77, 443), **change)))
    assert finding.code == "other-process-on-port" and words in finding.fix
    assert "port 443 on 127.0.0.1" in shown(finding)


def test_no_nginx_runs():
    facts = host(site(proxied()), {"loopback": broken("connect-refused")})
    facts.owner, facts.nginx, facts.nginx_choice = None, None, "nobody is called nginx"
    finding = first(facts)
    assert finding.code == "nginx-not-running" and "nobody is called nginx" in shown(finding)


@pytest.mark.parametrize(
    ("kind", "listen", "code"),
    [
        ("dns", "443 ssl", "name-not-resolved"),
        ("connect-refused", "443 ssl", "port-not-listening"),
        ("connect-refused", "8443 ssl", "port-not-listening"),
        ("connect-timeout", "443 ssl", "address-unreachable"),
        ("connect-failed", "443 ssl", "address-unreachable"),
    ],
)
def test_no_connection_comes_about(kind, listen, code):
    facts = host(site(proxied(), listen), {"loopback": broken(kind)})
    facts.firewall = ["chain input: drop tcp dport 443"]
    finding = first(facts)
    assert finding.code == code
    assert ("drop tcp dport 443" in shown(finding)) is (code == "address-unreachable")


@pytest.mark.parametrize("name", ["web", ""])
def test_the_container_that_has_the_port_is_named_where_it_is_known(name):
    facts = host(site(proxied()), {"loopback": refused(404)})
    facts.owner_is_nginx, facts.container = False, name
    facts.owner.exe = "/usr/bin/docker-proxy"
    first = conclude_live(facts).findings[0]
    assert first.code == "other-process-on-port"
    assert ("docker exec web nginx -T" in first.fix) == bool(name)
    assert "stop the other process" not in first.fix
