"""An unchanged host: does the running nginx serve what the disk holds, and what is done where it does not?"""

from __future__ import annotations

import dataclasses

import pytest
from machine import PATH, Machine, content, refuse

from module_utils.nginx_websocket.transaction.live.instance import Masters
from module_utils.nginx_websocket.transaction.live.routes import LiveCheck
from module_utils.nginx_websocket.transaction.running import (
    LEAVE,
    REFUSE,
    START,
    confirm_running,
    prove_routes,
    settle,
)
from module_utils.nginx_websocket.transaction.site.model import (
    APPLIED,
    NOTHING_TO_GO_BACK_TO,
    RELOAD_FAILED,
    UNCHANGED,
    UNDECIDED,
    Finding,
    NotProven,
    Refused,
)

OLD = content("old")


@pytest.fixture
def machine():
    return Machine("old")


def look(machine, *, stopped=REFUSE, check=False):
    host = machine.host()
    host.check = check
    confirm_running(host, host.tree().configuration, (), stopped=stopped)
    return host.outcome


def codes(outcome):
    return [finding.code for finding in outcome.findings]


def test_what_is_served_is_left_alone(machine):
    outcome = look(machine)
    assert (outcome.outcome, outcome.changed, machine.told, codes(outcome)) == (UNCHANGED, False, [], [])


def test_what_is_not_served_is_reloaded(machine):
    machine.running[100] = {PATH: content("older")}
    assert look(machine, check=True).changed and machine.told == []
    outcome = look(machine)
    assert (outcome.outcome, outcome.changed, machine.told) == (APPLIED, True, [100])
    assert machine.serves()[PATH] == OLD


def test_what_is_not_served_after_a_reload_either(machine):
    machine.running[100] = {}
    machine.happens("reload", refuse("a reason"))
    outcome = look(machine)
    assert (outcome.outcome, outcome.failed) == (RELOAD_FAILED, True) and "a reason" in outcome.message


def test_a_file_that_changed_since_is_read_anew(machine):
    machine.stale_files = lambda *_: ["/etc/ssl/a.pem"]
    outcome = look(machine)
    assert outcome.outcome == APPLIED and codes(outcome) == ["reloaded"] and machine.told == [100]


def test_a_socket_that_does_not_open_though_all_stands(machine):
    machine.check_live = lambda *_: [LiveCheck(failure="403 at /ws"), LiveCheck(finding=Finding("x", "y"))]
    outcome = look(machine)
    assert (outcome.outcome, outcome.failed) == (NOTHING_TO_GO_BACK_TO, True)
    assert "403 at /ws" in outcome.message and codes(outcome) == ["x"] and machine.told == []


@pytest.mark.parametrize("quitting", [None, 77])
def test_a_stopped_nginx(machine, quitting):
    machine.end_master()

    def host_of(stopped, check=False):
        host = machine.host()
        host.nginx = dataclasses.replace(host.nginx, quitting=quitting)
        host.check = check
        confirm_running(host, host.tree().configuration, (), stopped=stopped)
        return host.outcome

    words = "process 77.*systemctl restart nginx" if quitting else "not running.*systemctl start nginx"
    with pytest.raises(Refused, match=words):
        host_of(REFUSE)
    assert codes(host_of(LEAVE)) == codes(host_of(START, check=True)) == ["nginx-stopped"]
    assert machine.starts == 0
    outcome = host_of(START)
    assert outcome.changed and machine.starts == 1 and machine.serves()[PATH] == OLD


def test_a_stopped_nginx_that_does_not_come_up(machine):
    machine.end_master()
    machine.happens("start", refuse("no workers"))
    host = machine.host()
    with pytest.raises(NotProven, match="no workers"):
        confirm_running(host, host.tree().configuration, (), stopped=START)
    assert host.outcome.outcome == RELOAD_FAILED


def test_two_masters_are_waited_for(machine):
    machine.processes = Masters(2, 1)
    machine.happens("pause", lambda: None, lambda: setattr(machine, "processes", Masters(2)))
    settle(machine.host())
    assert machine.paused == 2
    machine.processes = Masters(2, 1)
    with pytest.raises(Refused, match="nothing was changed"):
        settle(machine.host(deadline=0.0))


@pytest.mark.parametrize("down", [True, False])
def test_what_the_configuration_left_open_is_settled_by_sockets_that_all_open(machine, down):
    host = machine.host()
    host.find(UNDECIDED, "nobody can tell by the configuration")
    machine.check_live = lambda *_: [LiveCheck(), LiveCheck(finding=Finding("x", "y") if down else None)]
    assert prove_routes(host, host.tree().configuration, ()) is not down
    assert codes(host.outcome) == ([UNDECIDED, "x"] if down else [])
