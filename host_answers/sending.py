"""Our own modules as they are sent to a host: a zip file by standard input, and nothing of Ansible's.

Ansible packs its own code around each module, and every host compiles that anew: more than half of what a
ping costs there. The zip file is made before Ansible forks a process for each host, so it is made once.
"""

from __future__ import annotations

import functools
import io
import json
import shlex
import zipfile
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Tuple

HERE = Path(__file__).resolve().parents[1]
PACKAGE = HERE / "module_utils" / "nginx_websocket"
#: Where a checkout has modules, and where a collection has them.
LIBRARIES = (HERE / "library", HERE / "modules")
#: What the role's modules never import, and what the others do not.
LEFT_OUT = ("backend_service", "command", "diagnosis", "edit", "fix", "report")
LEFT_OUT_OF_OTHERS = ("backend_service", "command")
#: What a run of the role asks, and what a person does.
ROLE = ("nginx_facts", "nginx_deploy", "nginx_confirm")
MODULES = (*ROLE, "nginx_diagnose", "nginx_fix")
#: Under -I, so that no module of the working directory is loaded.
STARTER = "import sys; given = sys.stdin.buffer; exec(given.read(int(given.readline())))"


def command(interpreter: str) -> str:
    """Return the shell command that reads `payload`."""
    return shlex.join([interpreter, "-I", "-c", STARTER])


def payload(module: str, params: Mapping[str, Any], *, check_mode: bool, diff: bool) -> bytes:
    """Return what a host is sent.

    Args:
        module: One of `MODULES`.
        params: Its arguments.
        check_mode: Whether nothing may be changed.
        diff: Whether differences are wanted.
    """
    header = json.dumps({"module": module, "params": params, "check_mode": check_mode, "diff": diff}).encode()
    return b"".join([*_counted(_text("importing/run.py")), *_counted(header), archive(module)])


def prepare(*modules: str) -> None:
    """Make the zip files now, for all that is forked from this process."""
    for module in modules:
        archive(module)


def file_of(module: str) -> Path:
    """Return the file of a module."""
    return next(path for path in (one / f"{module}.py" for one in LIBRARIES) if path.is_file())


def archive(module: str) -> bytes:
    """Return the zip file of a module, with all that it may import; the role's modules share one."""
    return _zipped(ROLE, LEFT_OUT) if module in ROLE else _zipped((module,), LEFT_OUT_OF_OTHERS)


@functools.lru_cache(maxsize=None)
def _zipped(modules: Tuple[str, ...], left_out: Tuple[str, ...]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as out:
        for module in modules:
            out.writestr(f"{module}.py", file_of(module).read_bytes())
        out.writestr("ansible/__init__.py", b"")
        out.writestr("ansible/module_utils/__init__.py", b"")
        out.writestr("ansible/module_utils/basic.py", _text("arguments/standalone.py"))
        # In a collection the modules name the package by the collection's name.
        place, parents = _named(file_of(modules[0]).read_bytes())
        for parent in parents:
            out.writestr(f"{parent}/__init__.py", b"")
        for name, text in _sources(left_out):
            out.writestr(f"{place}/{name}", text)
    return data.getvalue()


def _named(source: bytes) -> Tuple[str, List[str]]:
    """Return where a module looks for our package, and the packages above it that are not there yet."""
    imports = (line for line in source.splitlines() if line.startswith(b"import "))
    line = next(line for line in imports if b".importing." in line)
    place = line.split()[1].decode().partition(".importing.")[0].replace(".", "/")
    parents = place.split("/")[:-1]
    every = ["/".join(parents[:depth]) for depth in range(1, len(parents) + 1)]
    return place, [parent for parent in every if not parent.startswith("ansible/") and parent != "ansible"]


def _sources(left_out: Tuple[str, ...]) -> Iterator[Tuple[str, bytes]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE)
        if name.parts[0] not in left_out:
            yield name.as_posix(), path.read_bytes()


def _counted(data: bytes) -> Tuple[bytes, bytes]:
    return b"%d\n" % len(data), data


def _text(name: str) -> bytes:
    return (PACKAGE / name).read_bytes()
