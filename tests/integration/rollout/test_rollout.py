"""Rollouts over real hosts: batches, the stop at a failure, leaving and taking back, the summary, sockets."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import socket
import ssl
import subprocess
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import pytest

from lab import hosts
from tests.integration.conftest import BIN, ROOT, LabHost
from tests.integration.role.test_main_job import SITE

NAMES = ["it-ro1", "it-ro2", "it-ro3"]
LIVE = "/etc/nginx/sites-enabled/lammp.test.conf"
#: Nothing listens there: seen from outside, the host is dead, whatever it says of itself.
DEAD = "127.0.0.99"


@pytest.fixture(scope="module")
def fleet() -> Iterator[List[LabHost]]:
    """Three hosts without a release."""
    yield [LabHost(host) for host in hosts.up(NAMES, "bookworm", (), recreate=True)]
    if not os.environ.get("NGINX_WEBSOCKET_KEEP_LAB"):
        hosts.down(NAMES)


def site(revision: int, **changes: Any) -> Dict[str, Any]:
    """Return the lab's site; each revision is another release."""
    wanted = {**copy.deepcopy(SITE), **changes}
    for route in wanted["websockets"]:
        route["timeout"] = f"{3600 + revision}s"
    return {"nginx_websocket_sites": [wanted]}


def watched(arguments: Sequence[str], watch: Callable[[str], None]) -> Tuple[int, str]:
    """Run ansible-playbook; return its exit code and output, of which `watch` sees each line as it comes."""
    output = ""
    with subprocess.Popen(
        [str(BIN / "ansible-playbook"), *arguments],
        cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as done:  # fmt: skip
        assert done.stdout is not None
        for line in done.stdout:
            watch(line)
            output += line
    return done.returncode, output


class Run:
    """One run of a playbook and its summary; `watch` sees each line of the output as it comes."""

    def __init__(
        self, directory: Path, variables: Dict[str, Any], *arguments: str, dead: str = "",
        playbook: str = "site.yml", watch: Callable[[str], None] = lambda line: None,
    ) -> None:  # fmt: skip
        inventories = ["-i", "inventory/lab"]
        if dead:
            more = directory / "dead"
            more.write_text(f"[nginx_websocket]\n{dead} nginx_websocket_verify_address={DEAD}\n")
            inventories += ["-i", str(more)]
        self.files = {kind: directory / f"summary.{kind}" for kind in ("json", "junit", "html", "retry")}
        variables = {**variables, **{f"nginx_websocket_summary_{k}": str(v) for k, v in self.files.items()}}
        limit = [] if "--limit" in arguments else ["--limit", ",".join(NAMES)]
        self.code, self.output = watched(
            [*inventories, playbook, "-e", json.dumps(variables), *limit, *arguments], watch
        )
        data = json.loads(self.files["json"].read_text())
        [self.play] = data["plays"]
        assert data["succeeded"] == (self.code == 0), self.output
        self.hosts = {host["name"]: host for host in self.play["hosts"]}

    @property
    def outcomes(self) -> List[str]:
        return [self.hosts[name]["outcome"] for name in NAMES if name in self.hosts]

    @property
    def soaked(self) -> List[str]:
        """The hosts to whose time the soak time was counted: Ansible tells it of the first one."""
        return [n for n, host in self.hosts.items() if any(p["name"] == "soak" for p in host["phases"])]


def timeouts(host: LabHost) -> str:
    """Return which revision is live on a host, empty for none."""
    return host.sh(f"grep -om1 'proxy_read_timeout 36..s' {LIVE} || true")[-4:-2]


def test_a_failure_stops_and_a_retry_continues(fleet: List[LabHost], tmp_path: Path) -> None:
    untouched = fleet[2].digest("/etc/nginx", "/var/lib/nginx_websocket")
    batches = {"nginx_websocket_serial": [1], "nginx_websocket_soak": 2, "nginx_websocket_soak_interval": 1}
    first = Run(tmp_path, {**site(1), **batches}, dead=NAMES[1])
    assert first.code == 2
    assert first.outcomes == ["applied", "rolled back", "not reached"], first.output
    assert [timeouts(host) for host in fleet] == ["01", "", ""]
    assert fleet[2].digest("/etc/nginx", "/var/lib/nginx_websocket") == untouched
    assert "Batch 2 of 3: it-ro2 (so far 1 of 3 done, 1 with a new release)" in first.output
    assert "3 hosts: 1 applied, 1 rolled back, 1 not reached; 2 of 3 batches" in first.output
    assert "nothing listens there" in "\n".join(first.hosts[NAMES[1]]["why"])
    # The canary alone had its soak time, of at least what was asked for.
    soaked = {n: [p["seconds"] for p in h["phases"] if p["name"] == "soak"] for n, h in first.hosts.items()}
    assert soaked[NAMES[0]][0] >= 2
    assert not soaked[NAMES[1]]
    suites = ET.parse(first.files["junit"]).getroot().findall("testsuite")
    assert [(s.get("failures"), s.get("skipped")) for s in suites] == [("0", "0"), ("1", "0"), ("0", "1")]
    assert "<svg" in first.files["html"].read_text()

    again = Run(
        tmp_path, {**site(1), **batches, "nginx_websocket_soak": 0}, "--limit", f"@{first.files['retry']}"
    )
    assert (again.code, list(again.hosts), again.outcomes) == (0, NAMES[1:], ["applied", "applied"]), (
        again.output
    )
    assert [timeouts(host) for host in fleet] == ["01", "01", "01"]


def test_finished_hosts_are_taken_back_where_that_is_wished(fleet: List[LabHost], tmp_path: Path) -> None:
    variables = {**site(2), "nginx_websocket_serial": [2, 1], "nginx_websocket_on_failure": "take_back"}
    before = [timeouts(host) for host in fleet]
    run = Run(tmp_path, variables, dead=NAMES[2])
    assert run.code == 2
    assert run.outcomes == ["taken back", "taken back", "rolled back"], run.output
    assert [timeouts(host) for host in fleet] == before


def test_one_failure_in_a_batch_stops_the_rollout(fleet: List[LabHost], tmp_path: Path) -> None:
    # A batch that failed whole ends Ansible's playbook anyway; here one of its hosts is well.
    before = timeouts(fleet[2])
    run = Run(tmp_path, {**site(9), "nginx_websocket_serial": [2]}, dead=NAMES[1])
    assert (run.code, run.outcomes) == (2, ["applied", "rolled back", "not reached"]), run.output
    assert [timeouts(host) for host in fleet][::2] == ["09", before]


def test_a_rollout_goes_on_as_far_as_failures_are_allowed(fleet: List[LabHost], tmp_path: Path) -> None:
    # A batch that fails whole ends the rollout in any case; so the one that may fail has company.
    batches = {"nginx_websocket_serial": [2], "nginx_websocket_soak": 1, "nginx_websocket_soak_interval": 1}
    allowed = {"nginx_websocket_max_fail_percentage": 34, "nginx_websocket_on_failure": "take_back"}
    run = Run(tmp_path, {**site(7), **batches, **allowed}, dead=NAMES[1])
    # One of three may fail: nobody is taken back for it, and the third host has its turn.
    assert (run.code, run.outcomes) == (2, ["applied", "rolled back", "applied"]), run.output
    assert [timeouts(host) for host in fleet][::2] == ["07", "07"]
    assert run.soaked == NAMES[:1]
    # A host that has the release already needs no soak time.
    again = Run(tmp_path, {**site(7), **batches}, "--limit", NAMES[0])
    assert (again.outcomes, again.soaked) == (["unchanged"], []), again.output


def test_a_failure_in_the_soak_time_undoes_the_first_batch(fleet: List[LabHost], tmp_path: Path) -> None:
    canary, before = fleet[0], [timeouts(host) for host in fleet]
    pages = "/var/www/lammp.test"

    def lose_the_pages(line: str) -> None:
        if line.startswith("TASK [nginx_websocket : Keep checking the first batch"):
            canary.sh(f"[ ! -d {pages} ] || mv {pages} {pages}.away")

    variables = {**site(8), "nginx_websocket_serial": [1]}
    soak = {"nginx_websocket_soak": 120, "nginx_websocket_soak_interval": 1}
    try:
        run = Run(tmp_path, {**variables, **soak}, watch=lose_the_pages)
    finally:
        canary.sh(f"[ ! -d {pages}.away ] || mv {pages}.away {pages}")
    assert (run.code, run.outcomes) == (2, ["rolled back", "not reached", "not reached"]), run.output
    assert [timeouts(host) for host in fleet] == before
    assert "into the soak time: " in "\n".join(run.hosts[canary.name]["why"])
    # The first failure ends it.
    assert sum(p["seconds"] for p in run.hosts[canary.name]["phases"] if p["name"] == "soak") < 60


def test_a_rollback_stops_between_batches_too(fleet: List[LabHost], tmp_path: Path) -> None:
    # Nothing is kept where the first host is told to look.
    away = tmp_path / "away"
    away.write_text(f"[nginx_websocket]\n{NAMES[0]} nginx_websocket_state_dir=/var/lib/nothing_is_kept\n")
    untouched = fleet[2].digest("/etc/nginx", "/var/lib/nginx_websocket")
    run = Run(
        tmp_path, {"nginx_websocket_serial": [2]}, "-i", str(away), playbook="playbooks/rollback.yml"
    )  # fmt: skip
    assert (run.code, run.outcomes) == (2, ["refused", "applied", "not reached"]), run.output
    assert fleet[2].digest("/etc/nginx", "/var/lib/nginx_websocket") == untouched


def test_check_mode_tells_and_touches_nothing(fleet: List[LabHost], tmp_path: Path) -> None:
    before = [host.digest("/etc/nginx", "/var/lib/nginx_websocket") for host in fleet]
    order = {"nginx_websocket_serial": [1], "nginx_websocket_order": "reverse_sorted"}
    run = Run(tmp_path, {**site(3), **order}, "--check", "--diff")
    assert (run.code, run.outcomes) == (0, ["would change"] * 3), run.output
    assert f"Batch 1 of 3: {NAMES[2]}" in run.output
    assert run.play["check_mode"]
    assert [host.digest("/etc/nginx", "/var/lib/nginx_websocket") for host in fleet] == before


class Held:
    """An open WebSocket through nginx; it answers pings, for the backend gives up a silent client."""

    def __init__(self, host: LabHost) -> None:
        context = ssl.create_default_context(cafile=str(ROOT / "lab/.state/ca/ca.crt"))
        plain = socket.create_connection((host.address, 443), timeout=10)
        self.connection = context.wrap_socket(plain, server_hostname="lammp.test")
        self.connection.sendall(
            b"GET /api/mqtt/ws/hints/held HTTP/1.1\r\nHost: lammp.test\r\nOrigin: https://lammp.test\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert self.connection.recv(4096).startswith(b"HTTP/1.1 101 ")
        self.connection.settimeout(None)
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.connection.recv(4096):
                if data[0] == 0x89:  # a ping; a client's frame is masked, here with zeros
                    size = data[1]
                    self.connection.sendall(bytes((0x8A, 0x80 | size, 0, 0, 0, 0)) + data[2 : 2 + size])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def test_a_host_that_lost_clients_says_so(fleet: List[LabHost], tmp_path: Path) -> None:
    host = fleet[0]
    backends = [{**SITE["backends"][0], "keepalive": 0}]
    Run(tmp_path, site(4, backends=backends), "--limit", host.name)
    held = [Held(host) for _ in range(3)]
    kept = Run(tmp_path, site(5, backends=backends), "--limit", host.name)
    assert kept.hosts[host.name]["sockets"] == {"before": 3, "after": 3, "lost": 0}, kept.output

    # Old workers that give up at once: the reload of this release costs the sockets.
    host.sh("sed -i '1i worker_shutdown_timeout 10ms;' /etc/nginx/nginx.conf && systemctl restart nginx")
    for connection in held:
        connection.close()
    held = [Held(host) for _ in range(2)]
    lost = Run(tmp_path, site(6, backends=backends), "--limit", host.name)
    assert lost.hosts[host.name]["sockets"] == {"before": 2, "after": 0, "lost": 2}, lost.output
    assert "sockets-lost" in [finding["code"] for finding in lost.hosts[host.name]["findings"]]
    assert "2 → 0 (2 lost)" in lost.output
    for connection in held:
        connection.close()
