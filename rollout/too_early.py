"""Variables that Ansible or its output reads before those of hosts and groups: there they have no effect."""

from __future__ import annotations

import re
from typing import Any, Mapping, Protocol, Sequence

from rollout.record import batch_sizes


class Play(Protocol):
    """What is read of Ansible's play."""

    serial: Sequence[Any]
    order: str


def in_vain(ours: Mapping[str, Any], play: Play, hosts: int, extra: Mapping[str, Any]) -> str:
    """Why a variable of ours is without effect; empty where none is.

    Args:
        ours: the role's variables, as this host has them.
        play: as Ansible runs it.
        hosts: how many the play has.
        extra: what the command line gave.
    """
    return _batches(ours, play, hosts) or _order(ours, play) or _summary(ours, extra)


def _batches(ours: Mapping[str, Any], play: Play, hosts: int) -> str:
    wished = ours.get("nginx_websocket_serial")
    if not wished or not hosts:
        return ""
    steps = wished if isinstance(wished, list) else re.findall("[0-9A-Za-z.%-]+", str(wished))
    largest = max(batch_sizes(play.serial, hosts))
    if largest <= max(batch_sizes(steps, hosts)):
        return ""
    said = ",".join(map(str, steps))
    return (
        f"nginx_websocket_serial is {said}, and a batch of this play has {largest} hosts: Ansible makes "
        "batches before it reads the variables of hosts and groups. Say it on the command line, "
        f"-e nginx_websocket_serial={said}, or as `serial` of a play of your own."
    )


def _order(ours: Mapping[str, Any], play: Play) -> str:
    wished, order = ours.get("nginx_websocket_order") or "inventory", play.order or "inventory"
    if wished in (order, "inventory"):
        return ""
    return (
        f"nginx_websocket_order is {wished}, and the order of this play is {order}: Ansible puts hosts in "
        "order before it reads the variables of hosts and groups. Say it on the command line, "
        f"-e nginx_websocket_order={wished}, or as `order` of a play of your own."
    )


def _summary(ours: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    for name, value in ours.items():
        if name.startswith("nginx_websocket_summary_") and value and not extra.get(name):
            return (
                f"{name} is {value!r}, and no file would be written: the summary belongs to the whole run "
                "and does not read variables of hosts and groups. Say it on the command line, "
                f"-e {name}={value}, or set the environment variable {name.upper()}."
            )
    return ""
