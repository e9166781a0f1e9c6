"""Builds ``nginx-websocket.pyz``: the engine of module_utils as one file that any Python from 3.8 on runs.

The same checkout gives the same bytes: names are sorted, and every entry bears one date.

    python3 -m release.pyz [DESTINATION]
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
NAME = "nginx-websocket.pyz"
_DATE = (2020, 1, 1, 0, 0, 0)
_MAIN = """import sys

sys.dont_write_bytecode = True
import module_utils.nginx_websocket.importing.once
from module_utils.nginx_websocket.command.main import main

sys.exit(main())
"""
_SHEBANG = b"#!/usr/bin/env python3\n"


def archive() -> bytes:
    """Return the file, as zipapp lays it out (PEP 441)."""
    held = io.BytesIO()
    held.write(_SHEBANG)
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        _put(target, "__main__.py", _MAIN.encode())
        root = CHECKOUT / "module_utils"
        for path in sorted(root.rglob("*.py")):
            _put(target, f"module_utils/{path.relative_to(root).as_posix()}", path.read_bytes())
        style = CHECKOUT / "rollout" / "templates" / "page.css"
        _put(target, "module_utils/nginx_websocket/command/page.css", style.read_bytes())
    return held.getvalue()


def _put(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    target.writestr(entry, content)


def main() -> None:
    """Write the file, executable."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else CHECKOUT / NAME)
    target.write_bytes(archive())
    target.chmod(0o755)
    print(f"{target.name}: {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
