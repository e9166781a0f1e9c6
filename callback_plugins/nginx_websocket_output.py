# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible's own output, without the insides of this project's modules: those are for -v."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nginx_websocket_output
type: stdout
short_description: Ansible's default output, with results of this project that a person reads
description:
  - The same as P(ansible.builtin.default#callback), but of the results of this project's modules only the
    message, the outcome and what is to be done by hand are shown, each once. C(-v) shows all of them.
extends_documentation_fragment: [default_callback, result_format_callback]
requirements:
  - set as C(stdout_callback) in ansible.cfg, as it is in this project
"""

from typing import Any, Dict, Mapping

from ansible.plugins.callback.default import CallbackModule as Default

#: What a person reads of a result; the summary at the end has the findings.
READ = ("changed", "msg", "outcome", "remedy", "exception", "ansible_loop_var", "item", "unreachable")


class CallbackModule(Default):  # type: ignore[misc]
    """Shows less of what only a machine reads."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "nginx_websocket_output"

    def _handle_exception(self, result: Dict[str, Any], *arguments: object, **named: object) -> None:
        # From ansible-core 2.19 on, a failure without any exception is shown as one, with the message again.
        event = getattr(self, "_current_task_result", None)
        again = event is not None and (_ours(result) or str(event.task.action).rpartition(".")[2] == "fail")
        if again and result.get("msg") and not self._display.verbosity:
            result.pop("exception", None)
            return
        super()._handle_exception(result, *arguments, **named)

    def _dump_results(self, result: Mapping[str, Any], *arguments: object, **named: object) -> str:
        if not self._display.verbosity and _ours(result):
            result = {key: value for key, value in result.items() if _read(key, value)}
        text: str = super()._dump_results(result, *arguments, **named)
        return text


def _ours(result: Mapping[str, Any]) -> bool:
    """Whether a result is a transaction's, or a verdict of the verification."""
    return "outcome" in result or {"passed", "findings"} <= set(result)


def _read(key: str, value: object) -> bool:
    return key.startswith("_ansible") or (key in READ and value not in ([], ""))
