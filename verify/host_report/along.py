"""The question to a host about itself, put along with a module that is sent there anyway.

So `site.yml` asks each host once: the answer comes back with what the look or the deployment says.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

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


def keep(directory: Path, nonce: str, report: Mapping[str, Any]) -> None:
    """Keep a report for the suite: in a file, since what a task returns is shown, logged and stored by many.

    A report holds the configuration of nginx, with whatever is secret there.

    Args:
        directory: Of this run alone; nobody else can read it, and it goes with the run.
        nonce: The name of the question.
        report: What was answered.
    """
    _file(directory, nonce).write_text(json.dumps(report), encoding="utf-8")


def kept(directory: Path, nonce: str) -> Optional[Dict[str, Any]]:
    """Return the report to a question of this run; None where there is none."""
    try:
        report: Dict[str, Any] = json.loads(_file(directory, nonce).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return report


def _file(directory: Path, nonce: str) -> Path:
    if not re.fullmatch("[0-9a-f]{32}", nonce):
        raise ValueError(f"{nonce!r} is no name of a question")
    return directory / f"report-{nonce}.json"
