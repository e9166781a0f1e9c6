"""The question to a host about itself, put along with a module that is sent there anyway.

So `site.yml` asks each host once: the answer comes back with what the look or the deployment says.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from verify.host_report.asking import STARTER, patience, program
from verify.targets import parse, question


def asked(
    sites: List[Mapping[str, Any]],
    nginx: Mapping[str, str],
    state_dir: str,
    timeout: float,
    found_as: Mapping[Tuple[str, str], str],
) -> Dict[str, Any]:
    """Return the question as far as the controller knows it beforehand.

    Args:
        sites: Completed sites.
        nginx: Which nginx is meant; empty where the look is going to say.
        state_dir: Directory of journal and backups.
        timeout: Seconds that each answer may take.
        found_as: By site and backend, the name under which the look finds the backend's port. The module puts
            that port in, and the release that each site must serve.
    """
    target = parse({"hosts": [{"name": "", "address": "", "sites": sites}]}).hosts[0]
    target.nginx, target.state_dir = dict(nginx), state_dir
    whole = question(target, timeout)
    for ask in whole["backends"]:
        name = found_as.get((ask["site"], ask["backend"]))
        if name:
            ask["found_as"] = name
    return whole


def argument(whole: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a question as the modules' argument ``verification``."""
    return {
        "starter": STARTER,
        "program": program(),
        "question": dict(whole),
        "patience": patience(whole),
    }
