"""The dead-man's switch on a real host: a release that nobody confirms goes away by itself."""

from __future__ import annotations

import os
import time

import pytest

from tests.integration.transaction_host import SUITE, TransactionHost, site

OURS = "ls /var/lib/nginx_websocket; find /etc/systemd/system /etc/nginx -name '*nginx-websocket*'"
TIMERS = "systemctl list-units --all --plain --no-legend 'nginx-websocket-*' | awk '{print $1}'"


@pytest.fixture(scope="module")
def started(lab_up):
    return TransactionHost(lab_up(f"tx-confirm-{os.getpid()}", suite=SUITE))


@pytest.fixture
def host(started):
    started.reset()
    return started


def left(host):
    """What of us is on the host beside the backups."""
    return sorted(set(f"{host.sh(OURS)} {host.sh(TIMERS)}".split()) - {"backups", "lock"})


def until(condition, seconds=30.0):
    """Wait for something that the host does by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def test_a_confirmed_release_stays_and_leaves_nothing(host):
    done = host.deploy(site(), confirm_window=300)
    assert (done["outcome"], done["failed"]) == ("applied", False), done["message"]
    assert done["confirm_by"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert "nginx-websocket-undo.timer" in left(host)
    confirmed, code, errors = host.begin("confirm", backup=done["backup"])
    assert code == 0 and confirmed["outcome"] == "applied", errors
    assert left(host) == []
    assert host.serves() == "200 lammp"
    again, _, _ = host.begin("confirm", backup=done["backup"])
    assert (again["outcome"], again["failed"]) == ("unchanged", False)


def test_a_release_that_nobody_confirms_goes_away_by_itself(host):
    first = host.deploy(site())
    workers = host.lab.workers()
    second = host.deploy(site(tail="# two"), confirm_window=1, deadline=3)
    release = first["releases"]["lammp"]
    until(lambda: host.serves(f"/.well-known/nginx-websocket/{release}") == f"200 {release}")
    until(lambda: left(host) == ["gone-back.json"])
    assert host.lab.workers() != workers
    late, _, _ = host.begin("confirm", backup=second["backup"])
    assert late["failed"] and late["message"].startswith("too late: the host went back by itself")
    told = host.deploy(site())
    assert "was proven on the host, but never confirmed" in told["recovered"]
    assert (told["failed"], told["releases"]) == (False, first["releases"])
    assert left(host) == [] and host.deploy(site())["recovered"] == ""


def test_a_module_that_is_killed_is_undone_without_another_run(host):
    host.deploy(site())
    host.sh("rm -f /run/killed")
    before = (
        "import signal; from module_utils.nginx_websocket.transaction import execute as e; "
        "e.bring_to_life = lambda *a: os.kill(os.getpid(), signal.SIGKILL)"
    )
    outcome, code, _ = host.begin(
        "deploy", before=before, sites=[site(tail="# two")], confirm_window=1, deadline=2
    )
    assert outcome is None and code == 137
    assert "# two" in host.sh("cat /etc/nginx/sites-available/lammp.conf")
    until(lambda: "# two" not in host.sh("cat /etc/nginx/sites-available/lammp.conf"))
    until(lambda: left(host) == ["gone-back.json"])
    assert host.valid() and host.serves() == "200 lammp"


@pytest.mark.parametrize("to", ["previous", "the number"])
def test_a_rollback_in_the_window_is_the_undo(host, to):
    first = host.deploy(site())
    second = host.deploy(site(tail="# two"), confirm_window=300)
    back = host.rollback(to if to == "previous" else str(second["backup"]))
    assert (back["outcome"], back["changed"], back["failed"]) == ("applied", True, False), back["message"]
    assert (back["releases"], back["previous"]) == (first["releases"], second["releases"])
    assert "# two" not in host.sh("cat /etc/nginx/sites-available/lammp.conf") and left(host) == []
    late, _, _ = host.begin("confirm", backup=second["backup"])
    assert late["failed"] and "undone" in late["message"]


def test_the_next_deployment_undoes_what_nobody_confirmed(host):
    first = host.deploy(site())
    host.deploy(site(tail="# two"), confirm_window=300)
    third = host.deploy(site(tail="# three"), confirm_window=300)
    assert "never confirmed" in third["recovered"] and third["previous"] == first["releases"]
    assert host.begin("confirm", backup=third["backup"])[0]["failed"] is False
    assert left(host) == []


def test_a_run_that_was_overtaken_confirms_and_undoes_nothing(host):
    """Its release is gone; the number that it still has must not mean the release of the next run."""
    host.deploy(site())
    overtaken = host.deploy(site(tail="# two"), confirm_window=300)
    waiting = host.deploy(site(tail="# three"), confirm_window=300)
    assert overtaken["backup"] != waiting["backup"]
    late, _, _ = host.begin("confirm", backup=overtaken["backup"])
    assert late["failed"] and f"(backup {waiting['backup']}) is open" in late["message"]
    back = host.rollback(str(overtaken["backup"]))
    assert back["failed"] and f"there is no backup {overtaken['backup']}" in back["message"]
    assert "nginx-websocket-undo.timer" in left(host), "the other run's window is still open"
    assert "# three" in host.sh("cat /etc/nginx/sites-available/lammp.conf")
    assert host.begin("confirm", backup=waiting["backup"])[0]["failed"] is False


def test_a_run_that_changes_nothing_opens_no_window(host):
    host.deploy(site())
    again = host.deploy(site(), confirm_window=300)
    assert (again["outcome"], again["confirm_by"]) == ("unchanged", "") and left(host) == []


def test_a_release_that_is_undone_leaves_no_timer(host):
    host.deploy(site())
    host.take_port(8099)
    failed = host.deploy(site(tail="server { listen 8099; }"), confirm_window=300, deadline=6)
    assert (failed["outcome"], failed["confirm_by"]) == ("rolled back", "") and left(host) == []


def test_check_mode_opens_no_window(host):
    before = host.everything()
    host.deploy(site(), check=True, confirm_window=300)
    assert host.everything() == before and left(host) == []


def test_an_unchanged_run_of_somebody_else_leaves_the_window_alone(host):
    host.deploy(site())
    host.deploy(site("other", ("other.test",), routes=False))
    anne, bert = (f"os.environ['SUDO_USER'] = {name!r}" for name in ("anne", "bert"))
    waiting = host.deploy(site(tail="# two"), before=anne, confirm_window=300)
    before = host.tree()
    done = host.deploy(site("other", ("other.test",), routes=False), before=bert)
    assert done["failed"] and not done["changed"] and host.tree() == before
    assert "made by anne" in done["message"] and waiting["confirm_by"] in done["message"]
    assert host.begin("confirm", backup=waiting["backup"])[0]["failed"] is False
