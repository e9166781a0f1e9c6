#!/usr/bin/env python3
"""Write docs/variables.md from the role's meta/argument_specs.yml: ``docs/generate_variables.py``.

A test fails while the page and the specification disagree.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Union

import yaml

ROOT = Path(__file__).resolve().parent.parent
SPECIFICATION = ROOT / "roles/nginx_websocket/meta/argument_specs.yml"
PAGE = ROOT / "docs/variables.md"

TOP = """\
# Variables of the role `nginx_websocket`

Written by `docs/generate_variables.py` from `roles/nginx_websocket/meta/argument_specs.yml`: change that
file, not this one. `ansible-doc -t role -r roles nginx_websocket` shows the same in a terminal.

An unknown key is an error, and so is a value that does not fit; the message names the variable, shows the
value and says what to write. Where a default is not a fixed value, the description tells it.
"""

#: Ansible's markup in descriptions, and what Markdown has for it.
MARKUP = [(re.compile(r"\b[CVO]\(([^()]*(?:\([^()]*\)[^()]*)*)\)"), r"`\1`")]


def text(description: Union[str, List[str]]) -> str:
    """Return a description as one paragraph of Markdown."""
    words = " ".join(description) if isinstance(description, list) else str(description)
    for pattern, replacement in MARKUP:
        words = pattern.sub(replacement, words)
    return words.replace("|", "\\|")


def kind(option: Dict[str, Any]) -> str:
    """Return the type of an option."""
    if option["type"] == "list":
        return f"list of {option['elements']}"
    return (
        " or ".join(f"`{choice}`" for choice in option["choices"]) if "choices" in option else option["type"]
    )


def default(option: Dict[str, Any]) -> str:
    """Return the default of an option, empty when it has none that is fixed."""
    if option.get("required"):
        return "required"
    value = option.get("default")
    if value is None or value in ({}, []):
        return ""
    written = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10000)
    return f"`{written.removesuffix('...' + chr(10)).strip()}`"


def rows(options: Dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a row for each option, those within it below it."""
    for name, option in options.items():
        place = f"{prefix}{name}"
        yield f"| `{place}` | {kind(option)} | {default(option)} | {text(option['description'])} |"
        if "options" in option:
            inner = f"{place}[]." if option["type"] == "list" else f"{place}."
            yield from rows(option["options"], inner)


def table(lines: List[str]) -> str:
    """Return rows with the head of the table."""
    return "\n".join(["| variable | type | default | meaning |", "|---|---|---|---|", *lines]) + "\n"


def document(specification: Path) -> str:
    """Return the page for a specification."""
    entry_points = yaml.safe_load(specification.read_text(encoding="utf-8"))["argument_specs"]
    options = {name: option for entry in entry_points.values() for name, option in entry["options"].items()}
    sites = options["nginx_websocket_sites"]
    others = {name: option for name, option in options.items() if name != "nginx_websocket_sites"}
    site_intro = f"{text(sites['description'])} Keys of each:\n"
    return "\n".join(
        [
            TOP,
            "## A site: `nginx_websocket_sites[]`\n",
            site_intro,
            table(list(rows(sites["options"]))),
            "## Everything else\n",
            table(list(rows(others))),
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(document(SPECIFICATION), encoding="utf-8")
