"""What nginx itself says of a tree that is not live yet.

The answer comes from ``nginx -T``: the test, and the proof in its dump that nginx read our files.
"""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Iterable, List, Mapping, Optional, Sequence, Tuple

from ...conf.load import load
from ...conf.regular import NeverEnds
from ...conf.tree import Configuration, ConfSyntaxError
from ...host.executed import is_private, without_words
from ..site.instance import Instance
from ..site.model import ABSENT, Change, ConfError, Entry, Refused, Validation
from .evidence import masked_line
from .files import Filesystem
from .namespace import Finished, NamespaceRefused, Quiet, run_quietly, run_staged
from .overlay import Overlay, canonical
from .rewriting import rewritten_tree

IN_NAMESPACE = "mount namespace"
REWRITTEN = "rewritten includes"

_STDERR = re.compile(r"^nginx: \[(\w+)\] (.*)$")
_LOGGED = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(\w+)\] \d+#\d+: (.*)$")
_PLACE = re.compile(r"^(.*?),? in (/\S.*):(\d+)$", re.DOTALL)
_QUOTED_PATH = re.compile(r'"(?:file:|data:|engine:)?(/[^"]+)"')
_CONTEXT = 3
_LOG_DIRECTIVES = (b"error_log", b"access_log")
_PATH_DIRECTIVES = tuple(
    b"client_body_temp_path proxy_temp_path fastcgi_temp_path uwsgi_temp_path scgi_temp_path "
    b"proxy_cache_path fastcgi_cache_path uwsgi_cache_path scgi_cache_path".split()
)


def validate(changes: Sequence[Change], nginx: Instance) -> Validation:
    """Test the tree with the changes in it; the live tree is not touched.

    Args:
        changes: what differs from the disk; none to test the live tree.
        nginx: which binary, with which arguments.

    Returns:
        The verdict, its messages with the real paths, and the dump. Where nginx would wait for ever, it is
        not asked.
    """
    overlay = Overlay(changes)
    try:
        configuration = _read(overlay, nginx)
    except (ConfSyntaxError, OSError) as error:
        if isinstance(error, ConfSyntaxError) and isinstance(error.__cause__, NeverEnds):
            return Validation(valid=False, errors=[ConfError(error.message, error.file, error.line)])
        configuration = None
    quiet = _quiet(configuration, nginx)
    try:
        done = run_staged(nginx.test_command(), overlay.by_directory(), quiet)
        method, strip = IN_NAMESPACE, ""
    except NamespaceRefused:
        method = REWRITTEN
        with rewritten_tree(overlay, nginx) as (strip, main):
            done = run_quietly(nginx.test_command(main=main, error_log=os.devnull), quiet, 120.0)
    messages = [
        one if not one.file or not is_private(one.file, nginx.conf_path) else _discreet(one)
        for one in _messages(done, strip, overlay, configuration)
    ]
    result = Validation(
        valid=done.code == 0,
        errors=[message for message in messages if message.level not in ("warn", "notice", "info", "debug")],
        warnings=[message for message in messages if message.level == "warn"],
        dump=done.output,
        method=method,
        staged=strip,
    )
    if done.code != 0 and not result.errors:
        tail = done.errors.decode("utf-8", "replace").strip()[-500:]
        result.errors.append(ConfError(f"nginx -T ended with {done.code}: {tail or 'no message'}"))
    return result


def parsed(overlay: Overlay, nginx: Instance) -> Optional[Configuration]:
    """The overlaid tree as nginx would read it; None when it cannot be read (nginx will say why)."""
    try:
        return _read(overlay, nginx)
    except (ConfSyntaxError, OSError):
        return None


def _read(overlay: Overlay, nginx: Instance) -> Configuration:
    return load(nginx.conf_path, prefix=nginx.prefix, read=overlay.read, glob=overlay.glob)


def was_read(verdict: Validation, path: str, content: bytes) -> bool:
    """Whether nginx read this content under this path, by its own dump.

    Args:
        verdict: of a tree that is valid.
        path: as nginx names the file (the link in sites-enabled, not its target).
        content: what the file holds.
    """
    head = b"# configuration file " + os.fsencode(verdict.staged + path) + b":\n"
    if verdict.staged:  # the copy's includes differ from the content
        return head in verdict.dump
    return head + content in verdict.dump


def candidate_changes(wanted: Mapping[str, Optional[bytes]]) -> List[Change]:
    """Changes for files that would be written, or taken away where the content is None."""
    changes = []
    files = Filesystem()
    for path, content in wanted.items():
        if not os.path.isdir(os.path.dirname(path)) or not path.startswith("/"):
            raise Refused(f"{path}: give an absolute path in a directory that exists")
        current = files.entry(canonical(path))
        if current.kind == "other":
            raise Refused(f"{path} is a directory or a device, not a file")
        after = ABSENT if content is None else Entry("file", content=content)
        changes.append(Change(canonical(path), current, after))
    return changes


def _quiet(configuration: Optional[Configuration], nginx: Instance) -> Quiet:
    """What this test would write on the host (ngx_init_cycle: pid file, paths, logs)."""
    named = {nginx.pid_path, nginx.error_log} - {""}
    for directive in configuration.walk() if configuration else ():
        if directive.name in _LOG_DIRECTIVES + _PATH_DIRECTIVES + (b"pid",) and directive.args:
            value = os.fsdecode(directive.args[0])
            if not value.startswith(("syslog:", "memory:", "stderr", "off", "|")) and "$" not in value:
                named.add(os.path.join(nginx.prefix or "/", value))
    logs = [path for path in {nginx.error_log} - {""} if os.path.isfile(path)]
    return Quiet(existing_logs=logs, missing=[path for path in named if not os.path.lexists(path)])


def _messages(
    done: Finished, strip: str, overlay: Overlay, configuration: Optional[Configuration]
) -> Iterable[ConfError]:
    seen = set()
    for line in done.errors.decode("utf-8", "replace").splitlines():
        found = _STDERR.match(line) or _LOGGED.match(line)
        if not found:
            continue
        level, text = found.group(1), found.group(2)
        if strip:
            text = text.replace(strip, "")
        if (level, text) in seen:
            continue
        seen.add((level, text))
        file, number = "", 0
        place = _PLACE.match(text)
        if place:
            text, file, number = place.group(1), place.group(2), int(place.group(3))
        elif configuration is not None:
            file, number = _named_in(text, configuration)
        yield ConfError(text, file, number, level, _context(file, number, overlay))


def _discreet(error: ConfError) -> ConfError:
    return dataclasses.replace(error, message=without_words(error.message), context=())


def _named_in(message: str, configuration: Configuration) -> Tuple[str, int]:
    """Where a path that a message speaks of stands; nginx gives no line for a missing certificate."""
    for path in _QUOTED_PATH.findall(message):
        for directive in configuration.walk():
            if os.fsencode(path) in directive.args:
                return directive.file, directive.line
    return "", 0


def _context(file: str, number: int, overlay: Overlay) -> Tuple[str, ...]:
    if not number:
        return ()
    try:
        lines = overlay.read(file).decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    first = max(1, number - _CONTEXT)
    shown: List[str] = []
    for index in range(first, min(len(lines), number + _CONTEXT) + 1):
        mark = ">" if index == number else " "
        shown.append(f"{mark} {index:4d}  {masked_line(lines[index - 1])}")
    return tuple(shown)
