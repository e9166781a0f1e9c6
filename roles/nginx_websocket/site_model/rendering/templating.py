"""Render what the role writes, by its templates and Jinja2 alone.

Not by Ansible's lookup: a controller that serves many hosts compiles the templates once, and nothing in a
value can be taken for a template.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

TEMPLATES = Path(__file__).parents[2] / "templates"
SITE = "site.conf.j2"
UNIT = "backend.service.j2"


@lru_cache(maxsize=1)
def compile_templates() -> Dict[str, Template]:
    """Return the templates by name: all of them, also those that others include."""
    environment = Environment(  # nosec B701 # nginx's configuration, no HTML; `quoting` writes the values
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # nginx's configuration, not HTML: `quoting` quotes every text
    )
    return {name: environment.get_template(name) for name in environment.list_templates(["j2"])}


def render_site(model: Mapping[str, Any]) -> str:
    """Return a site's file, with the literal ``@RELEASE@`` where the release id belongs.

    Args:
        model: What `fit` made of the site.
    """
    return compile_templates()[SITE].render(site=model)


def render_unit(unit: Mapping[str, Any]) -> str:
    """Return the application's systemd unit, with the literal ``@RELEASE@`` where its release id belongs.

    Args:
        unit: What `check` made of nginx_websocket_backend_service.
    """
    return compile_templates()[UNIT].render(unit=unit)


def release_id(content: str) -> str:
    """Return the id that `nginx_deploy` gives to a candidate (docs/architecture.md, The release id)."""
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()[:32]
