"""Options that several modules have, as `AnsibleModule` takes them; doc_fragments/nginx.py documents them."""

from __future__ import annotations

from typing import Any, Dict

from ..transaction.site.model import STATE_DIR

Options = Dict[str, Dict[str, Any]]

#: Which nginx is meant, where several run.
MEANT: Options = {"binary": {"type": "path", "default": ""}, "conf_path": {"type": "path", "default": ""}}
#: Where sites belong.
PLACES: Options = {
    "site_dir": {"type": "path", "default": ""},
    "enabled_dir": {"type": "path", "default": ""},
}
#: Lock, journal and backups.
JOURNAL: Options = {
    "state_dir": {"type": "path", "default": STATE_DIR},
    "lock_timeout": {"type": "float", "default": 60.0},
    "keep": {"type": "int", "default": 10},
}
#: What each transaction with a reload has.
TRANSACTION: Options = {
    "proof_timeout": {"type": "float", "default": 15.0},
    "reason": {"type": "str", "default": ""},
}
ROUTE: Options = {
    "url": {"type": "str", "required": True},
    "backend": {"type": "str", "default": ""},
    "origin": {"type": "str", "default": ""},
    "subprotocols": {"type": "list", "elements": "str", "default": []},
    "server_name": {"type": "str", "default": ""},
}
#: A site, without its content.
SITE: Options = {
    "name": {"type": "str", "required": True},
    "server_names": {"type": "list", "elements": "str", "required": True},
    "path": {"type": "path", "default": ""},
    "routes": {"type": "list", "elements": "dict", "default": [], "options": ROUTE},
}
