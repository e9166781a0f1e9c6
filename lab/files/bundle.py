"""The page, as a front-end build leaves it: `index.html` and assets whose names hold their digests."""

from __future__ import annotations

import hashlib
from typing import Dict

from ..state import LAB

SOURCE = LAB / "page"


def bundle() -> Dict[str, bytes]:
    """Return the built page: path below the document root → content.

    Each asset is renamed to `NAME-DIGEST.EXT` and `index.html` refers to the new names, so that assets may be
    cached for ever and a changed one is a new file.
    """
    index = (SOURCE / "index.html").read_text()
    files: Dict[str, bytes] = {}
    for path in sorted((SOURCE / "assets").iterdir()):
        content = path.read_bytes()
        name = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:8]}{path.suffix}"
        files[f"assets/{name}"] = content
        index = index.replace(f"/assets/{path.name}", f"/assets/{name}")
    files["index.html"] = index.encode()
    return files
