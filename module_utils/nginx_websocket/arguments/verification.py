"""What the verification asks the host about itself, put in the same round trip as the module's own work.

The program and the question come from the controller (verify/host_report). The program runs in a process of
its own, in which none of our modules is and can be imported: what the transaction believes has no part in its
answer. The process is a fork, because Python's own modules are loaded there already (docs/performance.md).
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import sys
import time
from typing import Any, Dict, Mapping, NoReturn, Optional

OPTION: Dict[str, Any] = {
    "type": "dict",
    "options": {
        "starter": {"type": "str", "required": True},
        "program": {"type": "dict", "required": True},
        "question": {"type": "dict", "required": True},
        "patience": {"type": "float", "default": 240.0},
    },
}
#: Bytes of an answer, most of which is nginx's compressed configuration.
MOST_BYTES = 4 * 2**20
_OURS = ("ansible", "ansible_collections", "module_utils")


def report(
    wish: Optional[Mapping[str, Any]],
    releases: Mapping[str, str],
    nginx: Optional[Mapping[str, str]] = None,
    ports: Optional[Mapping[str, Optional[int]]] = None,
) -> Optional[Dict[str, Any]]:
    """Put the verification's question, last of all.

    Args:
        wish: the module's argument ``verification``; None where nobody is going to verify.
        releases: release id that each site must serve. A site without one is asked for what its file says.
        nginx: which nginx is meant, where the question leaves that to the module.
        ports: where backends were found, by the name under which the question has them.

    Returns:
        The answer; None where there is none, so that the suite asks by itself.
    """
    if not wish:
        return None
    question = dict(wish["question"])
    if nginx is not None:
        question["nginx"] = dict(nginx)
    question["releases"] = [{**ask, "release": releases.get(ask["site"], "")} for ask in question["releases"]]
    found = ports or {}
    question["backends"] = [
        {**ask, "port": found.get(ask.get("found_as", "")) or ask["port"]} for ask in question["backends"]
    ]
    try:
        given = json.dumps({**wish["program"], "question": question})
        answer = json.loads(_asked(wish["starter"], given, wish["patience"]))
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _asked(starter: str, text: str, patience: float) -> bytes:
    """Return what the program prints; nothing of it where it prints too much or comes to no end.

    Raises:
        OSError: there can be no process.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _become(starter, text, writing)
    os.close(writing)
    said = b""
    ends = time.monotonic() + patience
    with open(reading, "rb", buffering=0) as stream:
        while select.select([stream], [], [], max(0.0, ends - time.monotonic()))[0]:
            piece = stream.read(65536)
            said += piece
            if not piece or len(said) > MOST_BYTES:
                break
        else:
            piece = b"late"
    if piece:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return b"" if status else said


def _become(starter: str, text: str, writing: int) -> NoReturn:
    """Run the program in this process, which is a fork, and end it."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        for name in [name for name in sys.modules if name.split(".")[0] in _OURS]:
            del sys.modules[name]
        installed = (sys.base_prefix + os.sep, sys.base_exec_prefix + os.sep)
        sys.path[:] = [path for path in sys.path if path.startswith(installed)]
        sys.meta_path[:] = [finder for finder in sys.meta_path if isinstance(finder, type)]
        sys.stdin, sys.stderr = io.StringIO(text), io.StringIO()
        with open(writing, "w", encoding="utf-8") as sys.stdout:
            exec(compile(starter, "starter", "exec"), {"__name__": "__main__"})  # nosec B102 # the controller's
        code = 0
    finally:
        os._exit(code)
