"""The nginx that answers runs in a container: who it is, and its files, as far as root may look."""

from __future__ import annotations

import os

from ..host.binary import NginxError
from ..host.containers.published import container_publishing
from .evidence.facts import Facts


def look_inside(facts: Facts) -> None:
    """Fill in the container's name, and its nginx where its files may be read.

    Args:
        facts: whose owner of the port is in a container, or publishes one's port.
    """
    port = facts.question.endpoint.port
    facts.container = container_publishing(port)
    if os.geteuid() != 0 or facts.owner is None:
        return
    # Only such a host needs them: what is imported is compiled on every run.
    from ..host.containers.answering import answering
    from ..host.containers.inside import Inside

    found = answering(facts.owner, port)
    if found is None:
        return
    facts.container = found.name or facts.container
    try:
        inside = Inside(found)
        nginx = inside.describe()
    except (OSError, NginxError) as error:
        facts.notes.append(f"the container's nginx (process {found.master.pid}) was not looked at: {error}")
        return
    facts.inside, facts.nginx, facts.version = inside, nginx, nginx.version
    facts.owner_is_nginx = True
    facts.nginx_choice = f"port {port} of this host leads to port {found.port} of {inside.words}"
    if nginx.conf_error:
        facts.notes.append(f"the configuration in {inside.words} cannot be read whole: {nginx.conf_error}")
