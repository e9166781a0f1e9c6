"""Ansible's way to a host, for the action plugins: nothing of an answer gets past here but what is declared.

ansible-core takes ``ansible_facts``, ``add_host`` and more from whatever a module's output holds, and makes
variables of facts. So the output is read and cut down here, before ansible-core looks at it.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible import constants as C  # type: ignore[import-untyped]
from ansible.errors import AnsibleConnectionFailure  # type: ignore[import-untyped]
from ansible.executor.interpreter_discovery import discover_interpreter  # type: ignore[import-untyped]
from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]
from ansible.release import __version__  # type: ignore[import-untyped]
from ansible.utils.display import Display  # type: ignore[import-untyped]

from host_answers import sending
from host_answers.memory import bounded
from host_answers.modules import cut
from host_answers.parsing import NoAnswer, answer_in
from host_answers.shapes import MOST_BYTES, Misshapen, clean

try:  # From ansible-core 2.21 on, a module's output is read into an object.
    from ansible._internal._task import UnifiedTaskResult  # type: ignore[import,unused-ignore]
except ImportError:
    UnifiedTaskResult = None

Result = Dict[str, Any]
Variables = Mapping[str, Any]

#: The oldest ansible-core that tests/cores.py runs.
OLDEST_CORE = (2, 16)
#: Bytes that are kept of what a host says on standard error.
MOST_STDERR = 64 * 2**10

#: What playbooks/diagnose.yml takes from the user, files of the controller among it.
DIAGNOSIS = (
    "url", "origin", "host", "headers", "subprotocols", "alpn", "ping_interval", "hold", "connections",
    "address", "cafile", "probe_timeout", "dump", "nginx_version", "other_ports", "json", "html", "target",
)  # fmt: skip
PREFIXES = ("nginx_websocket_", "__nginx_websocket_", "__diagnose")
#: The only fact that goes on: Ansible's own, where it looked for Python on the host. It is a path there.
FOUND_PYTHON = "discovered_interpreter_python"
INTERPRETER = re.compile(r"/[A-Za-z0-9._/+-]{1,200}")
#: What Python 3.6 and older say of our modules' first line, and Ansible's own code of Pythons that it left.
#: Python 2 knows no -I, 3.6 no such annotations; 3.7 is told by the modules themselves.
OLD_PYTHON = re.compile(
    r"Unknown option: -I|future feature annotations is not defined|requires a minimum of Python"
)
NO_PYTHON = re.compile(r"(?:No such file or directory|not found)\s*$", re.MULTILINE)


class Asking(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """An action that asks a host by modules, and trusts no answer."""

    TRANSFERS_FILES = False

    #: Variables besides those with our prefix that must come from the user.
    INPUTS: Tuple[str, ...] = ()
    #: Whether modules are sent straight to the host, where that is possible. Arguments of another type than a
    #: module declares are Ansible's to turn into that.
    STRAIGHT = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Result:
        """Begin a task: refuse variables that a host has set."""
        super().run(tmp, task_vars)
        if _core() < OLDEST_CORE:
            return failed(_TOO_OLD.format(core=__version__, oldest=".".join(map(str, OLDEST_CORE))))
        stolen = facts_of_ours(task_vars or {}, self.INPUTS)
        return from_facts(stolen) if stolen else {}

    def ask(self, module: str, arguments: Mapping[str, Any], variables: Variables) -> Result:
        """Run a module on the host.

        Args:
            module: Its name; `host_answers.modules` declares what it may answer.
            arguments: Its arguments.
            variables: The task's.

        Returns:
            What the module declares of its result. An answer of another shape is a failed result.
        """
        self._asked = module, arguments
        connection = self._connection
        try:
            connection.exec_command = _Bounded(connection.exec_command)
            straight = self.STRAIGHT and module in sending.MODULES
            python = self._python(variables) if straight else ""
            result = self._sent(module, arguments, python) if python else None
            if result is None:
                result = self._execute_module(
                    module_name=module, module_args=dict(arguments), task_vars=dict(variables)
                )
        except NoAnswer as error:
            return failed(f"{module} gave no answer: {error}")
        except Misshapen as error:
            return failed(_DISTRUSTED.format(module=module, error=error))
        finally:
            del connection.exec_command
        # Ansible adds to what was cut: lines of stdout, which nobody needs twice, and the Python it found.
        for key in ("ansible_facts", "stdout_lines", "stderr_lines"):
            result.pop(key, None)
        found = self._discovered_interpreter
        if self._discovered_interpreter_key and isinstance(found, str) and INTERPRETER.fullmatch(found):
            result["ansible_facts"] = {self._discovered_interpreter_key: found}
        return result

    def _python(self, variables: Variables) -> str:
        """Return the host's Python where a module can be sent straight to it.

        It is looked for where the inventory names none, as Ansible does. Empty where Ansible must send a
        module: where modules are files on the host (no pipelining), where a task has an environment or goes
        to another host, and where the host is the controller.
        """
        connection = self._connection
        if connection.transport == "local" or not self._is_pipelining_enabled("new"):
            return ""
        if any(self._task.environment or ()) or self._task.delegate_to:
            return ""
        configured = C.config.get_config_value("INTERPRETER_PYTHON", variables=dict(variables))
        path = str(self._templar.template(configured) or "")
        if path.startswith("auto"):
            known = variables.get("ansible_facts", {}).get(FOUND_PYTHON)
            path = str(known or discover_interpreter(self, "python", path, dict(variables)))
            if not known:
                self._discovered_interpreter_key, self._discovered_interpreter = FOUND_PYTHON, path
        return path if INTERPRETER.fullmatch(path) else ""

    def _sent(self, module: str, arguments: Mapping[str, Any], python: str) -> Optional[Result]:
        """Run a module of ours on the host without what Ansible packs around it.

        Returns:
            Its result; None where an argument is of another type than the module declares.
        """
        self._used_interpreter = python
        task = self._task
        # As Ansible says it of what it sends.
        Display().vvv(f"Using module file {sending.file_of(module)}")
        data = sending.payload(module, arguments, check_mode=task.check_mode, diff=task.diff)
        res = self._low_level_execute_command(sending.command(python), in_data=data)
        try:
            answer = answer_in(res.get("stdout", ""))
        except NoAnswer:
            raise NoAnswer(_why(res, python)) from None
        unfit = isinstance(answer, dict) and answer.pop("unfit", False) is True
        return None if unfit else cut(module, arguments, answer)

    def _update_module_args(self, module_name: str, module_args: Result, *given: Any, **named: Any) -> None:  # noqa: ANN401
        """Keep arguments out of the host's journal, which others may read: URLs of WebSockets hold tokens."""
        super()._update_module_args(module_name, module_args, *given, **named)
        module_args["_ansible_no_log"] = True

    def _parse_returned_data(self, res: Result, *_: object) -> Any:  # noqa: ANN401
        """Take ansible-core's place in reading a module's output."""
        module, arguments = self._asked
        try:
            answer = answer_in(res.get("stdout", ""))
        except NoAnswer:
            raise NoAnswer(_why(res, self._used_interpreter or "")) from None
        result = cut(module, arguments, answer)
        return UnifiedTaskResult.from_module_result_dict(result) if UnifiedTaskResult else result


class Module(Asking):
    """An action of the name of one of our modules: so every task that runs the module goes this way."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Result:
        """Run the module."""
        refused = super().run(tmp, task_vars)
        if refused:
            return refused
        # In a collection the action has its full name.
        module = self._task.action.rpartition(".")[2]
        result = self.ask(module, self._task.args, task_vars or {})
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result


class Personal(Module):
    """A module that somebody waits for: it is sent straight to the host."""

    STRAIGHT = True


class Diagnose(Personal):
    """The module nginx_diagnose."""

    INPUTS = DIAGNOSIS


class _Bounded:
    """A connection's ``exec_command`` that takes no more than so much from the host."""

    def __init__(self, run: Any) -> None:  # noqa: ANN401  any connection plugin's method
        self._run = run

    def __call__(self, *args: Any, **options: Any) -> Tuple[int, bytes, bytes]:  # noqa: ANN401
        answer: Optional[Tuple[int, bytes, bytes]] = None
        unreachable = ""
        try:
            with bounded():
                code, out, err = self._run(*args, **options)
                answer = code, _read(out), _read(err)[-MOST_STDERR:]
        except MemoryError:
            pass  # What was collected is let go only after this block.
        except AnsibleConnectionFailure as error:
            unreachable = clean(str(error))
        if unreachable:
            # Its message holds what the other side said.
            raise AnsibleConnectionFailure(unreachable)
        if answer is None or len(answer[1]) > MOST_BYTES:
            raise Misshapen(f"expected at most {MOST_BYTES} bytes, got more")
        return answer


def _read(output: Any) -> bytes:  # noqa: ANN401  bytes, text or a file, as connection plugins like it
    data = output.read(MOST_BYTES + 1) if hasattr(output, "read") else output
    return data.encode("utf-8", "surrogateescape") if isinstance(data, str) else bytes(data)


def facts_of_ours(variables: Variables, names: Tuple[str, ...] = ()) -> List[str]:
    """Return the facts of a host that bear names of our variables.

    Facts come from the host, and precede the inventory: where somebody else's play has gathered them, a host
    can set any variable. An ``ansible_`` before a fact's name is gone here.
    """
    facts = variables.get("ansible_facts")
    if not isinstance(facts, Mapping):
        return []
    return sorted(clean(str(name)) for name in facts if name in names or str(name).startswith(PREFIXES))


def from_facts(names: List[str]) -> Result:
    """Return the result of a task that finds variables of ours among a host's facts."""
    return failed(f"{_FROM_FACTS} {', '.join(names)}.")


def failed(message: str) -> Result:
    """Return the result of a task that failed."""
    return {"failed": True, "changed": False, "msg": clean(message)}


def _core() -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", __version__)[:2])


def _why(res: Result, interpreter: str) -> str:
    """Return what a host said in place of an answer, in one line."""
    said = f"{res.get('stderr') or ''}\n{res.get('stdout') or ''}".strip()
    python = interpreter.lstrip("#!").strip()
    if res.get("rc") == 127 or (python and f"{python}: " in said and NO_PYTHON.search(said)):
        return f"there is no Python at {python}. Install it, or set ansible_python_interpreter."
    if OLD_PYTHON.search(said):
        return f"Python at {python or 'its place'} is older than 3.8. {_NEWER_PYTHON}"
    last = clean(said.splitlines()[-1].strip())[:300] if said else "nothing"
    return f"exit code {res.get('rc')}, and the last thing that the host said was: {last}"


_DISTRUSTED = (
    "The answer of {module} is not to be trusted: {error}. No module of ours answers so. See who has changed "
    "Python or sudo on this host before anything else is done there."
)
_NEWER_PYTHON = "Install a newer one beside it, and set ansible_python_interpreter to its path."
_TOO_OLD = (
    "This is ansible-core {core}, and at least {oldest} is needed. Install a newer one, or run this from the "
    "execution environment (execution-environment.yml)."
)
_FROM_FACTS = (
    "Facts bear the names of our variables. Facts come from the host, which must not set them. Look at what "
    "it gathers (/etc/ansible/facts.d); where a play of yours sets them by set_fact with cacheable, use the "
    "inventory:"
)
