"""The second proof, on the controller: one process asks a whole batch, then each host is judged by itself."""

from __future__ import annotations

import importlib.util
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Dict, List, Optional

from ansible.plugins.action import ActionBase

DOCUMENTATION = r"""
name: nginx_websocket_verify
short_description: Ask the hosts of a batch as their users do, and judge each by what was seen
description:
  - A part of the role nginx_websocket. V(ask) runs the suite in verify/ once for all hosts of the batch that
    have been looked at, so it belongs into a task with C(run_once). V(judge) reads this host's part, and
    keeps its release where nothing failed.
options:
  step:
    description: What to do; V(ready) refuses a controller that lacks what the suite needs.
    type: str
    choices: [ready, ask, judge]
    required: true
  command:
    description: What to run; it reads targets and writes results as JSON. By default the suite.
    type: list
    elements: str
  only:
    description: >-
      Which hosts to ask - V(all); V(told), those that Ansible has asked in the suite's place; V(new), those
      with a new release in which the suite has found nothing yet.
    type: str
    choices: [all, told, new]
    default: all
  ca_file:
    description: Authorities that the suite trusts in place of the system's.
    type: str
    default: ''
  timeout:
    description: Seconds for each answer.
    type: int
    default: 5
"""

CHECKOUT = Path(__file__).resolve().parents[3]

#: What tasks/verify.yml registers, in its order: the first look, the one with what hosts told, the soak time.
#: Not arguments of the task, since Ansible keeps those of each host, and these hold all hosts.
LOOKS = ("__nginx_websocket_verified", "__nginx_websocket_again", "__nginx_websocket_soaked")

Result = Dict[str, Any]
Variables = Mapping[str, Any]


class ActionModule(ActionBase):
    """``nginx_websocket_verify: step=…``."""

    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Result:
        """Do one step; a failed check is a failed result whose message has all of them."""
        super().run(tmp, task_vars)
        variables: Dict[str, Any] = task_vars or {}
        _, given = self.validate_argument_spec(
            {
                "step": {"type": "str", "choices": ["ready", "ask", "judge"], "required": True},
                "command": {"type": "list", "elements": "str"},
                "only": {"type": "str", "choices": ["all", "told", "new"], "default": "all"},
                "ca_file": {"type": "str", "default": ""},
                "timeout": {"type": "int", "default": 5},
            }
        )
        if self._task.check_mode:
            why = "check mode has changed nothing that could be verified"
            return {"changed": False, "skipped": True, "skip_reason": why, "incomplete": False}
        if given["step"] == "ready":
            return _ready(given["ca_file"])
        if given["step"] == "ask":
            return _asked(given, _targets(variables, given["only"]))
        return self._judge(_verdict(variables, str(variables["inventory_hostname"])), variables)

    def _judge(self, verdict: Mapping[str, Any], variables: Variables) -> Result:
        failures, passed = verdict["failures"], verdict["passed"]
        told: Result = {"changed": False, "passed": passed, "findings": verdict["findings"]}
        if failures:
            head = f"{len(failures)} of {len(failures) + passed} checks failed."
            return {**told, "failed": True, "msg": "\n".join([head, *failures])}
        down = _down(verdict, variables)
        confirm = (variables.get("__nginx_websocket_deploy") or {}).get("confirm")
        if confirm:
            kept: Result = self._execute_module(
                module_name="nginx_confirm", module_args=dict(confirm), task_vars=dict(variables)
            )
            if kept.get("failed") or kept.get("unreachable"):
                return kept
        if down:
            told["application_down"] = [one["text"] for one in verdict["down"]]
            return {**told, "failed": down["failed"], "msg": down["msg"], "_ansible_verbose_always": True}
        return {**told, "msg": f"{passed} checks passed.", "_ansible_verbose_always": True}


def _ready(ca_file: str) -> Result:
    """Whether this Python, which runs Ansible and will run the suite, has what the suite needs."""
    message = ""
    missing = [name for name in ("pytest", "testinfra") if importlib.util.find_spec(name) is None]
    if missing:
        message = (
            f"Verification needs {' and '.join(missing)} for {sys.executable}, the Python that runs Ansible. "
            "Install it, with make setup for example, or leave verification out with --tags deploy."
        )
    elif ca_file:
        try:
            ssl.create_default_context(cafile=_here(ca_file))
        except (OSError, ssl.SSLError) as error:
            message = (
                f"nginx_websocket_verify_ca_file is {ca_file}, expected a file on the controller with "
                f"certificates of authorities: {error.strerror or error}."
            )
    return {"failed": bool(message), "changed": False, "msg": message}


def _here(path: str) -> str:
    """A path of the controller, from where the user stands; empty for none."""
    return os.path.abspath(os.path.expanduser(path)) if path else ""


def _targets(variables: Variables, only: str) -> List[Dict[str, Any]]:
    """What the suite is to ask; failed hosts have no target, and neither have those of other batches."""
    targets = []
    for name in variables["ansible_play_batch"]:
        host = variables["hostvars"][name]
        deployed = host.get("__nginx_websocket_deploy") or {}
        checked = host.get("__nginx_websocket_checked") or {}
        target = deployed.get("target") or checked.get("target")
        if target is None:
            continue
        target = json.loads(target)
        told = (host.get("__nginx_websocket_told") or {}).get("stdout")
        if only == "told" and not told:
            continue
        if only == "new" and (deployed.get("outcome") != "applied" or _verdict(variables, name)["failures"]):
            continue
        targets.append({**target, "report": json.loads(told)} if told else target)
    return targets


def _asked(given: Mapping[str, Any], targets: List[Dict[str, Any]]) -> Result:
    """Run the suite."""
    if not targets:
        return {
            "changed": False,
            "skipped": True,
            "skip_reason": "there is no host to ask",
            "incomplete": False,
        }
    question = {"ca_file": _here(given["ca_file"]), "timeout": given["timeout"], "hosts": targets}
    done = subprocess.run(
        given["command"] or [sys.executable, "-m", "verify", "-"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        check=False,
    )
    if done.returncode:
        message = f"The verification could not run: {done.stderr.strip() or done.stdout.strip()}"
        return {"failed": True, "changed": False, "rc": done.returncode, "msg": message}
    hosts = json.loads(done.stdout)["hosts"]
    incomplete = any(result["unreached"] for result in hosts.values())
    return {"changed": False, "hosts": hosts, "incomplete": incomplete, "_ansible_verbose_override": True}


def _down(verdict: Mapping[str, Any], variables: Variables) -> Result:
    """What an application that is down makes of this host: ``failed`` and ``msg``; empty where all answer."""
    down = verdict.get("down") or []
    if not down:
        return {}
    deployed = variables.get("__nginx_websocket_deploy")
    looked = deployed or variables.get("__nginx_websocket_checked") or {}
    answering = looked.get("answering") or []
    lost = [one for one in down if [one["site"], one["backend"]] in answering]
    wish = variables.get("nginx_websocket_backend_down") or "auto"
    lines = [
        f"The application behind {one['site']} ({one['backend']}) "
        + ("answered when this run began and does not any more: " if one in lost else "does not answer: ")
        + one["text"]
        for one in down
    ]
    kept = (
        "nginx serves what it should and keeps its release. Start the application; nothing must be deployed "
        "again."
    )
    failed = bool(lost) or wish == "fail" or (wish == "auto" and deployed is None)
    if failed and not lost:
        kept += " Where that is known and accepted: nginx_websocket_backend_down=warn."
    return {"failed": failed, "msg": "\n".join([*lines, kept])}


def _verdict(variables: Variables, name: str) -> Mapping[str, Any]:
    """The last result of a host; a later look stands for an earlier one."""
    looks = [variables.get(look) or {} for look in LOOKS]
    last: Mapping[str, Any] = [look["hosts"][name] for look in looks if name in look.get("hosts", {})][-1]
    return last
