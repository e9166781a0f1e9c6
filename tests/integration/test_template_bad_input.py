"""Bad input on a real host: one clear message, and files and running nginx as they were."""

from __future__ import annotations

import copy
from typing import Any, Dict

import pytest
import yaml

from tests.unit.role.rendering import ROOT

SITE = yaml.safe_load((ROOT / "inventory/lab/group_vars/nginx_websocket.yml").read_text())[
    "nginx_websocket_sites"
][0]
#: All of the host that nginx sees. The state directory is ours: it gets its lock when the transaction begins.
PLACES = ("/etc/nginx", "/etc/letsencrypt", "/var/log/nginx", "/var/www")


@pytest.fixture(scope="module")
def host(lab_up):
    return lab_up("bad-input", scenes=["broken", "neighbour"])


def refused(host: Any, variables: Dict[str, Any]) -> str:
    """Run the deployment, make sure that it failed and changed nothing, and return what was said."""
    before = (host.digest(*PLACES), host.workers())
    done = host.playbook("playbooks/deploy.yml", variables=variables)
    assert done.returncode != 0, done.stdout
    assert (host.digest(*PLACES), host.workers()) == before
    return done.stdout + done.stderr


def with_value(**changes: Any) -> Dict[str, Any]:
    """Return the variables of the lab's site with other values."""
    return {"nginx_websocket_sites": [{**copy.deepcopy(SITE), **changes}]}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            with_value(name="lammp.test; }"),
            "nginx_websocket_sites[0].name is 'lammp.test; }', expected a host name",
        ),
        (
            with_value(max_body_size=["1m"]),
            "nginx_websocket_sites[0].max_body_size is ['1m'], expected text",
        ),
        (with_value(sap={}), "nginx_websocket_sites[0].sap is unknown. Did you mean spa?"),
        (
            {"nginx_websocket_onn_drift": "overwrite"},
            "nginx_websocket_onn_drift is unknown. Did you mean nginx_websocket_on_drift?",
        ),
        (
            with_value(tls={"certificate": "/etc/ssl/none.pem"}),
            "nginx_websocket_sites[0].tls.certificate is '/etc/ssl/none.pem', expected a certificate and key "
            "that nginx can load: /etc/ssl/none.pem does not exist. Issue it (certbot",
        ),
        (
            with_value(tls={"options_file": "/etc/ssl/none.conf"}),
            "nginx_websocket_sites[0].tls.options_file is '/etc/ssl/none.conf', expected a file that exists",
        ),
        ({"nginx_websocket_binary": "/opt/nginx"}, "no nginx here: /opt/nginx does not exist"),
    ],
)
def test_wrong_values(host, variables, message):
    assert message in refused(host, variables)


def test_a_route_that_nginx_cannot_compile(host):
    """What only PCRE knows gets as far as the staged tree, and no further."""
    route = {"regex": r"^/ws/\p{Nonsense}", "probe_path": "/ws/x"}
    said = refused(host, with_value(websockets=[route]))
    assert "[emerg]" in said or "pcre2_compile() failed" in said


def test_a_tree_that_is_broken_before_we_come(host):
    host.write("/etc/nginx/conf.d/broken.conf", "nonsense on;\n")
    try:
        said = refused(host, {})
    finally:
        host.sh("rm /etc/nginx/conf.d/broken.conf")
    assert "/etc/nginx/conf.d/broken.conf" in said
    assert 'unknown directive "nonsense"' in said.replace('\\"', '"')


def test_a_host_without_nginx(lab_up):
    bare = lab_up("bad-input-bare")
    bare.sh("systemctl disable --now nginx; mv /usr/sbin/nginx /root/nginx")
    assert "no nginx on this host" in refused(bare, {})


def test_check_mode_touches_nothing(host):
    before = (host.digest(*PLACES), host.workers())
    done = host.playbook("playbooks/deploy.yml", "--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert '+    location ~ "^/api/mqtt/ws/" {' in done.stdout
    assert (host.digest(*PLACES), host.workers()) == before
