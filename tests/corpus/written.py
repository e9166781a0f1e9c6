"""The corpus as JSON, for real nginx: ``python -m tests.corpus.written > SITES.json``."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict

from tests.corpus.further_sites import FURTHER
from tests.corpus.more_sites import MORE
from tests.corpus.sites import NAME, SITES, Live, servers
from tests.corpus.switched_sites import SWITCHED
from tests.unit.role.rendering import rendered


def written(site: Live) -> Dict[str, Any]:
    """One site: what stands live, what would take its place, its files and its requests."""
    staged = rendered({"name": NAME, **site.variables})[0].replace("@RELEASE@", "abc")
    return {
        "title": site.title, "name": NAME, "live": servers(site), "staged": staged,
        "files": sorted(site.files), "asked": list(site.asked),
    }  # fmt: skip


if __name__ == "__main__":
    json.dump([written(site) for site in (*SITES, *MORE, *FURTHER, *SWITCHED)], sys.stdout, indent=1)
