"""The manifest of a backup: what it says as JSON, and back."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..site.model import Change, Entry
from .states import Backup, Earlier

_VERSION = 1


def written(backup: Backup, entries: List[Dict[str, Any]]) -> bytes:
    """The bytes of a manifest.

    Args:
        backup: what it is about.
        entries: for each change its path, site and what stood there ``before`` and ``after`` (``described``).
    """
    said = {
        "version": _VERSION,
        "kind": backup.kind,
        "time": backup.time,
        "by": backup.by,
        "restores": backup.restores,
        "sites_before": _plain(backup.sites_before),
        "sites": _plain(backup.sites),
        "earlier_before": _words(backup.earlier_before),
        "earlier": _words(backup.earlier),
        "gone": [_words(one) for one in backup.gone],
        "entries": entries,
    }
    return json.dumps(said, indent=1).encode() + b"\n"


def backup_of(number: int, manifest: Mapping[str, Any], changes: Sequence[Change], size: int) -> Backup:
    """A backup as its manifest tells it.

    Args:
        number: of the backup.
        manifest: its JSON.
        changes: with the contents of the files, which the manifest only names.
        size: bytes of those that stood there before.

    Raises:
        KeyError, TypeError: it is no manifest.
    """
    return Backup(
        number,
        manifest["kind"],
        manifest["time"],
        manifest["by"],
        changes,
        manifest["sites_before"],
        manifest["sites"],
        int(manifest["restores"]),
        size,
        _earlier(manifest.get("earlier_before")),
        _earlier(manifest.get("earlier", {"number": number} if manifest["kind"] == "deploy" else None)),
        tuple(one for one in map(_earlier, manifest.get("gone", ())) if one is not None),
    )


def described(entry: Entry, file: str) -> Dict[str, Any]:
    """What stands at a path, as a manifest says it; its content is in ``file``."""
    if entry.kind == "file":
        return {
            "kind": "file",
            "file": file,
            "sha256": hashlib.sha256(entry.content).hexdigest(),
            "size": len(entry.content),
            "mode": entry.mode,
            "uid": entry.uid,
            "gid": entry.gid,
            "xattrs": [[name, base64.b64encode(value).decode()] for name, value in entry.xattrs],
        }
    if entry.kind == "link":
        return {"kind": "link", "target": entry.target, "uid": entry.uid, "gid": entry.gid}
    return {"kind": "absent"}


def _plain(sites: Mapping[str, Mapping[str, str]]) -> Dict[str, Dict[str, str]]:
    return {name: dict(site) for name, site in sites.items()}


def _words(earlier: Optional[Earlier]) -> Optional[Dict[str, Any]]:
    return None if earlier is None else dataclasses.asdict(earlier)


def _earlier(data: Optional[Mapping[str, Any]]) -> Optional[Earlier]:
    if data is None:
        return None
    return Earlier(int(data["number"]), str(data.get("time", "")), dict(data.get("releases", {})))
