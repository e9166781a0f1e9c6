"""What the verification asks the host about itself, put in the same round trip as the module's own work.

The program and the question come from the controller (verify/host_report). The program runs in a process of
its own and imports nothing of ours: what the transaction believes has no part in its answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Dict, Mapping, Optional

OPTION: Dict[str, Any] = {
    "type": "dict",
    "options": {
        "starter": {"type": "str", "required": True},
        "program": {"type": "dict", "required": True},
        "question": {"type": "dict", "required": True},
        "patience": {"type": "float", "default": 240.0},
    },
}


def report(
    wish: Optional[Mapping[str, Any]],
    releases: Mapping[str, str],
    nginx: Optional[Mapping[str, str]] = None,
    ports: Optional[Mapping[str, Optional[int]]] = None,
) -> Optional[Dict[str, Any]]:
    """Put the verification's question, last of all.

    Args:
        wish: the module's argument ``verification``; None where nobody is going to verify.
        releases: release id that each site must serve. A site without one is asked for what its file says.
        nginx: which nginx is meant, where the question leaves that to the module.
        ports: where backends were found, by the name under which the question has them.

    Returns:
        The answer; None where there is none, so that the suite asks by itself.
    """
    if not wish:
        return None
    question = dict(wish["question"])
    if nginx is not None:
        question["nginx"] = dict(nginx)
    question["releases"] = [{**ask, "release": releases.get(ask["site"], "")} for ask in question["releases"]]
    found = ports or {}
    question["backends"] = [
        {**ask, "port": found.get(ask.get("found_as", "")) or ask["port"]} for ask in question["backends"]
    ]
    try:
        done = subprocess.run(
            # -I: not a module of whoever may write the working directory.
            [sys.executable, "-I", "-c", wish["starter"]],
            input=json.dumps({**wish["program"], "question": question}).encode(),
            capture_output=True,
            timeout=wish["patience"],
            check=True,
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return answer if isinstance(answer, dict) else None
