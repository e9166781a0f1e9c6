"""One round trip for a host whose releases stand: what the look says of them, and when it says nothing."""

from __future__ import annotations

import re
from typing import Any, Dict, Generator, List

import pytest

from roles.nginx_websocket.site_model import check
from tests.integration.conftest import LabHost, LabUp
from tests.integration.role.test_main_job import SITE

FILE = "/etc/nginx/sites-available/lammp.test.conf"
STATE = "/var/lib/nginx_websocket"
#: Reload, and wait until no worker of before is left.
RELOAD = (
    "old=$(pgrep -P $(cat /run/nginx.pid)); systemctl reload nginx; "
    "for pid in $old; do while kill -0 $pid 2>/dev/null; do sleep 0.1; done; done"
)
QUESTIONS: Dict[str, Any] = check({"nginx_websocket_sites": [SITE]})["questions"]

#: What somebody does to a host with a release, after which a deployment would do something; and the way back.
CHANGES = {
    "an edit of the file": (f"sed -i '1a # mine' {FILE}", f"sed -i '2d' {FILE}"),
    "the file is gone": (f"mv {FILE} /root/held", f"mv /root/held {FILE}"),
    "a tree that nginx -t refuses": (
        "echo 'nonsense;' >/etc/nginx/conf.d/x.conf",
        "rm /etc/nginx/conf.d/x.conf",
    ),
    "a certificate that is gone": (
        "mv /etc/letsencrypt/live/lammp.test/fullchain.pem /root/held",
        # nginx has to read a file again that came after it: its content may be another one
        f"mv /root/held /etc/letsencrypt/live/lammp.test/fullchain.pem; {RELOAD}",
    ),
    "nginx is stopped": ("systemctl stop nginx", "systemctl start nginx"),
    "nginx serves another tree": (
        f"cp -p {FILE} /root/held; : >{FILE}; {RELOAD}; cp -p /root/held {FILE}",
        RELOAD,
    ),
    "half a backup": (
        f"mv {STATE}/backups/0001/manifest.json /root/held",
        f"mv /root/held {STATE}/backups/0001/manifest.json",
    ),
    "a transaction that was never closed": (
        f'echo \'{{"backup": 1, "step": "reload", "started": ""}}\' >{STATE}/journal.json',
        f"rm {STATE}/journal.json",
    ),
    "a note that the host went back": (
        f'echo \'{{"backup": 1, "time": "", "message": "it did"}}\' >{STATE}/gone-back.json',
        f"rm {STATE}/gone-back.json",
    ),
    "the backend is down": ("systemctl stop lammp-backend", "systemctl start lammp-backend"),
}


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    host = lab_up("deployed", scenes=["fresh"])
    done = host.playbook("site.yml", variables={"nginx_websocket_sites": [SITE]})
    assert done.returncode == 0, done.stdout
    return host


@pytest.fixture(autouse=True)
def _as_it_was(host: LabHost) -> Generator[None, None, None]:
    yield
    assert stands(host), "a change of the test was not taken back"


def stands(host: LabHost, **more: Any) -> Dict[str, Any]:
    """What the look says of the releases; {} when it says nothing."""
    asked = {**QUESTIONS, "deployed": {**QUESTIONS["deployed"], **more}}
    return host.module("nginx_facts", asked)["deployed"] or {}


def asked(host: LabHost, *flags: str) -> List[str]:
    """The modules that a run has executed on the host."""
    done = host.playbook(
        "site.yml", "-vvv", "--tags", "deploy", *flags, variables={"nginx_websocket_sites": [SITE]}
    )
    assert done.returncode == 0, done.stdout
    return re.findall(r"^Using module file \S+/(\w+)\.py$", done.stdout, re.MULTILINE)


def test_it_is_what_a_deployment_would_say(host: LabHost) -> None:
    told = stands(host)
    release = told["releases"]["lammp.test"]
    assert (told["outcome"], told["changed"], told["previous"]["lammp.test"]) == ("unchanged", False, release)
    assert release in host.sh(f"cat {FILE}")
    assert {step["name"] for step in told["steps"]} >= {"compare", "validate", "prove"}


def test_an_unchanged_run_asks_once_and_touches_nothing(host: LabHost) -> None:
    before, workers = host.digest("/etc/nginx", STATE), host.workers()
    assert asked(host) == ["nginx_facts"]
    assert asked(host, "--check") == ["nginx_facts"]
    assert (host.digest("/etc/nginx", STATE), host.workers()) == (before, workers)


@pytest.mark.parametrize("change", CHANGES)
def test_where_a_deployment_would_do_something_it_says_nothing(host: LabHost, change: str) -> None:
    happens, back = CHANGES[change]
    host.sh(happens)
    try:
        assert not stands(host)
    finally:
        host.sh(back)


def test_a_directory_that_a_person_put_beside_the_backups_is_his(host: LabHost) -> None:
    """A number that was never given is no unfinished backup of ours: no reason to deploy."""
    host.sh(f"mkdir {STATE}/backups/0099")
    try:
        assert stands(host)
    finally:
        host.sh(f"rmdir {STATE}/backups/0099")


def test_another_transaction_is_not_waited_for(host: LabHost) -> None:
    """The deployment after it does wait, and says for whom."""
    host.sh(
        f"nohup flock {STATE}/lock sleep 60 >/dev/null 2>&1 & echo $! >/root/holder; "
        f"while flock --nonblock {STATE}/lock true; do :; done"
    )
    try:
        assert not stands(host)
    finally:
        host.sh("pkill -P $(cat /root/holder); kill $(cat /root/holder) 2>/dev/null || true")


def test_more_room_for_sockets_than_there_is(host: LabHost) -> None:
    assert not stands(host, max_sockets=5000)


def test_another_site_beside_it(host: LabHost) -> None:
    """All sites of a host are one transaction: one that does not stand yet is enough."""
    more = {"name": "other.test", "server_names": ["other.test"]}
    assert not stands(host, sites=[*QUESTIONS["deployed"]["sites"], more])
