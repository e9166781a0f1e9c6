"""What a backup says: the state that it holds, what changed it, and which state was live before."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Mapping, Optional, Sequence

from ..site.model import Change, Entry
from ..site.release import claimed, pristine


@dataclasses.dataclass(frozen=True)
class Earlier:
    """The state that was live before another one: what backup ``number`` holds, or held."""

    number: int = 0
    """0: nothing was before, it is the state before our first deployment."""
    time: str = ""
    """Until when it was live."""
    releases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Site name → release, of the sites that were deployed then."""

    def sites(self) -> str:
        """The releases, for a message."""
        held = [f"{name} {release[:8]}" for name, release in self.releases.items() if release]
        return ", ".join(held) or "no site of ours"

    def describe(self) -> str:
        """For a message: ``backup 4 (a 1c4b44e3, live until 2025-01-31T12:05:00Z)``."""
        return f"backup {self.number} ({self.sites()}, live until {self.time})"


@dataclasses.dataclass(frozen=True)
class Backup:
    """One backup, as its manifest tells it."""

    number: int
    kind: str
    """``deploy``, ``rollback`` or ``fix``."""
    time: str
    """When, in UTC."""
    by: str
    """Who."""
    changes: Sequence[Change]
    """In the order in which they are applied; contents are read when they are needed (``Backups.load``)."""
    sites_before: Mapping[str, Mapping[str, str]]
    """Before the transaction: site name → path and release of the file that we last wrote for it."""
    sites: Mapping[str, Mapping[str, str]]
    """The same after the transaction."""
    restores: int = 0
    """Of a rollback: the number of the backup whose whole state it brought back; 0 for one that never was."""
    size: int = 0
    earlier_before: Optional[Earlier] = None
    """What was live before the state that this backup holds; None in backups that do not say."""
    earlier: Optional[Earlier] = None
    """What was live before the state that the transaction made: where ``previous`` leads then."""
    gone: Sequence[Earlier] = ()
    """Backups that retention removed between this one and the next."""

    @property
    def held(self) -> Earlier:
        """The state that this backup holds, in short."""
        releases = {name: site.get("release", "") for name, site in self.sites_before.items()}
        return Earlier(self.number, self.time, releases)

    def summary(self) -> Dict[str, Any]:
        """What a list of backups shows."""
        return {
            "number": self.number,
            "kind": self.kind,
            "time": self.time,
            "by": self.by,
            "size": self.size,
            "restores": self.restores or None,
            "releases": {name: site.get("release", "") for name, site in self.sites.items()},
            "gives": {
                name: self.sites_before.get(name, {}).get("release", "")
                for name in sorted({*self.sites, *self.sites_before})
            },
            "changed": [
                {
                    "path": change.path,
                    "site": change.site,
                    "before": _word(change.before),
                    "after": _word(change.after),
                }
                for change in self.changes
            ],
        }


def _word(entry: Entry) -> str:
    if entry.kind == "file":
        release = claimed(entry.content)
        return (
            "release {}{}".format(release, "" if pristine(entry.content) else ", edited by hand")
            if release
            else "a file that was not ours"
        )
    return f"link to {entry.target}" if entry.kind == "link" else entry.kind
