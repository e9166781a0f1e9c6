"""The finder that modules install on hosts: from a real zip file, in a Python of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest

ONCE = Path(__file__).resolve().parents[2] / "module_utils" / "nginx_websocket" / "importing" / "once.py"
FILES = {
    "ansible/__init__.py": "",
    "ansible/module_utils/__init__.py": "",
    "ansible/module_utils/nginx_websocket/__init__.py": "",
    "ansible/module_utils/nginx_websocket/importing/__init__.py": "",
    "ansible/module_utils/nginx_websocket/importing/once.py": ONCE.read_text(encoding="utf-8"),
    "ansible/module_utils/a/__init__.py": "from . import b\n",
    "ansible/module_utils/a/b.py": "import json\n\n\ndef fail():\n    raise ValueError('here')\n",
}
PROGRAM = """\
import importlib, inspect, json, pkgutil, sys, traceback
sys.path.insert(0, sys.argv[1])
if sys.argv[2]:
    importlib.import_module("ansible.module_utils.nginx_websocket.importing.once")
compiled = []
sys.addaudithook(lambda event, args: compiled.append(str(args[1])) if event == "compile" else None)
import ansible.module_utils.a as a
spec = importlib.util.find_spec("ansible.module_utils.a.b")
count = {part: sum(name.endswith("a/" + part) for name in compiled) for part in ("__init__.py", "b.py")}
try:
    a.b.fail()
except ValueError:
    text = traceback.format_exc()
try:
    importlib.import_module("ansible.module_utils.a.missing")
    missing = ""
except ImportError as error:
    missing = str(error)
print(json.dumps({
    "count": count,
    "text": text,
    "missing": missing,
    "file": a.b.__file__,
    "package": [a.__package__, a.b.__package__],
    "modules": [module.name for module in pkgutil.iter_modules(a.__path__)],
    "source": inspect.getsource(a.b.fail),
    "get_source": spec.loader.get_source(spec.name),
}))
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, text in FILES.items():
            stream.writestr(name, text)
    return path


def imported(archive: Path, once: bool) -> Dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(archive), "once" if once else ""],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: Dict[str, Any] = json.loads(done.stdout)
    return told


def test_each_piece_is_compiled_once(archive: Path) -> None:
    assert imported(archive, once=True)["count"] == {"__init__.py": 1, "b.py": 1}


def test_nothing_else_differs(archive: Path) -> None:
    """Names, paths, tracebacks with their source line, what a package holds: as zipimport has it."""
    with_it, without = imported(archive, once=True), imported(archive, once=False)
    del with_it["count"], without["count"]
    assert with_it == without
    assert "raise ValueError('here')" in with_it["text"]
    assert with_it["file"] == f"{archive}/ansible/module_utils/a/b.py"
