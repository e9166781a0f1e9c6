"""The lab's running hosts as an Ansible inventory."""

from __future__ import annotations

from typing import Any, Dict, Iterable

from .files import pki, ssh
from .hosts import Host

GROUP = "nginx_websocket"


def variables(host: Host) -> Dict[str, Any]:
    """Return how Ansible reaches a host: over SSH as an ordinary user with sudo, as it would a real one."""
    return {
        "ansible_host": host.address,
        "ansible_user": ssh.USER,
        "ansible_ssh_private_key_file": str(ssh.identity()),
        "ansible_ssh_common_args": ssh.common_arguments(host.name),
        # A new container may get the address of one that is gone: its connection must not be taken up again.
        "ansible_control_path": f"%(directory)s/lab-{host.name}-{host.identity[:12]}",
    }


def inventory(hosts: Iterable[Host]) -> Dict[str, Any]:
    """Return the inventory in the form that Ansible's script plugin reads (`--list`)."""
    found = {host.name: variables(host) for host in hosts}
    # Who has certificates of a private authority says so, in the lab as in a company.
    shared = {"nginx_websocket_verify_ca_file": str(pki.authority())}
    return {"_meta": {"hostvars": found}, GROUP: {"hosts": sorted(found), "vars": shared}}
