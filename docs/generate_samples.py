"""Writes the samples of output in README.md: recorded on a lab host, in the words that today's code has.

python3 -m docs.generate_samples [--record]

`--record` starts the lab's broken host and notes what the modules and the summary return (docs/samples.json);
without it, as the unit test does, only the words are made anew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

CHECKOUT = Path(__file__).resolve().parents[1]
if str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

from module_utils.nginx_websocket.report.fixed import fixed_text  # noqa: E402
from module_utils.nginx_websocket.report.kept import kept_table  # noqa: E402
from module_utils.nginx_websocket.report.text import diagnosis_text  # noqa: E402
from rollout import table  # noqa: E402
from rollout.record import HostRecord, Phase, Release, Rollout  # noqa: E402

README = CHECKOUT / "README.md"
RECORDED = CHECKOUT / "docs" / "samples.json"
HOST = "web1"
URL = "wss://lammp.test/api/mqtt/ws/hints/session-1"
#: Columns of a README that is read on a small screen.
WIDTH = 96


def samples() -> Dict[str, str]:
    """Return the samples by name."""
    seen = json.loads(RECORDED.read_text(encoding="utf-8"))
    told = {
        "diagnose": diagnosis_text(seen["diagnose"], HOST, WIDTH),
        "fix": fixed_text(seen["fix"], HOST, WIDTH),
        "deploy": "\n".join(text for text, _ in table.lines(_rollout(seen["deploy"]), WIDTH)),
        "kept": kept_table(seen["kept"], HOST, width=WIDTH),
    }
    # The way of the request and what is beside the cause are for the whole report.
    told["diagnose"] = re.split(r"\n\s*\n  (?:The way of the request|Also found)", told["diagnose"])[0]
    return {name: text.strip("\n") for name, text in told.items()}


def page() -> str:
    """Return README.md with the samples in their places.

    Raises:
        ValueError: a sample has no place there, or more than one.
    """
    text = README.read_text(encoding="utf-8")
    for name, sample in samples().items():
        place = re.compile(rf"(<!-- sample: {name} -->\n```\n).*?(\n```\n)", re.DOTALL)
        text, count = place.subn(lambda match, sample=sample: match[1] + sample + match[2], text)
        if count != 1:
            raise ValueError(f"README.md has {count} places for the sample {name}")
    return text


def _rollout(play: Dict[str, Any]) -> Rollout:
    """Return the record that a summary's JSON was made of, as far as its table needs it."""
    rollout = Rollout(play["play"], 0.0, ours=True)
    for one in play["hosts"]:
        rollout.hosts[one["name"]] = HostRecord(
            one["name"],
            batch=1,
            outcome=one["outcome"],
            releases=[Release(site, **ids) for site, ids in one["releases"].items()],
            sockets=one["sockets"] or {},
            findings=[{**found, "message": _shortened(found["message"])} for found in one["findings"]],
            passed=one["checks_passed"],
            phases=[Phase("deploy", 0.0, one["seconds"])],
        )
        rollout.end = one["seconds"]
    return rollout


def _shortened(message: str) -> str:
    """Return a message with two entries of its list."""
    lines = message.split("\n")
    return "\n".join([*lines[:3], "…"] if len(lines) > 4 else lines)


def record() -> None:
    """Do on a lab host what the samples show, and keep what came of it."""
    from lab import hosts

    hosts.up([HOST], "bookworm", ["broken"], recreate=True)
    try:
        diagnosis = _module("nginx_diagnose", url=URL)["diagnosis"]
        diagnosis["findings"] = [one for one in diagnosis["findings"] if one["is_cause"]]
        fixed = _module("nginx_fix", url=URL)
        hosts.up([HOST], "bookworm", ["broken"], recreate=True)
        with tempfile.TemporaryDirectory() as directory:
            summary = Path(directory) / "summary.json"
            _ansible(
                ["ansible-playbook", "site.yml", "-l", HOST, "-e", "nginx_websocket_reason='ticket 4711'",
                 "-e", f"nginx_websocket_summary_json={summary}"]
            )  # fmt: skip
            play = json.loads(summary.read_text(encoding="utf-8"))["plays"][0]
        _ansible(["ansible-playbook", "playbooks/rollback.yml", "-l", HOST])
        kept = _module("nginx_rollback", list=True)["backups"]
    finally:
        hosts.down([HOST])
    for one in play["hosts"]:
        one.update(comparison=None, seconds=round(one["seconds"], 1), phases=[])
    seen = {"diagnose": diagnosis, "fix": {**fixed, "diff": None}, "deploy": play, "kept": kept}
    RECORDED.write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _module(name: str, **arguments: object) -> Dict[str, Any]:
    """Run a module as root on the host; return its result."""
    done = _ansible(["ansible", HOST, "-b", "-m", name, "-a", json.dumps(arguments)])
    result: Dict[str, Any] = json.loads(
        done.stdout[done.stdout.index("=> {") + 3 : done.stdout.rindex("}") + 1]
    )
    return result


def _ansible(command: List[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), "-i", "inventory/lab", *command[1:]],
        cwd=CHECKOUT, env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip


if __name__ == "__main__":
    if "--record" in sys.argv:
        record()
    README.write_text(page(), encoding="utf-8")
