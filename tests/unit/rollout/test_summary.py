"""The callback under real Ansible, with local hosts and the project's own ansible.cfg.

The tasks have the files that the callback goes by, and the judge is the role's own. The modules that work on
nginx answer what the test says: what nginx has to do with it is the business of the integration tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from module_utils.nginx_websocket.transaction.site.model import Outcome
from rollout.table import _wrapped

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
OLD, NEW = "a" * 32, "b" * 32
WENT_BACK = {"outcome": "applied", "releases": {"s": OLD}, "previous": {"s": NEW}}
ROLE = {
    "nginx_websocket_binary": "",
    "nginx_websocket_conf_path": "",
    "nginx_websocket_keep_backups": 10,
    "nginx_websocket_lock_timeout": 1,
    "nginx_websocket_proof_timeout": 1,
    "nginx_websocket_on_failure": "leave",
}
APPLIED = {"outcome": "applied", "changed": True, "releases": {"s": NEW}, "previous": {"s": OLD}, "backup": 3}

#: Begins both: what a transaction answers that does nothing.
NOTHING = f"NOTHING = {Outcome('unchanged').as_dict()!r}\n"
#: Stands for nginx_deploy: answers with what the task says.
TELLS = """\
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"told": {"type": "dict", "required": True}}, supports_check_mode=True)
told = module.params["told"]
answer = {**NOTHING, "msg": "", "report": None, **told}
(module.fail_json if told.pop("fails", False) else module.exit_json)(**answer)
"""
#: Stands for nginx_rollback: takes what the role's own tasks give it, answers what its state directory says.
GOES_BACK = """\
import json, os
from ansible.module_utils.basic import AnsibleModule

names = ("to", "state_dir", "binary", "conf_path", "keep", "lock_timeout", "proof_timeout")
module = AnsibleModule({name: {"type": "str"} for name in names})
with open(module.params["state_dir"]) as stream:
    told = json.load(stream)
if told.get("dies"):
    os._exit(1)
(module.fail_json if told.pop("fails", False) else module.exit_json)(**{**NOTHING, "msg": "", **told})
"""

CONTROLLER = """\
- name: Look at the controller
  ansible.builtin.debug:
"""
DEPLOY = """\
- name: Deploy
  nginx_deploy:
    told: "{{ deployed }}"
  register: __nginx_websocket_deploy
"""
VERIFY = """\
- name: Say what was seen
  ansible.builtin.set_fact:
    __nginx_websocket_verified:
      hosts: "{{ {inventory_hostname: seen} }}"
  vars:
    seen:
      {passed: 22, failures: "{{ failures }}", findings: "{{ findings }}", down: "{{ down }}", unreached: ""}
- name: Say what the look at the host found
  ansible.builtin.set_fact:
    __nginx_websocket_deploy: "{{ __nginx_websocket_deploy | combine({'answering': answering}) }}"
  when: __nginx_websocket_deploy is defined and answering is defined
- name: Judge
  nginx_websocket_verify:
    step: judge
"""
ROLLOUT = """\
- name: A rollout
  hosts: all
  gather_facts: false
  serial: "{{ sizes | default(['100%']) }}"
  tasks:
    - import_role: {name: nginx_websocket, tasks_from: controller}
    - block:
        - import_role: {name: nginx_websocket, tasks_from: sites}
        - import_role: {name: nginx_websocket, tasks_from: verify}
      rescue:
        - import_role: {name: nginx_websocket, tasks_from: undo}
      always:
        - import_role: {name: nginx_websocket, tasks_from: take_back}
"""


class Project:
    """A directory with stand-ins for role and modules, and the means to run a playbook there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = ""
        self.files: Dict[str, str] = {}
        self.write("library/nginx_deploy.py", NOTHING + TELLS)
        self.write("library/nginx_rollback.py", NOTHING + GOES_BACK)
        for name, text in {"controller": CONTROLLER, "sites": DEPLOY, "verify": VERIFY}.items():
            self.write(f"roles/nginx_websocket/tasks/{name}.yml", text)
        # What puts a host back is the role's own.
        for name in ("undo", "take_back"):
            (directory / f"roles/nginx_websocket/tasks/{name}.yml").symlink_to(
                ROOT / f"roles/nginx_websocket/tasks/{name}.yml"
            )
        self.write("ansible.cfg", (ROOT / "ansible.cfg").read_text())
        for name in ("callback_plugins", "roles/nginx_websocket/action_plugins"):
            (directory / name).symlink_to(ROOT / name)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, playbook: str, hosts: Dict[str, Dict[str, Any]], *arguments: str, **env: str) -> int:
        """Run a playbook; hosts are by name, with their variables."""
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        told = {"deployed": APPLIED, "failures": [], "findings": ["no DNS"], "down": []}
        common = {
            **here,
            **told,
            **ROLE,
            "nginx_websocket_state_dir": "{{ playbook_dir }}/{{ inventory_hostname }}",
        }
        for name, variables in hosts.items():
            self.write(name, json.dumps(variables.get("undone", WENT_BACK)))
        inventory = {"all": {"hosts": hosts, "vars": common}}
        self.write("inventory.yml", json.dumps(inventory))
        done = subprocess.run(
            [str(PLAYBOOK), "-i", "inventory.yml", str(self.write("site.yml", playbook)), *arguments],
            cwd=self.directory, env={**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "110", **env},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.output = done.stdout + done.stderr
        return done.returncode

    def summary(self, playbook: str, hosts: Dict[str, Dict[str, Any]], *arguments: str) -> Dict[str, Any]:
        """Run a playbook, let every file be written, and return the one play of the summary."""
        kinds = ("json", "junit", "html", "retry")
        self.run(playbook, hosts, *arguments, **{f"NGINX_WEBSOCKET_SUMMARY_{k.upper()}": k for k in kinds})
        self.files = {kind: (self.directory / kind).read_text() for kind in kinds}
        [play] = json.loads(self.files["json"])["plays"]
        return dict(play)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def outcomes(play: Dict[str, Any]) -> Dict[str, str]:
    return {host["name"]: host["outcome"] for host in play["hosts"]}


def named(play: Dict[str, Any], name: str) -> Dict[str, Any]:
    return next(host for host in play["hosts"] if host["name"] == name)


def phases(play: Dict[str, Any], name: str) -> List[str]:
    return [phase["name"] for phase in named(play, name)["phases"]]


def test_a_rollout_in_batches_is_one_record(project: Project) -> None:
    bad = {"failures": ["no pong"], "findings": ["token=abc"]}
    play = project.summary(ROLLOUT, {"web1": {}, "web2": {}, "web3": bad}, "-e", '{"sizes": [1, 2]}')
    assert outcomes(play) == {"web1": "applied", "web2": "applied", "web3": "rolled back"}
    assert play["batches_planned"] == [1, 2]
    assert [batch["hosts"] for batch in play["batches"]] == [["web1"], ["web2", "web3"]]
    assert play["not_done"] == ["web3"]
    assert "Batch 2 of 2: web2, web3 (so far 1 of 3 done, 1 with a new release)" in project.output
    good, failed = named(play, "web2"), named(play, "web3")
    assert (good["checks_passed"], good["findings"]) == (
        22, [{"code": "", "message": "no DNS", "fix": ""}],
    )  # fmt: skip
    assert failed["why"][:2] == ["1 of 23 checks failed.", "no pong"]
    assert failed["findings"] == [{"code": "", "message": "token=***", "fix": ""}]
    assert phases(play, "web2") == ["other", "deploy", "verify"]
    assert phases(play, "web3") == ["other", "deploy", "verify", "undo"]
    # A module takes its time, and every batch has ended.
    assert named(play, "web2")["phases"][1]["seconds"] > 0
    assert all(batch["start"] < batch["end"] for batch in play["batches"])
    assert project.files["retry"] == "web3\n"
    assert project.files["junit"].startswith("<?xml")
    assert project.files["html"].startswith("<!DOCTYPE html>")


#: As ansible-runner's callback does, through which AWX and ansible-navigator work.
NUMBERS = """\
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = "name: numbers\\ntype: stdout\\nextends_documentation_fragment: [default_callback]\\n"


class CallbackModule(Default):
    CALLBACK_NAME = "numbers"
    seen = 0

    def v2_playbook_on_play_start(self, play):
        if self.seen:
            play._uuid = f"{play._uuid}_{self.seen}"
        self.seen += 1
        super().v2_playbook_on_play_start(play)
"""


def test_a_runner_that_numbers_the_batches_makes_no_further_records(project: Project) -> None:
    project.write("numbering/numbers.py", NUMBERS)
    settings = (project.directory / "ansible.cfg").read_text()
    settings = settings.replace(
        "callback_plugins = callback_plugins", "callback_plugins = callback_plugins:numbering"
    )
    project.write(
        "ansible.cfg",
        settings.replace("stdout_callback = nginx_websocket_output", "stdout_callback = numbers"),
    )
    play = project.summary(ROLLOUT, {"web1": {}, "web2": {}, "web3": {}}, "-e", '{"sizes": [1]}')
    assert [batch["hosts"] for batch in play["batches"]] == [["web1"], ["web2"], ["web3"]]
    assert (play["succeeded"], play["not_done"]) == (True, [])


def test_a_failure_in_the_first_batch_leaves_the_others_alone(project: Project) -> None:
    hosts = {"web1": {"failures": ["no pong"]}, "web2": {}}
    play = project.summary(ROLLOUT, hosts, "-e", '{"sizes": [1]}')
    assert outcomes(play) == {"web1": "rolled back", "web2": "not reached"}
    assert (play["batches_planned"], len(play["batches"])) == ([1, 1], 1)


#: What the deployment said, whether the verification fails, what the undo said → outcome, and what is live.
RUNS = {
    "undone": (APPLIED, True, WENT_BACK, "rolled back", OLD),
    "undone before it was confirmed": (APPLIED, True, {"outcome": "unchanged"}, "rolled back", OLD),
    "the lock is held": (APPLIED, True, {"fails": True, "outcome": "refused"}, "rollback failed", NEW),
    "the undo is undone": (APPLIED, True, {"fails": True, "outcome": "rolled back"}, "rollback failed", NEW),
    "the undo breaks": (
        APPLIED,
        True,
        {"fails": True, "outcome": "rollback failed"},
        "rollback failed",
        None,
    ),
    "the undo dies": (APPLIED, True, {"dies": True}, "rollback failed", None),
    "only reloaded": ({**APPLIED, "previous": {"s": NEW}, "backup": None}, True, None, "reload failed", NEW),
    "live before": (
        {**APPLIED, "outcome": "unchanged", "previous": {"s": NEW}, "changed": False},
        True,
        None,
        "nothing to go back to",
        NEW,
    ),
    "refused": ({**APPLIED, "fails": True, "outcome": "refused"}, False, None, "refused", OLD),
    "not proven": ({**APPLIED, "fails": True, "outcome": "rolled back"}, False, None, "rolled back", OLD),
    "in pieces": (
        {**APPLIED, "fails": True, "outcome": "rollback failed"},
        False,
        None,
        "rollback failed",
        None,
    ),
}


@pytest.mark.parametrize("case", RUNS)
def test_the_outcome_is_true(project: Project, case: str) -> None:
    deployed, fails, undone, outcome, live = RUNS[case]
    variables = {
        "deployed": deployed,
        "failures": ["no pong"] if fails else [],
        "undone": undone or {"dies": True},
    }
    host = named(project.summary(ROLLOUT, {"web1": variables}), "web1")
    assert (host["outcome"], host["releases"]["s"]["after"]) == (outcome, live), project.output
    assert f'type="{outcome}"' in project.files["junit"]
    assert f"1 host: 1 {outcome}" in project.output


DOWN = [{"site": "s", "backend": "app", "text": "nothing listens at port 8000"}]


@pytest.mark.parametrize(
    ("wish", "answering", "code", "outcome"),
    [
        ("auto", [], 0, "application down, accepted"),
        ("warn", [], 0, "application down, accepted"),
        ("fail", [], 2, "application down"),
        ("warn", [["s", "app"]], 2, "application down"),
        ("warn", [["s", "other"]], 0, "application down, accepted"),
    ],
)
def test_an_application_that_is_down(
    project: Project, wish: str, answering: List[List[str]], code: int, outcome: str
) -> None:
    variables = {
        "down": DOWN, "nginx_websocket_backend_down": wish, "answering": answering,
        "undone": {"dies": True},
    }  # fmt: skip
    host = named(project.summary(ROLLOUT, {"web1": variables}), "web1")
    assert (host["outcome"], host["releases"]["s"]["after"]) == (outcome, NEW), project.output
    assert json.loads(project.files["json"])["succeeded"] == (code == 0)
    assert "failed=0" in project.output or code
    assert any(one["code"] == "application-down" for one in host["findings"])
    assert "nothing listens at port 8000" in project.output


def test_an_application_that_is_down_fails_a_mere_verification(project: Project) -> None:
    verify = ROLLOUT.replace("        - import_role: {name: nginx_websocket, tasks_from: sites}\n", "")
    assert outcomes(project.summary(verify, {"web1": {"down": DOWN}})) == {"web1": "application down"}
    accepted = {"web1": {"down": DOWN, "nginx_websocket_backend_down": "warn"}}
    assert outcomes(project.summary(verify, accepted)) == {"web1": "application down, accepted"}


def test_a_failed_canary_is_told_once(project: Project) -> None:
    noise = {"steps": [{"name": "stage", "seconds": 0.1}], "files": [{"path": "/etc/nginx/x"}], "method": "m"}
    problem = "web1: the WebSocket /ws/ of s does not open\n  sent: GET wss://s/ws/\n  got:  502"
    findings = [{"code": "drift", "message": "an edit", "fix": ""}]
    undone = {**WENT_BACK, **noise, "findings": findings}
    variables = {"failures": [problem], "deployed": {**APPLIED, **noise}, "undone": undone}
    project.summary(ROLLOUT, {"web1": variables})
    shown = project.output
    assert len(shown.splitlines()) < 70, shown
    # Where it happened, and in the summary.
    assert shown.count("does not open") == 2
    assert shown.count("no DNS") == 1
    assert "method" not in shown and "steps" not in shown
    end = shown[shown.index("SUMMARY") :]
    for told in (
        "does not open",
        "serves again what it had before this run",
        "Next: put right",
        "--limit web1",
    ):
        assert told in end
    project.run(ROLLOUT, {"web1": variables}, "-v")
    assert "method" in project.output


def test_finished_hosts_are_taken_back_one_by_one(project: Project) -> None:
    hosts = {
        "web1": {},
        "web2": {"undone": {"fails": True, "outcome": "refused", "msg": "there is no backup 3"}},
        "web3": {"deployed": {**APPLIED, "backup": None}},
        "web4": {"failures": ["no pong"]},
    }
    play = project.summary(ROLLOUT, hosts, "-e", "nginx_websocket_on_failure=take_back")
    assert outcomes(play) == {
        "web1": "taken back", "web2": "rollback failed", "web3": "applied", "web4": "rolled back",
    }  # fmt: skip
    assert named(play, "web2")["releases"]["s"]["after"] == NEW
    assert named(play, "web2")["why"] == ["Undo: there is no backup 3"]


def test_check_mode_and_a_verification_alone(project: Project) -> None:
    would = {"deployed": {**APPLIED, "outcome": "unchanged"}}
    play = project.summary(ROLLOUT, {"web1": would}, "--check")
    assert (play["check_mode"], outcomes(play)) == (True, {"web1": "would change"})
    verify = ROLLOUT.replace("        - import_role: {name: nginx_websocket, tasks_from: sites}\n", "")
    assert outcomes(project.summary(verify, {"web1": {}})) == {"web1": "verified"}


def test_a_look_at_the_controller_verifies_no_host(project: Project) -> None:
    ready = "- nginx_websocket_verify: {step: ready}\n"
    project.write("roles/nginx_websocket/tasks/controller.yml", ready)
    play = """\
- name: A rollout
  hosts: all
  gather_facts: false
  tasks:
    - import_role: {name: nginx_websocket, tasks_from: controller}
    - ansible.builtin.meta: end_play
"""
    assert outcomes(project.summary(play, {"web1": {}})) == {"web1": "not reached"}


def test_a_host_that_does_not_answer(project: Project) -> None:
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.99", "ansible_port": 1}
    play = project.summary(ROLLOUT, {"web1": {}, "web2": away})
    assert outcomes(play) == {"web1": "applied", "web2": "unreachable"}
    assert "Connection refused" in "\n".join(named(play, "web2")["why"])


FAILS = """\
    - command: "false"
      ignore_errors: {ignored}
"""


@pytest.mark.parametrize(("ignored", "outcome"), [("true", "applied"), ("false", "failed")])
def test_a_failure_that_is_ignored_is_none(project: Project, ignored: str, outcome: str) -> None:
    play = project.summary(ROLLOUT + FAILS.format(ignored=ignored), {"web1": {}})
    assert outcomes(play) == {"web1": outcome}
    assert bool(named(play, "web1")["why"]) == (outcome == "failed")


def test_other_peoples_plays_have_no_summary(project: Project) -> None:
    other = "- name: Other\n  hosts: all\n  gather_facts: false\n  tasks: [{ping: {}}]\n"
    assert project.run(other, {"web1": {}}) == 0
    assert "SUMMARY" not in project.output
    play = project.summary(other + ROLLOUT, {"web1": {}})
    assert play["play"] == "A rollout"
    assert "SUMMARY [A rollout]" in project.output


@pytest.mark.parametrize(
    ("extra", "environment", "written"),
    [(None, "env.json", "env.json"), ("extra.json", "env.json", "extra.json"), (None, None, "ini.json")],
)
def test_where_a_file_is_written(
    project: Project, extra: Optional[str], environment: Optional[str], written: str
) -> None:
    with (project.directory / "ansible.cfg").open("a") as stream:
        stream.write("\n[callback_nginx_websocket_summary]\njson = out/ini.json\n")
    arguments = ["-e", f"nginx_websocket_summary_json=out/{extra}"] if extra else []
    env = {"NGINX_WEBSOCKET_SUMMARY_JSON": f"out/{environment}"} if environment else {}
    assert project.run(ROLLOUT, {"web1": {}}, *arguments, **env) == 0
    assert [path.name for path in (project.directory / "out").iterdir()] == [written]
    assert f"Summary (json): {project.directory}/out/{written}" in project.output


def test_a_file_that_cannot_be_written_fails_nothing(project: Project) -> None:
    project.write("occupied", "")
    env = {"NGINX_WEBSOCKET_SUMMARY_HTML": "occupied/summary.html", "NGINX_WEBSOCKET_SUMMARY_RETRY": "retry"}
    assert project.run(ROLLOUT, {"web1": {}}, **env) == 0, project.output
    assert "The summary could not be written to" in project.output
    assert (project.directory / "retry").read_text() == ""


def test_a_list_in_a_note_stays_a_list_and_within_its_host():
    note = "changes: what users see:\n  (1) /a is a file\n  (2) /etc/a-long-name is " + "gone " * 10
    told = _wrapped(note, 60, "    ")
    assert told[:2] == ["    changes: what users see:", "      (1) /a is a file"]
    assert all(line.startswith("      ") for line in told[1:]) and len(told) == 4
