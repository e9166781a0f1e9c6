"""Text for XML and for HTML pages, beside the room ``report`` that makes it fit for a terminal and JSON.

What is shown comes from hosts, which may be hostile, so nothing here trusts it to be harmless or even text.
"""

from __future__ import annotations

import re

from markupsafe import Markup

from module_utils.nginx_websocket.report.medium import json_text, link, terminal

__all__ = ["html", "json_text", "link", "terminal", "xml"]

#: What XML 1.0 cannot hold, even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(value: object) -> str:
    """Return text that XML can hold; ElementTree escapes the rest."""
    return _NOT_XML.sub("�", terminal(value, lines=True))


def html(value: object) -> object:
    """Return what a template is to show; Jinja2 escapes it, unless it is the template's own markup."""
    return value if isinstance(value, Markup) else terminal(value, lines=True)
