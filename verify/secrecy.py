"""Paths that are secrets: what a route with ``secret_path`` is tried with is nobody's to read."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping

MASK = "***"


def masks(sites: Iterable[Mapping[str, Any]]) -> Dict[str, str]:
    """Return the secret paths of completed sites, and what to show in place of each."""
    found = {}
    for site in sites:
        for route in site.get("websockets") or []:
            path, tried = route.get("path") or "", route.get("probe_path") or ""
            # Without a path of the user's own, it is a made-up one.
            if route.get("secret_path") and tried and tried != f"{path}probe":
                found[tried] = (path if path and tried.startswith(path) else "/") + MASK
    return found


def masked(value: Any, words: Mapping[str, str]) -> Any:  # noqa: ANN401  whatever JSON can hold
    """Return data without the words."""
    if isinstance(value, str):
        for word, shown in words.items():
            value = value.replace(word, shown)
        return value
    if isinstance(value, dict):
        return {masked(key, words): masked(item, words) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items: List[Any] = [masked(item, words) for item in value]
        return items
    return value
