"""IPv6: the transaction's proof asks its sockets, and a host is deployed and verified by way of it."""

from __future__ import annotations

import copy
import re

import pytest

from lab.files import pki
from module_utils.nginx_websocket.exchange.probe import probe
from tests.integration.conftest import LabHost, LabUp
from tests.integration.role.test_main_job import SITE
from tests.integration.transaction_host import TransactionHost, site

URL = "wss://lammp.test/api/mqtt/ws/hints/test"


@pytest.fixture(scope="module")
def lab(lab_up: LabUp) -> LabHost:
    lab = lab_up("ipv6", scenes=["ipv6"])
    if not lab.sh("cat /proc/net/if_inet6 2>/dev/null || true"):
        pytest.skip("the kernel of this machine speaks no IPv6")
    return lab


@pytest.fixture(scope="module")
def address(lab: LabHost) -> str:
    if not lab.host.address6:
        pytest.skip("the docker engine of this machine has no network with IPv6")
    return lab.host.address6


@pytest.fixture(scope="module")
def host(lab: LabHost) -> TransactionHost:
    return TransactionHost(lab)


@pytest.mark.parametrize("where", ["loopback", "network"])
def test_the_proof_asks_an_ipv6_socket(
    host: TransactionHost, where: str, request: pytest.FixtureRequest
) -> None:
    """A release that is served on IPv4 alone is not proven, and undone."""
    own = "::1" if where == "loopback" else request.getfixturevalue("address")
    host.reset()
    before = host.tree()
    whole = site(listen=f"80; listen [{own}]:80")
    blind = copy.deepcopy(whole)
    blind["content"] = blind["content"].replace("$remote_addr != $server_addr", f"$remote_addr = {own}")
    done = host.deploy(blind)
    assert (done["outcome"], done["failed"]) == ("rolled back", True)
    assert f"http://lammp.test at {own} port 80" in done["message"]
    assert "404" in done["message"]
    assert host.tree() == before
    done = host.deploy(whole)
    assert (done["outcome"], done["failed"]) == ("applied", False), done["message"]


def test_deployed_and_verified_by_way_of_ipv6(host: TransactionHost, lab: LabHost, address: str) -> None:
    """The site listens on IPv6 alone; Ansible and the verification know the host by that address."""
    host.reset()
    listening = {**SITE, "listen": {"addresses": [address]}}
    known = {"ansible_host": address, "ansible_control_path": "none"}
    done = lab.playbook("site.yml", variables={"nginx_websocket_sites": [listening], **known})
    assert done.returncode == 0, done.stdout
    assert "changed=1 " in done.stdout
    assert re.search(r"\d\d checks passed", done.stdout), done.stdout
    assert f"Accepted publickey for deploy from {address.rpartition('::')[0]}::" in lab.sh(
        "journalctl -u ssh"
    )
    listens = lab.sh("grep -ho 'listen .*:443.*;' /etc/nginx/sites-enabled/lammp.test.conf | sort -u")
    assert listens == f"listen [{address}]:443 ssl http2;\n"
    assert probe(URL, address=(address, 443), cafile=str(pki.authority())).opened
