"""What the managed host says about itself, gathered in one command.

This file and those that it imports are sent to each host, and one JSON document comes back (asking.py): with
the answer of a deployment, or to a command of the suite's own. They change nothing, need the standard library
alone and run on Python 3.8 and newer. They share no code with the transaction on purpose: this is the second,
independent witness.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import zlib
from typing import Any, Dict, List, Optional

from verify.host_report.exchanges import ask_backends, ask_release
from verify.host_report.files import file_state, release_files
from verify.host_report.processes import main_file, masters_and_workers, prefix_of
from verify.host_report.rights import strangers_code, weak_step

#: All that a program gets of an environment: what a login or sudo's env_keep brings is not meant for root.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def run(argv: List[str], timeout: float = 60.0) -> Dict[str, Any]:
    """Run a command in an environment of its own; return its exit code and output, never raising."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=ENVIRONMENT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"rc": -1, "out": b"", "err": str(error)}
    return {"rc": done.returncode, "out": done.stdout, "err": done.stderr.decode("utf-8", "replace")}


def tested(master: Dict[str, Any], conf_path: str) -> Dict[str, Any]:
    """Return what ``nginx -T`` says, where it executes nothing that others can write.

    Args:
        master: the process whose binary and prefix are meant.
        conf_path: the main file; "" for the one that the master has.
    """
    exe, prefix = master["exe"], prefix_of(master["title"])
    weak = weak_step(exe)
    if not weak:
        built = run([exe, "-V"])["err"]
        option = dict(re.findall(r"--(prefix|conf-path)=(\S+)", built))
        root = (prefix[1:] or [option.get("prefix", "/usr/local/nginx")])[0]
        conf_path = conf_path or main_file(master["title"])
        main = os.path.join(root, conf_path or option.get("conf-path", "conf/nginx.conf"))
        weak = strangers_code(main, root, built)
    if weak:
        return {"rc": -1, "out": b"", "err": f"nothing is run: {weak}"}
    return run([exe, "-T", *prefix, *(["-c", conf_path] if conf_path else [])])


def unit_state(unit: str) -> Optional[Dict[str, str]]:
    """Return what systemd says of the unit, None where there is no systemd."""
    shown = run(["systemctl", "show", unit, "--property=ActiveState,UnitFileState,MainPID"], timeout=10)
    if shown["rc"] != 0:
        return None
    lines = shown["out"].decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def discreet(messages: str, conf_path: Optional[str]) -> str:
    """Return nginx's messages without the words of files that are private and none of nginx's own.

    Whoever may write an included file can name any other in it; nginx tells what it finds there.
    """
    ours = os.path.dirname(os.path.realpath(conf_path or "/etc/nginx/nginx.conf")) + "/"
    lines = messages.splitlines()
    for number, line in enumerate(lines):
        place = re.search(r" in (/.*):\d+$", line)
        path = os.path.realpath(place.group(1)) if place else ""
        if path and not path.startswith(ours) and os.path.exists(path) and not os.stat(path).st_mode & 0o004:
            lines[number] = re.sub(r'"[^"]*"', '"…"', line)
    return "\n".join(lines)


def main(question: Dict[str, Any]) -> Dict[str, Any]:
    """Answer the suite's question about this host.

    Args:
        question: ``nginx`` (binary, conf_path, unit; each may be empty), ``state_dir``, ``releases`` and
            ``backends`` (what to ask, see `ask_release` and `ask_backend`), ``timeout`` in seconds, and
            ``nonce``, which comes back as it is.

    Returns:
        The report; every key is always there.
    """
    timeout = float(question.get("timeout", 5.0))
    nginx = question.get("nginx", {})
    strangers: List[str] = []
    masters, workers = masters_and_workers(nginx.get("binary", ""), nginx.get("conf_path", ""), strangers)
    test: Dict[str, Any] = {"rc": None, "out": b"", "err": "no nginx master process runs"}
    if masters:
        # Only while nginx runs: with nginx stopped, -t leaves an empty pid file behind.
        test = tested(masters[0], nginx.get("conf_path") or "")
    files = release_files(test["out"])
    return {
        "nonce": question.get("nonce", ""),
        "uid": os.geteuid(),
        "masters": masters,
        "workers": workers,
        "strangers": strangers,
        "unit": unit_state(nginx.get("unit") or "nginx"),
        "test": {
            "rc": test["rc"],
            "messages": discreet(test["err"].strip()[-4000:], nginx.get("conf_path")),
        },
        "dump": base64.b64encode(zlib.compress(test["out"])).decode(),
        "files": files,
        "releases": [ask_release(ask, files, timeout) for ask in question.get("releases", [])],
        "backends": ask_backends(question.get("backends", []), timeout),
        "state_dir": file_state(question.get("state_dir", "/var/lib/nginx_websocket")),
    }
