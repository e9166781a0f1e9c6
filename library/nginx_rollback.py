#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: back to an earlier release, or to what was there before."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nginx_rollback
short_description: Bring back an earlier state of the sites that nginx_deploy made live
description:
  - Goes back to the previous release, to any kept one, or to what was there before the first deployment, as
    one
    transaction with a snapshot of its own, validation, reload, proof and undo.
  - Works when the current tree is broken, and when nginx is stopped.
options:
  to:
    description: >-
      V(previous) brings back what was live before the present state, and asked again the state before that.
      V(original) brings back what was there before the first deployment. A number brings back what that
      backup holds (what was live before that transaction); V(previous) goes on from there. A release id
      brings back that release of its site and leaves other sites alone. A state that is not kept any more is
      refused; the message names it and what can be had.
    type: str
    default: previous
  list:
    description: Only list what is kept.
    type: bool
    default: false
  on_drift:
    description: >-
      What to do with a file of the user's that M(nginx_fix) mended and somebody edited since - V(fail) and
      show the edit, V(overwrite) it (this rollback's backup keeps it), or V(keep) the file as it is.
    type: str
    choices: [fail, overwrite, keep]
    default: fail
  allow_invalid:
    description: >-
      Restore files, too, that nginx does not take, such as those that M(nginx_fix) found broken. They are
      written and nginx is not reloaded; until somebody mends them it runs on with what it has, and does not
      start again.
    type: bool
    default: false
  start:
    description: Start nginx when it is stopped and the restored tree is valid.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says what would be restored, validates it, and touches nothing.
    support: full
  diff_mode:
    description: Before and after of every file and link.
    support: full
notes:
  - A number is the same state whenever it is asked for; V(previous) goes one step further back each time.
seealso:
  - module: nginx_deploy
extends_documentation_fragment:
  - nginx.meant
  - nginx.journal
  - nginx.transaction
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: See what is kept
  nginx_rollback:
    list: true
  register: kept

- name: Undo the last deployment
  nginx_rollback:

- name: Back to before the first deployment, and start nginx if it is down
  nginx_rollback:
    to: original
    start: true
"""

RETURN = r"""
backups:
  description: >-
    What is kept, newest first, each with C(number), C(kind), C(time), C(by), C(size), C(releases) (what that
    transaction made live), C(gives) (what going back to the number gives) and C(changed).
  returned: when O(list=true)
  type: list
  elements: dict
outcome:
  description: V(unchanged), V(applied) (the older state is live), V(refused) (nothing was touched),
    V(rolled back) (the host is as it was before this module), V(rollback failed) or V(reload failed), as
    M(nginx_deploy) has them.
  returned: when O(list=false)
  type: str
releases:
  description: Site name → release id that is live now; empty where a site is not ours any more.
  returned: when O(list=false)
  type: dict
previous:
  description: Site name → release id that was live before.
  returned: when O(list=false)
  type: dict
backup:
  description: Number of the backup that holds the state before this rollback.
  returned: when O(list=false)
  type: int
files:
  description: The paths restored.
  returned: when O(list=false)
  type: list
  elements: dict
findings:
  description: What a person should know, each with C(code), C(message) and C(fix).
  returned: when O(list=false)
  type: list
  elements: dict
sockets:
  description: >-
    Connections between nginx and its backends, which every open WebSocket has one of - C(before), C(after)
    and how many were C(lost) (idle connections that nginx may keep are not). Empty in check mode, and when
    nginx did not run.
  returned: when O(list=false)
  type: dict
  sample: {before: 41, after: 41, lost: 0}
remedy:
  description: Shell commands that put the host back by hand.
  returned: when O(list=false)
  type: list
  elements: str
"""

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_websocket.arguments import options
from ansible.module_utils.nginx_websocket.arguments.transactions import leave, meant_nginx, warn
from ansible.module_utils.nginx_websocket.transaction.rollback import kept, rollback
from ansible.module_utils.nginx_websocket.transaction.site.model import Refused


def main() -> None:
    """Parse, roll back, exit."""
    module = AnsibleModule(
        argument_spec={
            **options.MEANT,
            **options.JOURNAL,
            **options.TRANSACTION,
            "to": {"type": "str", "default": "previous"},
            "list": {"type": "bool", "default": False},
            "start": {"type": "bool", "default": False},
            "on_drift": {"type": "str", "choices": ["fail", "overwrite", "keep"], "default": "fail"},
            "allow_invalid": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    if given["list"]:
        try:
            module.exit_json(changed=False, backups=kept(state_dir=given["state_dir"]))
        except Refused as refusal:
            module.fail_json(msg=str(refusal))
    nginx = meant_nginx(module)
    outcome = rollback(
        given["to"],
        nginx=nginx,
        state_dir=given["state_dir"],
        check=module.check_mode,
        start=given["start"],
        keep=given["keep"],
        deadline=given["proof_timeout"],
        lock_timeout=given["lock_timeout"],
        reason=given["reason"],
        on_drift=given["on_drift"],
        allow_invalid=given["allow_invalid"],
    )
    warn(module, outcome)
    leave(module, outcome, outcome.as_dict(diff=module._diff))


if __name__ == "__main__":
    main()
