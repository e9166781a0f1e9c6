# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible callback: progress while batches run, a table at the end, and the same as files."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_websocket_summary
type: aggregate
short_description: What became of each host of a rollout
description:
  - Prints which batch begins, and at the end one table of all hosts - release before and after, outcome,
    seconds, open sockets before and after, findings, and why a host failed.
  - Writes the same as JSON, as JUnit's XML, as one HTML page with a timeline, and as a list of the hosts that
    are not done, where a file is named. An extra variable of the same name as the option, with
    C(nginx_websocket_summary_) before it, takes precedence.
  - Says nothing about plays that run no task of this project.
requirements:
  - enabled in C(ansible.cfg), as it is in this project
options:
  json:
    description: File to write as JSON. docs/rollouts.md has its fields.
    type: str
    default: ''
    env: [{name: NGINX_WEBSOCKET_SUMMARY_JSON}]
    ini: [{section: callback_nginx_websocket_summary, key: json}]
  junit:
    description: File to write as JUnit's XML, a suite for each batch and a case for each host.
    type: str
    default: ''
    env: [{name: NGINX_WEBSOCKET_SUMMARY_JUNIT}]
    ini: [{section: callback_nginx_websocket_summary, key: junit}]
  html:
    description: File to write as one HTML page, which needs nothing from the network.
    type: str
    default: ''
    env: [{name: NGINX_WEBSOCKET_SUMMARY_HTML}]
    ini: [{section: callback_nginx_websocket_summary, key: html}]
  retry:
    description: File to write with the names of the hosts that are not done, for C(--limit @FILE).
    type: str
    default: ''
    env: [{name: NGINX_WEBSOCKET_SUMMARY_RETRY}]
    ini: [{section: callback_nginx_websocket_summary, key: retry}]
"""

import os
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple

from ansible.plugins.callback import CallbackBase

# The package that does the work stands beside this directory; Ansible loads plugins by their path.
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if _CHECKOUT not in sys.path:
    sys.path.append(_CHECKOUT)

from rollout import outcomes, page, record, report, table

if TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.inventory.host import Host
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

WRITERS: Dict[str, Callable[[List[record.Rollout]], str]] = {
    "json": report.as_json,
    "junit": report.as_junit,
    "html": page.as_html,
    "retry": report.as_retry,
}

COLOURS = {
    outcomes.GOOD: "green", outcomes.CHANGE: "yellow", outcomes.WARNING: "bright yellow",
    outcomes.IDLE: "cyan", outcomes.FAULT: "red",
}  # fmt: skip

#: Modules and actions that tell what became of a transaction.
TRANSACTIONS = ("nginx_deploy", "nginx_rollback", "nginx_websocket_sites")
#: Nothing was done at all, which a pipeline must not take for success.
NOBODY = "Nothing was done: --limit and the play leave no host. Look at --limit and the inventory's names."
GROUP = "nginx_websocket"
#: Modules whose playbooks take any host, of the group or not.
ANYWHERE = ("nginx_diagnose", "nginx_fix", "nginx_rollback")
ROLE = os.path.join("roles", "nginx_websocket", "tasks")


class CallbackModule(CallbackBase):
    """Records what happens and tells it in the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "nginx_websocket_summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin with nothing recorded."""
        super().__init__()
        self._rollouts: List[record.Rollout] = []
        self._play = ""
        self._extra: Mapping[str, Any] = {}
        self._started: Dict[str, float] = {}
        self._phases: Dict[str, str] = {}
        self._asked_for: Optional[Play] = None
        self._nobody = False

    @property
    def _current(self) -> Optional[record.Rollout]:
        return self._rollouts[-1] if self._rollouts else None

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """A play begins, or its next batch does: Ansible calls this for each of them."""
        now = time.time()
        self._asked_for = play
        manager = play.get_variable_manager()
        self._extra = manager.extra_vars
        variables = manager.get_vars(play=play)
        everybody = list(variables["ansible_play_hosts_all"])
        # ansible-runner's callback (AWX, ansible-navigator) numbers the batches: "UUID", "UUID_1", "UUID_2".
        identity = play._uuid.partition("_")[0]
        if identity != self._play or self._current is None:
            if self._current is not None:
                self._current.end_batch(now)
            self._play = identity
            rollout = record.Rollout(play.get_name(), now, check=bool(play.check_mode))
            rollout.planned = record.batch_sizes(play.serial, len(everybody))
            rollout.expect(everybody)
            self._rollouts.append(rollout)
        rollout = self._rollouts[-1]
        rollout.begin_batch(variables["ansible_play_batch"], now)
        if len(rollout.planned) > 1:
            self._display.display(table.batch_line(rollout), color="bright blue")

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """The play that has just begun has no host."""
        self._nobody = self._nobody or (self._asked_for is not None and _for_us(self._asked_for))

    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        """A task begins on a host."""
        self._started[host.get_name()] = time.time()

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """A task succeeded on a host."""
        self._took(result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        """A task failed on a host."""
        self._took(result, failed=True, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        """A host did not answer."""
        self._took(result, unreachable=True)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        """One element of a loop succeeded."""
        self._took_item(result)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        """One element of a loop failed."""
        self._took_item(result, failed=True)

    def _phase(self, task: Task) -> str:
        if task._uuid not in self._phases:
            path = (task.get_path() or "").rpartition(":")[0]
            name = os.path.splitext(os.path.basename(path))[0]
            ours = ROLE in path or _action(task) in TRANSACTIONS
            self._phases[task._uuid] = record.PHASES.get(name, "other") if ours else ""
        return self._phases[task._uuid]

    def _took(
        self,
        result: CallbackTaskResult,
        *,
        failed: bool = False,
        unreachable: bool = False,
        ignored: bool = False,
    ) -> None:
        # What failed is told by the event: Ansible takes "failed" out of the result.
        who, task, told = _event(result)
        rollout, name = self._current, who.get_name()
        if rollout is None or name not in rollout.hosts:
            return
        host, now, phase = rollout.hosts[name], time.time(), self._phase(task)
        start = self._started.pop(name, now)
        if phase:
            rollout.ours = True
        # A loop tells its elements one by one.
        if _action(task) in TRANSACTIONS and "results" not in told and not unreachable:
            host.transaction(told, failed=failed, undo=phase == "undo", check=rollout.check)
        if _judges(task) and not unreachable:
            host.verified(told, failed=failed)
        if unreachable or (failed and not ignored):
            host.failed(_message(told), phase=phase, unreachable=unreachable)
        host.saw(phase or "other", start, now)

    def _took_item(self, result: CallbackTaskResult, *, failed: bool = False) -> None:
        rollout, (_, task, told) = self._current, _event(result)
        if rollout is None or self._phase(task) != "take back":
            return
        name = str(told.get(told.get("ansible_loop_var", "item"), ""))
        if name in rollout.hosts:
            rollout.hosts[name].taken_back(told, failed=failed)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Everything is over: print the table, write the files."""
        if self._current is not None:
            self._current.end_batch(time.time())
        rollouts = [rollout for rollout in self._rollouts if rollout.ours]
        if not rollouts:
            if self._nobody and not set(stats.processed) - {"localhost"}:
                # Ansible calls that a success. An exception of another kind would be a warning to it.
                self._display.error(NOBODY, wrap_text=False)
                raise SystemExit(1)
            return
        width = max(shutil.get_terminal_size((110, 24)).columns - 1, 60)
        for rollout in rollouts:
            self._display.banner(f"SUMMARY [{rollout.play}]")
            for text, outcome in table.lines(rollout, width):
                colour = COLOURS[outcomes.kind(outcome)] if outcome else None
                self._display.display(text, color=colour)
        for option, writer in WRITERS.items():
            path = self._extra.get(f"nginx_websocket_summary_{option}") or self.get_option(option)
            if path:
                self._write(str(path), option, writer(rollouts))

    def _write(self, path: str, option: str, content: str) -> None:
        """Write a file whole or not at all; a full disk must not turn a good rollout into a failed one."""
        path = os.path.abspath(os.path.expanduser(path))
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except OSError as error:
            self._display.warning(f"The summary could not be written to {path} ({option}): {error}")
        else:
            self._display.display(f"Summary ({option}): {path}")


def _event(result: CallbackTaskResult) -> Tuple[Host, Task, Mapping[str, Any]]:
    """Return host, task and result; before ansible-core 2.19 the names begin with an underscore."""
    if hasattr(result, "host"):
        return result.host, result.task, result.result
    return result._host, result._task, result._result


def _for_us(play: Play) -> bool:
    """Whether a play that came to no host would have run a task of this project."""
    tasks = (task for block in play.get_tasks() for task in (block if isinstance(block, list) else [block]))
    return GROUP in play.hosts or any(_action(task) in ANYWHERE for task in tasks)


def _action(task: Task) -> str:
    return str(task.action).rpartition(".")[2]


def _judges(task: Task) -> bool:
    """Whether a task ends a host's verification; other steps of the same action look at all hosts."""
    return _action(task) == "nginx_websocket_verify" and task.args.get("step") == "judge"


def _message(told: Mapping[str, Any]) -> str:
    for key in ("msg", "stderr", "module_stderr", "stdout"):
        if told.get(key):
            return str(told[key])
    return "failed without a message"
