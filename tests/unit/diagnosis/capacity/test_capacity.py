"""How many sockets a configuration lets live at once."""

from __future__ import annotations

import types

import pytest

from module_utils.nginx_websocket.diagnosis.capacity.limits import socket_limits, worker_count
from tests.unit.diagnosis.seen import host, proxied, site


def limits(upstream="", lines="", http="", events="", workers=1, **more):
    """Code → sockets, of one site with these lines."""
    given = {"files": 1 << 20, "used": 10, **more.pop("limits", {})}
    body = f"upstream app {{ {upstream} }}\n{http}\n{site(proxied('http://app', lines))}"
    facts = host(body, {}, limits=given)
    facts.nginx.master.workers = [types.SimpleNamespace(shutting_down=False) for _ in range(workers)]
    return {limit.code: limit for limit in socket_limits(facts)}


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize(
    ("servers", "total"),
    [
        ("server 127.0.0.1:1 max_conns=3;", 3),
        ("server 127.0.0.1:1 max_conns=3; server 127.0.0.1:2 max_conns=4;", 7),
        ("server 127.0.0.1:1 max_conns=3; server 127.0.0.1:2 max_conns=4 backup;", 3),
        ("server 127.0.0.1:1 max_conns=3; server 127.0.0.1:2 down;", 3),
    ],
)
def test_each_worker_counts_max_conns_for_itself_unless_they_share_a_zone(servers, total, workers):
    assert limits(servers, workers=workers)["upstream-max-conns"].sockets == total * workers
    shared = limits(f"zone z 64k; {servers}", workers=workers)
    assert shared["upstream-max-conns"].sockets == total


@pytest.mark.parametrize("servers", ["server 127.0.0.1:1;", "server 127.0.0.1:1 max_conns=0;"])
def test_one_server_without_a_limit_is_no_limit(servers):
    assert "upstream-max-conns" not in limits("server 127.0.0.1:9 max_conns=2; " + servers)


def test_old_workers_do_not_count():
    facts = host(site(proxied()), {})
    facts.nginx.master.workers = [
        types.SimpleNamespace(shutting_down=shutting) for shutting in (True, False, True, False)
    ]
    assert worker_count(facts) == 2
    facts.nginx = None
    assert worker_count(facts) == 1


@pytest.mark.parametrize(("number", "trying"), [(1, True), (2, True), (3, False)])
def test_limit_conn(number, trying):
    found = limits(
        "server 127.0.0.1:1;", f"limit_conn per {number};", "limit_conn_zone $binary_remote_addr zone=per:1m;"
    )["limit-conn"]
    assert (found.sockets, found.worth_trying) == (number, trying)


@pytest.mark.parametrize(
    ("rate", "burst", "sockets", "trying"),
    [
        ("1r/s", "", 1, True),
        ("30r/m", "", 1, True),
        ("10r/s", " burst=5", 15, False),
        ("1r/s", " burst=3", 4, False),
    ],
)
def test_limit_req(rate, burst, sockets, trying):
    zone = f"limit_req_zone $binary_remote_addr zone=one:1m rate={rate};"
    found = limits("server 127.0.0.1:1;", f"limit_req zone=one{burst};", zone)["limit-req"]
    assert (found.sockets, found.worth_trying) == (sockets, trying)


def test_descriptors_of_a_worker_halve():
    found = limits("server 127.0.0.1:1;", limits={"files": 30, "used": 10})["open-file-limit"]
    assert (found.sockets, found.worth_trying) == (10, True)


def test_the_smallest_limit_comes_first():
    facts = host(
        f"upstream app {{ server 127.0.0.1:1 max_conns=2; }}\n{site(proxied('http://app'))}",
        {},
        limits={"files": 20, "used": 10},
    )
    assert [limit.sockets for limit in socket_limits(facts)] == [2, 5, 255]
