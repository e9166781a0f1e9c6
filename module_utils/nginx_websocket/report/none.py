"""A diagnosis without a request that was followed: no route, no findings, only words."""

from __future__ import annotations

from typing import Any, Dict, Sequence


def no_request(verdict: str, sentence: str, notes: Sequence[str]) -> Dict[str, Any]:
    """The data of a diagnosis where no URL was looked at, in the shape of docs/diagnosis.md.

    Args:
        verdict: "works", "fails" or "cannot tell".
        sentence: what is to be said.
        notes: what else is worth knowing.
    """
    return {
        "url": "",
        "verdict": verdict,
        "sentence": sentence,
        "findings": [],
        "route": None,
        "way": [],
        "excerpts": [],
        "probes": [],
        "nginx": {},
        "notes": list(notes),
    }
