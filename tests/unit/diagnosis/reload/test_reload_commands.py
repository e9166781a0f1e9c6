"""What to type where files wait for a reload, or a unit for its start."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket import codes
from module_utils.nginx_websocket.diagnosis.deciding.commands import commands_for
from module_utils.nginx_websocket.diagnosis.deciding.risks import risks
from module_utils.nginx_websocket.host.stopped_units import StoppedUnit
from tests.unit.diagnosis.seen import (
    CONF,
    backend,
    broken,
    host,
    logged,
    newer,
    opened,
    proxied,
    site,
    socket_of,
)

TESTED, RELOADED = "/usr/sbin/nginx -t", "systemctl reload nginx.service"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (codes.STALE_CONFIG_NOT_RELOADED, [TESTED, RELOADED]),
        (codes.RELOAD_FAILED, [TESTED, RELOADED]),
        (codes.NOT_INCLUDED_FILE, ["/usr/sbin/nginx -T | grep '^# configuration file'", RELOADED]),
        (codes.NGINX_NOT_RUNNING, [TESTED, "systemctl start nginx.service"]),
        (codes.STALE_UPSTREAM_DNS, [RELOADED]),
        (codes.CERT_INVALID, [RELOADED]),
        (codes.OTHER_PROCESS_ON_PORT, ["ss -ltnp 'sport = :443'"]),
        (codes.BACKEND_DOWN, ["ss -ltnp"]),
        (codes.BACKEND_IPV6_LOCALHOST, ["ss -ltnp"]),
        (codes.BACKEND_CONNECT_TIMEOUT, ["ss -ltn", "nft list ruleset"]),
        (codes.NO_UPGRADE_HEADER, []),
    ],
)
def test_each_cause_that_commands_cure_has_them(code, expected):
    assert commands_for(code, host(site(proxied()), {})) == expected


def test_an_nginx_without_a_unit_is_told_by_its_binary():
    facts = host(site(proxied()), {})
    facts.nginx.master.unit = ""
    assert commands_for(codes.RELOAD_FAILED, facts) == [TESTED, f"/usr/sbin/nginx -s reload -c {CONF}"]
    assert commands_for(codes.NGINX_NOT_RUNNING, facts)[1] == "systemctl start nginx.service"


def test_what_is_known_of_the_backend_is_in_the_command():
    nobody = backend(broken("connect-refused"))
    nobody.unit = StoppedUnit("app.service", "failed", [])
    facts = host(site(proxied()), {}, backends=[nobody])
    assert commands_for(codes.BACKEND_DOWN, facts) == [
        "systemctl start app.service",
        "journalctl -u app.service -n 50",
    ]
    heard = backend(broken("connect-refused"), listeners=[socket_of(7, 8000)])
    facts = host(site(proxied()), {}, backends=[heard])
    assert commands_for(codes.BACKEND_IPV6_LOCALHOST, facts) == ["ss -ltnp 'sport = :8000'"]


def stale(lines, changed=2000.0):
    """The codes of the risks about files that changed while the socket opens all the same."""
    facts = host(site(proxied()), {"loopback": opened()}, newer_files=[newer()])
    facts.emergencies = [logged(text, "emerg") for text in lines]
    for line in facts.emergencies:
        line.time = changed
    wanted = (codes.RELOAD_FAILED, codes.STALE_CONFIG_NOT_RELOADED)
    return [finding.code for finding in risks(facts, []) if finding.code in wanted]


def test_a_reload_that_nginx_refused_is_told_from_one_that_nobody_asked_for():
    assert stale([]) == [codes.STALE_CONFIG_NOT_RELOADED]
    assert stale(["unknown directive"]) == [codes.RELOAD_FAILED]
    assert stale(["unknown directive"], changed=1000.0) == [codes.STALE_CONFIG_NOT_RELOADED]


def test_files_that_only_moved_are_not_newer():
    facts = host(
        site(proxied()), {"loopback": opened()}, newer_files=[dataclasses.replace(newer(), content=False)]
    )
    assert not [finding for finding in risks(facts, []) if finding.code == codes.STALE_CONFIG_NOT_RELOADED]
