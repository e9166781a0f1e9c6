"""The second proof, on the controller: one process asks a whole batch, then each host is judged by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Dict, List, Optional

# The package that every answer goes through stands in the checkout; Ansible loads plugins by their path.
sys.path.append(str(Path(__file__).resolve().parents[3]))

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean

from host_answers.asking import Asking, facts_of_ours, failed
from host_answers.parsing import answer_in
from host_answers.report import cut_report
from host_answers.shapes import Misshapen
from verify import suite
from verify.host_report import along
from verify.host_report.asking import asking, command

DOCUMENTATION = r"""
name: nginx_websocket_verify
short_description: Ask the hosts of a batch as their users do, and judge each by what was seen
description:
  - A part of the role nginx_websocket. V(ask) runs the suite in verify/ once for all hosts of the batch that
    have been looked at, so it belongs into a task with C(run_once). V(judge) reads this host's part, and
    keeps its release where nothing failed; where ssh alone is not enough to ask the host about itself (a sudo
    password, another connection plugin), it asks in the suite's place first, and has the suite look again.
  - What is run is no option and no variable, which a host might set. Tests and benchmarks name another suite
    in the environment variable C(NGINX_WEBSOCKET_SUITE) of the controller, as a JSON list.
options:
  step:
    description: >-
      What to do; V(ready) refuses a controller that lacks packages or authorities that the suite needs.
    type: str
    choices: [ready, ask, judge]
    required: true
  only:
    description: >-
      Which hosts to ask - V(all), or V(new), those with a new release in which the suite has found nothing
      yet. These are asked about themselves again, whatever they have said with their deployment.
    type: str
    choices: [all, new]
    default: all
  ca_file:
    description: Authorities that the suite trusts in place of the system's.
    type: str
    default: ''
  timeout:
    description: Seconds for each answer.
    type: int
    default: 5
  soak:
    description: Seconds for which to look again and again; the suite runs once where it is 0.
    type: float
    default: 0
  soak_interval:
    description: Seconds from one look to the next.
    type: float
    default: 1
"""

#: What tasks/verify.yml registers, in its order: the first look, the soak time.
#: Not arguments of the task, since Ansible keeps those of each host, and these hold all hosts.
LOOKS = ("__nginx_websocket_verified", "__nginx_websocket_soaked")

Result = Dict[str, Any]
Variables = Mapping[str, Any]


class ActionModule(Asking):
    """``nginx_websocket_verify: step=…``."""

    STRAIGHT = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Result:
        """Do one step; a failed check is a failed result whose message has all of them."""
        refused = super().run(tmp, task_vars)
        if refused:
            return refused
        variables: Dict[str, Any] = task_vars or {}
        _, given = self.validate_argument_spec(
            {
                "step": {"type": "str", "choices": ["ready", "ask", "judge"], "required": True},
                "only": {"type": "str", "choices": ["all", "new"], "default": "all"},
                "ca_file": {"type": "str", "default": ""},
                "timeout": {"type": "int", "default": 5},
                "soak": {"type": "float", "default": 0.0},
                "soak_interval": {"type": "float", "default": 1.0},
            }
        )
        if self._task.check_mode:
            return _left_out("check mode has changed nothing that could be verified")
        if not boolean(self._templar.template(variables.get("nginx_websocket_verify", True)), strict=False):
            return _left_out("nginx_websocket_verify is false")
        if given["step"] == "ready":
            lacks = suite.missing(given["ca_file"])
            return {"failed": bool(lacks), "changed": False, "msg": lacks}
        if given["step"] == "ask":
            return _asked(given, _targets(variables, given["only"]))
        verdict = _verdict(variables, str(variables["inventory_hostname"]))
        if verdict["unreached"]:
            looked = self._looked_again(verdict["ask"], variables)
            if "hosts" not in looked:
                return looked
            [verdict] = looked["hosts"].values()
        return self._judge(verdict, variables)

    def _looked_again(self, asked: Mapping[str, Any], variables: Variables) -> Result:
        """Ask this host what the suite would have asked it, and have the suite look at it with the answer."""
        target = _target(variables)
        if target is None:
            return failed("This host was not looked at.")
        given = {"argv": command(target["interpreter"]), "stdin": asking(dict(asked))}
        told = self.ask("ansible.builtin.command", given, variables)
        if told.get("failed") or told.get("skipped"):
            return told
        try:
            report = cut_report(answer_in(told.get("stdout", "")), asked)
        except Misshapen as error:
            return failed(f"What this host tells about itself is not to be trusted: {error}.")
        names = ("nginx_websocket_verify_ca_file", "nginx_websocket_verify_timeout")
        ca_file, timeout = (self._templar.template(variables[name]) for name in names)
        wish = {"ca_file": ca_file, "timeout": float(timeout), "soak": 0, "soak_interval": 1}
        return _asked(wish, [{**target, "report": report, "nonce": asked["nonce"]}])

    def _judge(self, verdict: Mapping[str, Any], variables: Variables) -> Result:
        failures, passed = verdict["failures"], verdict["passed"]
        told: Result = {"changed": False, "passed": passed, "findings": verdict["findings"]}
        if failures:
            head = f"{len(failures)} of {len(failures) + passed} checks failed."
            return {**told, "failed": True, "msg": "\n".join([head, *failures])}
        down = _down(verdict, variables)
        confirm = (variables.get("__nginx_websocket_deploy") or {}).get("confirm")
        if confirm:
            kept = self.ask("nginx_confirm", confirm, variables)
            if kept.get("failed") or kept.get("unreachable"):
                return kept
        if down:
            told["application_down"] = [one["text"] for one in verdict["down"]]
            return {**told, "failed": down["failed"], "msg": down["msg"], "_ansible_verbose_always": True}
        return {**told, "msg": f"{passed} checks passed.", "_ansible_verbose_always": True}


def _target(variables: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """What a host was found to be, None where it failed before."""
    deployed = variables.get("__nginx_websocket_deploy") or {}
    checked = variables.get("__nginx_websocket_checked") or {}
    text = deployed.get("target") or checked.get("target")
    target: Optional[Dict[str, Any]] = json.loads(text) if text else None
    return target


def _targets(variables: Variables, only: str) -> List[Dict[str, Any]]:
    """What the suite is to ask; failed hosts have no target, and neither have those of other batches."""
    targets = []
    for name in variables["ansible_play_batch"]:
        host = variables["hostvars"][name]
        target = _target(host)
        if target is None or facts_of_ours(host):
            continue
        applied = (host.get("__nginx_websocket_deploy") or {}).get("outcome") == "applied"
        if only == "new" and (not applied or _verdict(variables, name)["failures"]):
            continue
        nonce = target.get("nonce")
        report = along.kept(Path(C.DEFAULT_LOCAL_TMP), nonce) if nonce else None
        targets.append({**target, "report": report, "again": only == "new"})
    return targets


def _asked(given: Mapping[str, Any], targets: List[Dict[str, Any]]) -> Result:
    """Run the suite."""
    if not targets:
        return _left_out("there is no host to ask")
    how = {name: given[name] for name in ("ca_file", "timeout", "soak", "soak_interval")}
    done = suite.run(targets, **how)
    if done.returncode:
        return {"changed": False, "rc": done.returncode, **failed(suite.broken(done))}
    hosts = json.loads(done.stdout)["hosts"]
    return {"changed": False, "hosts": hosts, "_ansible_verbose_override": True}


def _left_out(why: str) -> Result:
    return {"changed": False, "skipped": True, "skip_reason": why}


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
