#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: say that a release is good, so that the host keeps it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nginx_confirm
short_description: Confirm a release that nginx_deploy made live for a limited time
description:
  - Ends the window that M(nginx_deploy) opened with O(nginx_deploy#module:confirm_window), and takes away the
    timer and the boot unit that would have brought the release before back.
  - Fails when the host went back already, or when another transaction is open.
options:
  backup:
    description: Number of the backup that M(nginx_deploy) returned.
    type: int
    required: true
attributes:
  check_mode:
    description: Says whether the release waits to be confirmed, and confirms nothing.
    support: full
  diff_mode:
    description: Nothing that nginx reads is changed.
    support: none
  idempotent:
    description: A release that is confirmed already stays so.
    support: full
seealso:
  - module: nginx_deploy
  - module: nginx_rollback
extends_documentation_fragment:
  - nginx.journal
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Make a site live for five minutes
  nginx_deploy:
    sites: "{{ sites }}"
    confirm_window: 300
  register: deployed

- name: Keep it
  nginx_confirm:
    backup: "{{ deployed.backup }}"
  when: deployed.confirm_by != ''
"""

RETURN = r"""
outcome:
  description: V(applied) when the release stays, V(unchanged) when there was nothing to confirm.
  returned: always
  type: str
backup:
  description: Number of the backup whose release was confirmed; null when none was.
  returned: always
  type: int
"""

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_websocket.arguments import options
from ansible.module_utils.nginx_websocket.arguments.transactions import leave, warn
from ansible.module_utils.nginx_websocket.transaction.confirm import confirm


def main() -> None:
    """Parse, confirm, exit."""
    module = AnsibleModule(
        argument_spec={
            **options.JOURNAL,
            "backup": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    outcome = confirm(
        given["backup"],
        state_dir=given["state_dir"],
        check=module.check_mode,
        keep=given["keep"],
        lock_timeout=given["lock_timeout"],
    )
    warn(module, outcome)
    leave(module, outcome, {"outcome": outcome.outcome, "backup": outcome.backup, "changed": False})


if __name__ == "__main__":
    main()
