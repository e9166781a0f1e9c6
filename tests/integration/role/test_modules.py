"""A nginx without the modules that a site needs: Debian 11's nginx-light cannot limit clients."""

from __future__ import annotations

import copy
from typing import Any, Dict

import pytest

from tests.integration.conftest import LabHost, LabUp
from tests.integration.role.test_main_job import SITE

LIMITS = {
    "sockets": (50, "limit_conn"),
    "handshakes_per_minute": (600, "limit_req"),
    "requests_per_second": (30, "limit_req"),
}


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    host = lab_up("modules", suite="bullseye", scenes=["broken"])
    if not host.has_package("nginx-light"):
        pytest.skip("no source of packages can be reached from the host")
    host.sh("apt-get install -q -y nginx-light >/dev/null 2>&1")
    assert "--without-http_limit_conn_module" in host.sh("nginx -V 2>&1")
    return host


def limited(**limits: int) -> Dict[str, Any]:
    return {"nginx_websocket_sites": [{**copy.deepcopy(SITE), "limits": limits}]}


def test_every_variable_that_needs_one_is_named(host: LabHost) -> None:
    """All at once, and before nginx itself is asked, which would name a directive that nobody has written."""
    before, workers = host.digest("/etc/nginx", "/var/lib/nginx_websocket"), host.workers()
    done = host.playbook("site.yml", variables=limited(**{key: value for key, (value, _) in LIMITS.items()}))
    assert done.returncode == 2, done.stdout
    for key, (value, module) in LIMITS.items():
        assert (
            f"nginx_websocket_sites[0].limits.{key} is {value}, expected an nginx with the module "
            f"ngx_http_{module}_module, which /usr/sbin/nginx 1.18.0 is built without."
        ) in done.stdout
    assert done.stdout.count("Leave it out.") >= len(LIMITS), "0 is no value that the role takes"
    assert "unknown directive" not in done.stdout
    assert host.digest("/etc/nginx", "/var/lib/nginx_websocket") == before
    assert host.workers() == workers


def test_without_limits_it_serves_the_site(host: LabHost) -> None:
    done = host.playbook("site.yml")
    assert done.returncode == 0, done.stdout
    assert "changed=1 " in done.stdout
