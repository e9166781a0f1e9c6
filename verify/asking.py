"""How on_host.py and rights.py are run on a host: program and question come by standard input.

Paths of WebSockets hold tokens. Everybody on a host may read a command's arguments; sudo's log keeps them.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, Dict, List

SOURCE = Path(__file__).with_name("on_host.py")
RIGHTS = Path(__file__).with_name("rights.py")
STARTER = (
    "import json, sys, types; given = json.load(sys.stdin); sys.argv[1:] = [given['question']]; "
    "rights = sys.modules['verify.rights'] = types.ModuleType('verify.rights'); "
    "sys.modules['verify'] = types.ModuleType('verify'); "
    "exec(compile(given['rights'], 'rights.py', 'exec'), vars(rights)); "
    "exec(compile(given['source'], 'on_host.py', 'exec'), {'__name__': '__main__'})"
)


def command(interpreter: str) -> List[str]:
    """Return the command that makes the host report about itself; it must run as root and reads `asking`."""
    # -I: not a module of whoever may write the directory that the login begins in.
    return [*shlex.split(interpreter), "-I", "-c", STARTER]


def asking(asked: Dict[str, Any]) -> str:
    """Return what the command reads: the program, and the question that `verify.targets.question` returns."""
    source, rights = (path.read_text(encoding="utf-8") for path in (SOURCE, RIGHTS))
    return json.dumps({"source": source, "rights": rights, "question": json.dumps(asked)})
