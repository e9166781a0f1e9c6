"""What each kind of value of a systemd unit may look like."""

from __future__ import annotations

import re

from .kinds import Problem

_UNIT = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_UNIT_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_.-]{0,120}\.(?:service|target|socket|mount)\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_WORD = re.compile(r"[\x20-\x7e]+\Z")
_UNITS_OF_NGINX = ("nginx", "openresty", "angie", "tengine")


def unit_name(value: str) -> Problem:
    """Accept the name of a unit, without its suffix."""
    if value.endswith(".service"):
        return "the name of a unit without .service", f"Write {value[: -len('.service')]}."
    if value in _UNITS_OF_NGINX:
        return "the name of a unit for the application", f"{value}.service is nginx itself."
    if _UNIT.match(value):
        return None
    return "the name of a unit, such as chat-backend", "Lower-case letters, digits and hyphens are allowed."


def unit_file_name(value: str) -> Problem:
    """Accept the whole name of a unit."""
    if _UNIT_FILE.match(value):
        return None
    return "the name of a unit with its suffix, such as postgresql.service", ""


def ordinary_user(value: str) -> Problem:
    """Accept the name of a user or group that is not root's."""
    if value == "root":
        return "a user other than root", "A hole in the application would give the whole host away."
    if _USER.match(value):
        return None
    return "the name of a user", "Lower-case letters, digits, _ and - are allowed."


def environment_name(value: str) -> Problem:
    """Accept the name of an environment variable."""
    if _VARIABLE.match(value):
        return None
    return "the name of an environment variable", "Letters, digits and _ are allowed."


def command_word(value: str) -> Problem:
    """Accept one word of a command line."""
    if _WORD.match(value):
        return None
    return "printable ASCII on one line", "What cannot be written so can stand in environment_file."
