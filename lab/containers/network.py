"""A network with IPv6 for the hosts that want it: the engine's own network has none."""

from __future__ import annotations

from pathlib import Path

from ..console import say
from ..state import CHECKOUT_ID, lock
from . import docker

NAME = f"nwl-{CHECKOUT_ID}-ipv6"
# Unique local addresses (RFC 4193): 7774 is "wt"; the checkout's digest keeps two checkouts apart.
SUBNET = f"fd7e:7774:{CHECKOUT_ID[:4]}:{CHECKOUT_ID[4:]}::/64"
INTERFACES = Path("/proc/net/if_inet6")
SYSCTL = ["--sysctl", "net.ipv6.conf.all.disable_ipv6=0"]


def kernel_has_ipv6() -> bool:
    """Say whether this machine speaks IPv6: the file is missing, or empty where it is switched off."""
    return INTERFACES.exists() and bool(INTERFACES.read_text())


def start(container: str) -> None:
    """Start a created container in the network too; where the engine cannot have it, with ``::1`` alone.

    Args:
        container: its name.
    """
    with lock("network"):
        try:
            if NAME not in docker.text("network", "ls", "--format", "{{.Name}}").split():
                docker.docker("network", "create", "--ipv6", "--subnet", SUBNET, NAME)
            docker.docker("network", "connect", NAME, container)
        except docker.DockerError as error:
            say(f"    {container} gets no IPv6 address beside ::1: {error}")
        docker.docker("start", container)


def remove() -> None:
    """Remove the network; the engine refuses while a running container is in it."""
    docker.docker("network", "rm", NAME, check=False)
