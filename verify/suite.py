"""How the controller runs the suite, and whether the suite starts there at all."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Mapping, Sequence

#: The package is found from here; where the user stands may hold packages of the same names.
CHECKOUT = Path(__file__).resolve().parents[1]

STARTS = "it starts"

Ended = subprocess.CompletedProcess[str]


def missing(ca_file: str) -> str:
    """Say what this Python, which runs Ansible and will run the suite, lacks.

    Args:
        ca_file: A file with certificates of authorities, as the user wrote it; empty for the system's.

    Returns:
        One message, empty where nothing is missing.
    """
    packages = [name for name in ("pytest", "testinfra") if importlib.util.find_spec(name) is None]
    if packages:
        return (
            f"Verification needs {' and '.join(packages)} for {sys.executable}, the Python that runs "
            "Ansible. Install it, with make setup for example, or leave the verification out: "
            "nginx_websocket_verify: false."
        )
    if not ca_file:
        return ""
    try:
        ssl.create_default_context(cafile=_here(ca_file))
    except (OSError, ssl.SSLError) as error:
        return (
            f"nginx_websocket_verify_ca_file is {ca_file}, expected a file on the controller with "
            f"certificates of authorities: {error.strerror or error}."
        )
    return ""


def hindrance(directory: Path) -> str:
    """Say what keeps the suite from running, by starting it once for all hosts of a run.

    Each host whose files are about to change asks, from a process of its own: the first one starts the suite
    without any host, and the others wait for what it has found. A host that stays as it is has nothing to
    lose by a suite that does not start, so it does not ask.

    Args:
        directory: Of this run alone.

    Returns:
        One message, empty where the suite starts.
    """
    with open(directory / "nginx-websocket-suite", "a+", encoding="utf-8") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        found = kept.read()
        if not found:
            done = run([], ca_file="", timeout=5)
            found = broken(done) if done.returncode else STARTS
            kept.write(found)
        return "" if found == STARTS else found


def run(
    targets: Sequence[Mapping[str, Any]],
    *,
    ca_file: str,
    timeout: float,
    soak: float = 0.0,
    soak_interval: float = 1.0,
) -> Ended:
    """Run the suite once, or again and again for a soak time.

    Args:
        targets: The hosts, as `verify.targets` reads them.
        ca_file: Authorities that it trusts in place of the system's; empty for those.
        timeout: Seconds for each answer.
        soak: Seconds for which to look again and again; 0 for one look.
        soak_interval: Seconds from one look to the next.

    Returns:
        The process: its standard output is the document of results where its exit code is 0.
    """
    question = {"ca_file": _here(ca_file), "timeout": timeout, "hosts": targets}
    return subprocess.run(
        _command(soak, soak_interval),
        input=json.dumps(question),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=False,
    )


def broken(done: Ended) -> str:
    """Return the message for a suite that could not run."""
    return f"The verification could not run: {done.stderr.strip() or done.stdout.strip()}"


def _command(soak: float, interval: float) -> List[str]:
    """Return the command that reads targets and writes results. Nothing of it comes from a variable."""
    instead = os.environ.get("NGINX_WEBSOCKET_SUITE")
    if instead:
        return [str(word) for word in json.loads(instead)]
    if soak:
        return [sys.executable, "-m", "rollout.soak", str(soak), str(interval)]
    return [sys.executable, "-m", "verify", "-"]


def _here(path: str) -> str:
    """A path of the controller, from where the user stands; empty for none."""
    return os.path.abspath(os.path.expanduser(path)) if path else ""
