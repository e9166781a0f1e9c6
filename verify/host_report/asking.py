"""How the program of this folder is run on a host: its text and the question come by standard input.

Paths of WebSockets hold tokens. Everybody on a host may read a command's arguments; sudo's log keeps them.
"""

from __future__ import annotations

import functools
import json
import shlex
from pathlib import Path
from typing import Any, Dict, List, Mapping

HERE = Path(__file__).parent
#: The program's parts in the order in which they import each other; the last one answers.
PARTS = ("rights", "files", "processes", "exchanges", "on_host")
STARTER = (
    "import json, sys; given = json.load(sys.stdin); names = {}; "
    "exec(compile(given['start'], 'start.py', 'exec'), names); names['start'](given)"
)
#: Seconds for a report, beside what its questions may take: on_host.py gives each command of nginx a minute.
PATIENCE = 240.0


def command(interpreter: str) -> List[str]:
    """Return the command that makes the host report about itself; it must run as root and reads `asking`."""
    # -I: not a module of whoever may write the directory that the login begins in.
    return [*shlex.split(interpreter), "-I", "-c", STARTER]


def asking(asked: Dict[str, Any]) -> str:
    """Return what the command reads: the program, and the question that `verify.targets.question` returns."""
    return json.dumps({**program(), "question": asked})


@functools.lru_cache(maxsize=None)
def program() -> Dict[str, Any]:
    """Return the program as text: what begins it, and its parts with their names."""
    names = {part: f"verify.host_report.{part}" for part in PARTS}
    return {"start": _text("start"), "parts": [[name, _text(part)] for part, name in names.items()]}


def patience(asked: Mapping[str, Any]) -> float:
    """Return how many seconds the answer to a question may take."""
    number = sum(len(asked[kind]) for kind in ("releases", "backends"))
    return PATIENCE + float(asked["timeout"]) * number


def _text(name: str) -> str:
    return (HERE / f"{name}.py").read_text(encoding="utf-8")
