"""Stands for ``ansible.module_utils.basic`` where a module is sent without Ansible's code (importing/run.py).

That code takes half of a module's time on the host. What the role's actions need of it is here; the role has
checked their arguments already.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List, Mapping, NoReturn, Optional

#: What the controller sent: ``params``, ``check_mode``, ``diff``.
GIVEN: Dict[str, Any] = {}


class AnsibleModule:
    """Arguments in, an answer out, as the class of this name in Ansible."""

    def __init__(self, argument_spec: Mapping[str, Mapping[str, Any]], supports_check_mode: bool) -> None:
        """Take the arguments, with defaults for those that are missing."""
        self.check_mode = bool(GIVEN["check_mode"])
        self._diff = bool(GIVEN["diff"])
        self._warnings: List[str] = []
        self.params: Dict[str, Any] = {}
        try:
            if self.check_mode and not supports_check_mode:
                raise ValueError("this module has no check mode")
            self.params = completed(argument_spec, GIVEN["params"])
        except ValueError as error:
            # Ansible's own code may make something of them yet: nothing has been done so far.
            self.fail_json(msg=str(error), unfit=True)

    def warn(self, warning: str) -> None:
        """Note a warning, once."""
        if warning not in self._warnings:
            self._warnings.append(warning)

    def exit_json(self, **result: Any) -> NoReturn:  # noqa: ANN401  as Ansible has it
        """Answer, and end."""
        self._end({"changed": False, **result})

    def fail_json(self, msg: str, **result: Any) -> NoReturn:  # noqa: ANN401  as Ansible has it
        """Answer that the module failed, and end."""
        self._end({**result, "failed": True, "msg": msg}, 1)

    def _end(self, result: Dict[str, Any], code: int = 0) -> NoReturn:
        if self._warnings:
            result["warnings"] = [*result.get("warnings", []), *self._warnings]
        sys.stdout.write(json.dumps(result))
        sys.stdout.flush()
        sys.exit(code)


def completed(spec: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> Dict[str, Any]:
    """Return arguments as an argument specification wants them.

    Args:
        spec: ``type``, ``elements``, ``options``, ``choices``, ``default`` and ``required`` of each argument.
        given: the arguments.

    Raises:
        ValueError: one is missing, unknown, or of another type.
    """
    unknown = sorted(set(given) - set(spec))
    if unknown:
        raise ValueError(f"Unsupported parameters: {', '.join(unknown)}")
    found = {}
    for name, option in spec.items():
        value = given.get(name)
        if value is None:
            if option.get("required"):
                raise ValueError(f"missing required arguments: {name}")
            value = option.get("default")
        found[name] = None if value is None else _as(option["type"], option, value, name)
        choices = option.get("choices")
        if choices and found[name] not in choices:
            raise ValueError(f"value of {name} must be one of: {', '.join(choices)}, got: {found[name]}")
    return found


def _as(kind: str, option: Mapping[str, Any], value: Any, name: str) -> Any:  # noqa: ANN401  plain data
    inner: Optional[Mapping[str, Mapping[str, Any]]] = option.get("options")
    if kind == "list" and isinstance(value, list):
        return [_as(option["elements"], option, element, name) for element in value]
    if kind == "dict" and isinstance(value, dict):
        return completed(inner, value) if inner else value
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "path" and isinstance(value, str):
        return os.path.expanduser(os.path.expandvars(value))
    if kind == "str" and isinstance(value, (str, int, float)):
        return str(value)
    if kind in ("int", "float") and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return int(value) if kind == "int" else float(value)
    raise ValueError(f"argument '{name}' is of type {type(value).__name__}, expected {kind}")
