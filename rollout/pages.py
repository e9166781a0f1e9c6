"""HTML pages: one file each, which needs nothing from the network and may do nothing but show itself."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import medium

TEMPLATES = Path(__file__).with_name("templates")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=medium.html,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["link"] = medium.link
    return made


def render(template: str, **values: object) -> str:
    """Return a page.

    Args:
        template: Name of a file in ``templates/``, which extends ``page.html.j2``.
        values: What the template shows. Every value is escaped.
    """
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = _environment().get_template(template)
    ours = Markup(style)  # nosec B704 # a file of this repository
    return page.render(style=ours, style_digest=digest, **values) + "\n"
