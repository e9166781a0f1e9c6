"""Cures where nginx answers by itself: a location without a pass, a rewrite, files that come first."""

from __future__ import annotations

from typing import Iterator

from ..behaviour.route import Route
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration
from .fault import Edits, Fault
from .places import goals, other_location


def rewritten_away(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The rewrite that leads to no location stays in its own; else a location for the path."""
    yield from rewrite_stays(configuration, route, fault)
    yield from _own_pass(configuration, route, fault)
    yield from other_location(configuration, route, fault)


def _own_pass(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The proxy_pass that is missing in a location which has header lines for the upgrade already."""
    location = route.location
    if location is None or location.directive is None:
        return
    lines = location.own(b"proxy_set_header")
    if location.own(b"proxy_pass") or not any(
        line.args[:1] and line.args[0].lower() == b"upgrade" for line in lines
    ):
        return
    known = goals(configuration, route, fault)
    if len(known) == 1:
        text = f"proxy_pass {known[0]};".encode("utf-8", "surrogateescape")
        yield [splice.insert_after(lines[-1], text)]


def rewrite_stays(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The rewrite that leaves the location with proxy_pass stays in it: break in place of last."""
    for step in route.steps:
        line = step.directive
        if step.kind != "rewrite" or line is None or line.parent is None or len(line.args) < 2:
            continue
        if line.parent.name == b"location" and any(line.parent.children(b"proxy_pass")):
            if line.args[2:3] == (b"last",):
                yield [splice.set_argument(line, 2, b"break")]
            elif len(line.args) == 2:
                text = splice.statement(line.name, [*line.args, b"break"])
                yield [Edit(line.source, line.start, line.end, text)]
    yield from no_try_files(configuration, route, fault)


def answered_by_nginx(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Without the try_files beside the proxy_pass; else, where nginx goes in a circle, with a location.

    A circle is what a fallback page comes to that is not there, and a rewrite that leads back to itself.
    """
    yield from no_try_files(configuration, route, fault)
    if route.answer.kind == "error" and any(step.kind == "try_files" for step in route.steps):
        yield from other_location(configuration, route, fault)
    elif route.answer.kind == "error":
        yield from rewrite_stays(configuration, route, fault)


def no_try_files(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Without the try_files beside a proxy_pass, which asks for a file before that gets its turn."""
    entered = [found.location for found in route.selections]
    meant = [level.directive for level in (fault.meant, route.location, *entered) if level is not None]
    named = [fault.directive.parent] if fault.directive is not None else []
    for block in [*named, *meant]:
        if block is not None and block.name == b"location" and any(block.children(b"proxy_pass")):
            yield [splice.delete(line) for line in block.children(b"try_files")]


def try_files_before(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Without the try_files, or with a location of its own."""
    yield from no_try_files(configuration, route, fault)
    yield from other_location(configuration, route, fault)
