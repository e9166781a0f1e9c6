#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: mend the user's own nginx files so that a WebSocket opens."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nginx_fix
short_description: Mend the nginx file that keeps a WebSocket from opening, in place
description:
  - Diagnoses the URL, chooses the edits with the fewest bytes that open it, judges them on a copy, and makes
    them live as one transaction - lock, journal, backup, rename, one reload, a real handshake, else undo.
  - A second run finds nothing to do. M(nginx_rollback) brings back every byte.
  - Never takes a guard away and never opens a path that was closed. Where a fault is none of nginx's files it
    says which, with the command that helps, and fails without a change.
  - The file stays the user's. A site that the role wrote is not patched; the message names the variables.
options:
  url:
    description: >-
      The WebSocket that does not open, such as V(wss://example.org/ws/room). Without it every WebSocket route
      of the host that fails is mended, in one transaction.
    type: str
  origin:
    description: Origin that the page sends. Default is the site's own.
    type: str
  headers:
    description: What else the page's handshake has, such as a cookie. Masked wherever it is shown.
    type: dict
    default: {}
  subprotocols:
    description: Subprotocols that the page asks for.
    type: list
    elements: str
    default: []
  address:
    description: Address to connect to in place of what the name resolves to.
    type: str
  cafile:
    description: File on the host with authorities to trust in place of the system's.
    type: path
  timeout:
    description: Seconds for each handshake of the diagnosis.
    type: float
    default: 5.0
  managed:
    description: Edit files, too, that another tool owns and may write again.
    type: bool
    default: false
  add_names:
    description: Let a server answer for the URL's name, where none has that name.
    type: bool
    default: false
  confirm_window:
    description: >-
      Seconds within which M(nginx_confirm) must follow, or the host goes back by itself; 0 when nobody is
      going to confirm.
    type: float
    default: 0
attributes:
  check_mode:
    description: Diagnoses, chooses, judges and validates, says what would be edited, and touches nothing.
    support: full
  diff_mode:
    description: Before and after of every file.
    support: full
seealso:
  - module: nginx_diagnose
  - module: nginx_rollback
extends_documentation_fragment:
  - nginx.meant
  - nginx.journal
  - nginx.transaction
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Open the chat's socket
  nginx_fix:
    url: wss://chat.example.org/ws/

- name: Mend whatever fails on this host
  nginx_fix:
"""

RETURN = r"""
outcome:
  description: V(unchanged) (nothing to do), V(applied) (mended and proven), V(refused) (nothing was touched),
    V(rolled back) (the socket did not open, and the host is as it was), V(rollback failed) or
    V(reload failed), as M(nginx_deploy) has them.
  returned: always
  type: str
urls:
  description: The WebSockets that were mended, secrets masked.
  returned: always
  type: list
  elements: str
causes:
  description: Codes of docs/findings.md, as they were cured.
  returned: always
  type: list
  elements: str
edits:
  description: Every place that was edited - C(file), C(line), the lines C(before) and C(after).
  returned: always
  type: list
  elements: dict
commands:
  description: What helps, where the fault is none of nginx's files.
  returned: always
  type: list
  elements: str
backup:
  description: Number of the backup that holds the state before.
  returned: always
  type: int
confirm_by:
  description: Until when the fix must be confirmed; empty when it need not be.
  returned: always
  type: str
findings:
  description: What a person should know, each with C(code), C(message) and C(fix).
  returned: always
  type: list
  elements: dict
remedy:
  description: Shell commands that put the host back by hand.
  returned: always
  type: list
  elements: str
"""

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.nginx_websocket.arguments import options
from ansible.module_utils.nginx_websocket.arguments.discreet import DiscreetModule, header_pairs
from ansible.module_utils.nginx_websocket.arguments.transactions import leave, meant_nginx
from ansible.module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from ansible.module_utils.nginx_websocket.exchange.masking import masked_url
from ansible.module_utils.nginx_websocket.fix.fix import fix
from ansible.module_utils.nginx_websocket.fix.model import Wish


def main() -> None:
    """Parse, mend, exit."""
    module = DiscreetModule(
        argument_spec={
            **options.MEANT,
            **options.JOURNAL,
            **options.TRANSACTION,
            "url": {"type": "str"},
            "origin": {"type": "str"},
            "headers": {"type": "dict", "default": {}},
            "subprotocols": {"type": "list", "elements": "str", "default": []},
            "address": {"type": "str"},
            "cafile": {"type": "path"},
            "timeout": {"type": "float", "default": 5.0},
            "managed": {"type": "bool", "default": False},
            "add_names": {"type": "bool", "default": False},
            "confirm_window": {"type": "float", "default": 0.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    question = None
    if given["url"]:
        question = Question(
            url=given["url"],
            origin=given["origin"],
            headers=header_pairs(given["headers"]),
            subprotocols=given["subprotocols"],
            cafile=given["cafile"],
            timeout=given["timeout"],
            address=given["address"] or "",
        )
        try:
            question.endpoint  # noqa: B018  the URL is judged before anything is asked
        except ValueError as error:
            module.fail_json(msg=f"url {masked_url(given['url'])}: {error}", outcome="refused", changed=False)
    nginx = meant_nginx(module)
    outcome = fix(
        question,
        nginx=nginx,
        state_dir=given["state_dir"],
        check=module.check_mode,
        wish=Wish(managed=given["managed"], add_names=given["add_names"]),
        keep=given["keep"],
        deadline=given["proof_timeout"],
        lock_timeout=given["lock_timeout"],
        confirm_window=given["confirm_window"],
        reason=given["reason"],
    )
    leave(module, outcome, outcome.as_dict(diff=module._diff))


if __name__ == "__main__":
    main()
