"""A host without nginx, and check mode. What else can be wrong: test_wrong_input.py."""

from __future__ import annotations

from typing import Any, Dict

import pytest

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
