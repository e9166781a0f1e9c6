"""The files of the sites as this host has them: whose they are, and which releases they hold.

A part of the program that is sent to the host (asking.py): standard library alone, Python 3.8 and newer.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, Dict, List, Optional

RELEASE_LOCATION = re.compile(rb"/\.well-known/nginx-websocket/([0-9a-f]{32})\b")
# The first line of the role's template, templates/site.conf.j2.
HEADING = re.compile(rb"# (\S+), release [0-9a-f]{32}$")
#: Bytes that are read of a site's file.
SITE_BYTES = 16 * 2**20
DUMP_HEADER = re.compile(rb"^# configuration file (/.+):\n", re.MULTILINE)


def file_state(path: str) -> Dict[str, Any]:
    """Return type, owner and mode of a path and, for a symlink, of the file behind it."""
    state: Dict[str, Any] = {"path": path, "exists": os.path.lexists(path)}
    if not state["exists"]:
        return state
    if os.path.islink(path):
        state["link"] = os.readlink(path)
        state["real"] = os.path.realpath(path)
    try:
        status = os.stat(path)
    except OSError:
        state["dangling"] = True
        return state
    state["mode"] = format(status.st_mode & 0o7777, "04o")
    state["uid"] = status.st_uid
    state["directory"] = os.path.isdir(path)
    return state


def release_files(dump: bytes) -> List[Dict[str, Any]]:
    """Return the loaded files that hold release locations, each with its state and the releases it names.

    The dump is split at its header lines; a comment that only looks like one names no existing file. A
    release id is the digest of the content in which the id itself is written as @RELEASE@, so an edit shows.
    """
    headers = [m for m in DUMP_HEADER.finditer(dump) if os.path.isfile(m.group(1))]
    found = []
    for header, following in zip(headers, [*headers[1:], None]):
        body = dump[header.end() : following.start() if following else len(dump)]
        releases = sorted({m.group(1) for m in RELEASE_LOCATION.finditer(body)})
        if not releases:
            continue
        state = file_state(os.fsdecode(header.group(1)))
        state["releases"] = [release.decode() for release in releases]
        content = small_file(header.group(1))
        heading = HEADING.match(content.split(b"\n", 1)[0].rstrip())
        state["site"] = heading.group(1).decode("utf-8", "replace") if heading else ""
        template = content.replace(releases[0], b"@RELEASE@")
        state["edited"] = hashlib.sha256(template).hexdigest()[:32] != state["releases"][0]
        found.append(state)
    return found


def small_file(path: bytes) -> bytes:
    """Return what a file holds, at most SITE_BYTES: a header can be forged, and name what has no end.

    Whoever may write a file of the configuration may have nginx print a line that looks like a header.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        return stream.read(min(os.fstat(stream.fileno()).st_size, SITE_BYTES))


def file_of(ask: Dict[str, Any], files: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """Return the loaded file of the site that is asked about, whatever it is called.

    A file that was taken over keeps its name, so the release that is expected, the given path and the heading
    say more than the name does; of two files with the same heading the one that serves is meant.
    """
    found = []
    for number, state in enumerate(files):
        paths = {state["path"], state.get("real", state["path"])}
        names = {os.path.basename(path) for path in paths}
        signs = (
            bool(ask.get("release")) and ask["release"] in state["releases"],
            ask["file"] in paths,
            state["site"] == ask["site"],
            not ask["file"] and not state["site"] and bool(names & {ask["site"], ask["site"] + ".conf"}),
        )
        if any(signs):
            found.append((signs, -number, state))
    return max(found, key=lambda item: item[:2])[2] if found else None
