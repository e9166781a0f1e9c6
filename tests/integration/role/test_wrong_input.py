"""Every row of the table of wrong input, on a real host: message, exit, files and running nginx as before."""

from __future__ import annotations

import copy
from typing import Any, Dict

import pytest
import yaml

from tests.integration.conftest import ROOT, LabHost, LabUp
from tests.integration.role import wrong_input
from tests.integration.role.wrong_input import ON_THE_HOST, ON_THE_WAY, TOGETHER, VALUES, Row, example

SITE: Dict[str, Any] = yaml.safe_load((ROOT / "inventory/lab/group_vars/nginx_websocket.yml").read_text())[
    "nginx_websocket_sites"
][0]
PLACES = ("/etc/nginx", "/etc/letsencrypt", "/var/www")


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    return lab_up("wrong-input", scenes=["broken", "neighbour"])


def state(host: LabHost) -> Any:
    """All files that nginx serves from but the one that a test edits itself; the processes that serve."""
    listed = host.digest(*PLACES).splitlines()
    edited = wrong_input.SITE_FILE if host.sh("cat /run/editor 2>/dev/null || true") else None
    return [line for line in listed if not edited or edited not in line], host.workers()


@pytest.mark.parametrize("rows", [VALUES, TOGETHER], ids=["values", "together"])
def test_all_wrong_values_at_once(host: LabHost, rows: list[Row]) -> None:
    """One run with a site for each row: every message comes, and the host is not even asked."""
    right = Row("right", "")
    sites = [example(0, right), *(example(number, row) for number, row in enumerate(rows, 1))]
    before = state(host)
    done = host.playbook("playbooks/deploy.yml", variables={"nginx_websocket_sites": sites})
    assert done.returncode == 2
    assert "Look at the host" not in done.stdout
    said = done.stdout.replace("\\\\", "\\").replace('\\"', '"')
    assert [row.what for row in rows if row.said not in said] == [], said
    assert state(host) == before


@pytest.mark.parametrize("row", [*ON_THE_HOST, *ON_THE_WAY], ids=lambda row: row.what)
def test_wrong_on_the_host(host: LabHost, row: Row) -> None:
    variables = {"nginx_websocket_sites": [{**copy.deepcopy(SITE), **row.site}], **row.variables}
    if row.before:
        host.sh(row.before)
    try:
        before = state(host)
        done = host.playbook("playbooks/deploy.yml", variables=variables)
        told = (done.stdout + done.stderr).replace('\\"', '"')
        assert done.returncode == row.code, told
        assert row.said in told, told
        files, workers = state(host)
        assert files == before[0]
        if not row.outcome.startswith("undone"):
            assert workers == before[1]
    finally:
        if row.after:
            host.sh(row.after)
        host.sh("rm -f /run/editor")
    assert host.sh("nginx -t 2>&1 | tail -n 1").endswith("test is successful\n")


def test_in_the_end_the_host_can_still_be_deployed(host: LabHost) -> None:
    """What was refused and undone has left nothing behind that stands in the way."""
    done = host.playbook("playbooks/deploy.yml")
    assert done.returncode == 0, done.stdout
