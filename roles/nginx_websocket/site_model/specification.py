"""Read values as meta/argument_specs.yml says they are: types, required keys, choices, defaults.

Ansible could do this by itself, but names neither the site nor the place in it, and prints the whole
specification.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import yaml

from .refusal import UNKNOWN, Refusal
from .values.rules import RULES

PREFIX = "nginx_websocket_"
SPECIFICATION = Path(__file__).parent.parent / "meta" / "argument_specs.yml"

#: Whatever YAML can hold.
Value = Any

TRUE = frozenset(["true", "yes", "on", "1"])
FALSE = frozenset(["false", "no", "off", "0"])

#: How alike two names must be for the one to have been meant by the other (difflib's ratio).
NEAR = 0.7
#: What others call it.
SYNONYMS = {"aliases": "server_names", "alias": "server_names", "domains": "server_names", "domain": "name"}
#: For what nginx can do and no variable says.
OTHERWISE = "Directives of nginx that have no variable go into a file of the host, which `includes` names."

TYPES = {"list": "a list", "dict": "keys and values", "bool": "true or false", "int": "a whole number"}


@lru_cache(maxsize=1)
def options() -> Dict[str, Any]:
    """Return the variables of all entry points, by name."""
    # libyaml's loader reads it ten times faster, where PyYAML was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entry_points = yaml.load(SPECIFICATION.read_text(encoding="utf-8"), Loader=loader)["argument_specs"]  # nosec B506 # a safe loader, see above
    return {
        name: option for entry in entry_points.values() for name, option in entry.get("options", {}).items()
    }


@dataclass
class Reader:
    """Reads values and keeps what it refuses."""

    refusals: List[Refusal] = field(default_factory=list)

    def refuse(self, place: str, value: object, expected: str, fix: str = "") -> None:
        """Remember that a value is not accepted."""
        self.refusals.append(Refusal(place, value, expected, fix))

    def mapping(self, value: Value, known: Mapping[str, Any], place: str, rule: str) -> Dict[str, Any]:
        """Read keys and values.

        Args:
            value: What the user wrote.
            known: Options of the specification, by key.
            place: The variable as a message names it, such as ``nginx_websocket_sites[0].http``.
            rule: The same without numbers and without the variable, to look up the rule of a value.

        Returns:
            All known keys: read, or with their defaults, or None.
        """
        for key in value:
            if key not in known:
                self.refuse_unknown(f"{place}.{key}" if place else str(key), str(key), known)
        read = {}
        for key, option in known.items():
            inner_place = f"{place}.{key}" if place else key
            inner_rule = f"{rule}.{key}" if rule else key
            given = value.get(key)
            if given is None and option.get("required"):
                self.refuse(inner_place, None, "a value", "It has no default.")
            read[key] = self.option(given, option, inner_place, inner_rule)
        return read

    def refuse_unknown(self, place: str, key: str, known: Mapping[str, Any]) -> None:
        """Refuse a key that the specification does not have."""
        self.refusals.append(Refusal(place, key, UNKNOWN, advice(place, key, known)))

    def option(self, value: Value, option: Mapping[str, Any], place: str, rule: str) -> Value:
        """Read one value, or its default."""
        if value is None:
            value = option.get("default")
            if value is None:
                return None
        kind = option["type"]
        if kind == "dict":
            return self.dictionary(value, option, place, rule)
        if kind == "list":
            if not isinstance(value, (list, tuple)):
                fix = "Write each entry on a line of its own, after a hyphen."
                self.refuse(place, value, TYPES["list"], as_text(place, value, "[") or fix)
                return []
            return [
                self.element(item, option, f"{place}[{index}]", f"{rule}[]")
                for index, item in enumerate(value)
            ]
        return self.scalar(value, option, place, rule)

    def element(self, value: Value, option: Mapping[str, Any], place: str, rule: str) -> Value:
        """Read one element of a list."""
        if value is None:
            self.refuse(place, None, "a value", "Take the empty entry out of the list.")
            return {} if option["elements"] == "dict" else None
        return self.option(value, {**option, "type": option["elements"], "default": None}, place, rule)

    def dictionary(self, value: Value, option: Mapping[str, Any], place: str, rule: str) -> Dict[str, Any]:
        """Read keys and values, either the known ones or any."""
        if not isinstance(value, Mapping):
            fix = "Write each on a line of its own, as `key: value`."
            self.refuse(place, value, TYPES["dict"], as_text(place, value, "{") or fix)
            return self.mapping({}, option["options"], place, rule) if "options" in option else {}
        if "options" in option:
            return self.mapping(value, option["options"], place, rule)
        read = {}
        for key, item in value.items():
            self.judge(str(key), f"{place}.{key}", f"{rule}.key")
            read[str(key)] = self.scalar(item, {"type": "str"}, f"{place}.{key}", f"{rule}.value")
        return read

    def scalar(self, value: Value, option: Mapping[str, Any], place: str, rule: str) -> Value:
        """Read a single value, as its type and its rule want it."""
        converted = converted_to(option["type"], value)
        if converted is None:
            self.refuse(place, value, *self.expectation(value, option["type"], rule))
            return None
        choices = option.get("choices")
        if choices and converted not in choices:
            near = difflib.get_close_matches(str(converted), choices, n=1)
            self.refuse(
                place, value, f"one of {', '.join(choices)}", f"Did you mean {near[0]}?" if near else ""
            )
            return None
        return converted if self.judge(converted, place, rule) else None

    @staticmethod
    def expectation(value: Value, kind: str, rule: str) -> Tuple[str, str]:
        """Return what is expected in place of a value of the wrong type."""
        if kind not in ("str", "path"):
            return TYPES[kind], ""
        problem = RULES[rule](str(value)) if rule in RULES and isinstance(value, (int, float)) else None
        expected, fix = problem or ("text", "Quote it, so that YAML takes it for text.")
        if isinstance(value, bool):
            fix = "YAML takes this word for true or false: quote it."
        return expected, fix

    def judge(self, value: Value, place: str, rule: str) -> bool:
        """Return whether the rule of the value accepts it, and keep the refusal if it does not."""
        problem = RULES[rule](value) if rule in RULES else None
        if problem is not None:
            self.refuse(place, value, *problem)
        return problem is None


def as_text(place: str, value: Value, begin: str) -> str:
    """Return what to do where YAML or JSON stands as text in place of what it means; else nothing."""
    if not (isinstance(value, str) and value.lstrip().startswith(begin)):
        return ""
    if re.search(r"[.\[]", place):
        return "It is quoted, and so is text: take the quotes away."
    return f"`-e {place}=…` always gives text. Write it as JSON: -e '{{\"{place}\": …}}'."


def advice(place: str, key: str, known: Mapping[str, Any]) -> str:
    """Return what to do about an unknown key: where it belongs, what it may be meant for, or neither."""
    steps = re.sub(r"\[[0-9]+\]", "", place).split(".")[:-1]
    levels: List[Tuple[str, Mapping[str, Any]]] = [("", options())]
    for step in steps:
        levels.append((step, levels[-1][1].get(step, {}).get("options", {})))
    # A level up: it stands too far to the right.
    for depth in range(len(levels) - 2, 0, -1):
        if key in levels[depth][1]:
            beside = levels[depth + 1][0]
            return f"{key} belongs beside {beside}, not below it: indent it as far as {beside}."
    bare = key[len(PREFIX) :] if key.startswith(PREFIX) else key
    if not steps and bare in options()[f"{PREFIX}sites"]["options"]:
        return f"{bare} belongs to a site: write it below an entry of {PREFIX}sites."
    if steps and PREFIX + key in options():
        return f"{PREFIX}{key} is a variable of its own: write it without indentation, by its whole name."
    # What all variables have in common would make any name look like any other.
    common = len(PREFIX) if key.startswith(PREFIX) else 0
    rests = {name[common:]: name for name in known}
    near = difflib.get_close_matches(key[common:], list(rests), n=1, cutoff=NEAR)
    below = [name for name, option in known.items() if steps and key in option.get("options", {})]
    if below:
        return f"{key} belongs below {' or '.join(below[:3])}: indent it, and put it there."
    meant = SYNONYMS.get(key, "")
    if near or meant in known:
        guess = f"Did you mean {meant if meant in known else rests[near[0]]}?"
        return f"{guess} {OTHERWISE}" if len(steps) == 1 else guess
    # Beside where it stands, of which the path names each step but the last.
    homes = [
        name
        for _, level in levels[1:-1]
        for name, option in level.items()
        if key in option.get("options", {})
    ]
    if homes:
        return f"{key} is a key of {' and of '.join(homes[:3])}, not of {steps[-1]}."
    return f"docs/variables.md lists them all. {OTHERWISE}" if steps else "docs/variables.md lists them all."


def converted_to(kind: str, value: Value) -> Optional[Value]:
    """Return the value in its type, None when it is of another one.

    Values of ``-e key=value`` are always text, hence numbers and booleans are read from text too. A whole
    number may stand where text is wanted: its rule says whether it will do (a size does, a time does not).
    """
    if kind == "bool":
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        return True if word in TRUE else False if word in FALSE else None
    if kind == "int":
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return int(value)
        text = str(value) if isinstance(value, str) else ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
