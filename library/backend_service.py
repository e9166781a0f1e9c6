#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the systemd unit of the application behind nginx."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: backend_service
short_description: Let the application behind nginx run as a systemd unit, proven or put back
description:
  - Compares, verifies by C(systemd-analyze verify), writes, enables and restarts one unit, and waits until it
    listens on its port on the loopback address. Where it does not, the former unit is put back and started.
  - Nothing is restarted when the unit is the same, enabled, and the running process was started from it.
  - Files of other units, and a process that somebody started by hand on the port, are never touched.
options:
  name:
    description: Name of the unit, without C(.service).
    type: str
    required: true
  content:
    description: >-
      The whole unit, with C(NGINX_WEBSOCKET_UNIT=@RELEASE@) in its environment, by which the running process
      tells which unit it was started from.
    type: str
    required: true
  port:
    description: TCP port on which it must come up.
    type: int
    required: true
  user:
    description: User that it runs as, who must exist.
    type: str
    required: true
  paths:
    description: Files and directories without which it could not start.
    type: list
    elements: path
    default: []
  on_drift:
    description: V(overwrite) replaces a unit file that somebody edited by hand; else that is refused.
    type: str
    choices: [fail, overwrite, keep]
    default: fail
  start_timeout:
    description: Seconds within which it must listen.
    type: float
    default: 30.0
attributes:
  check_mode:
    description: The unit is verified for real, and nothing on the host is touched.
    support: full
  diff_mode:
    description: Before and after of the unit's file.
    support: full
  idempotent:
    description: See above.
    support: full
  platform:
    description: Hosts with systemd.
    support: full
    platforms: linux
notes:
  - Needs root.
seealso:
  - module: nginx_deploy
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Install and start the application's systemd unit
  backend_service:
    name: chat-backend
    content: "{{ lookup('ansible.builtin.template', 'chat-backend.service.j2') }}"
    port: 8000
    user: chat
"""

RETURN = r"""
outcome:
  description: V(unchanged), V(applied), V(rolled back) or V(rollback failed).
  returned: always
  type: str
release:
  description: Digest of the unit, as the running process has it in its environment.
  returned: always
  type: str
evidence:
  description: The end of the application's own log, secrets masked, where it did not come up.
  returned: always
  type: list
  elements: str
"""

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_websocket.backend_service import Unit, deploy
from ansible.module_utils.nginx_websocket.transaction.tree.files import Filesystem


def main() -> None:
    """Parse, deploy, exit."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "content": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "user": {"type": "str", "required": True},
            "paths": {"type": "list", "elements": "path", "default": []},
            "on_drift": {"type": "str", "choices": ["fail", "overwrite", "keep"], "default": "fail"},
            "start_timeout": {"type": "float", "default": 30.0},
        },
        supports_check_mode=True,
    )
    given = module.params
    outcome = deploy(
        Unit(given["name"], given["content"].encode(), given["port"], given["user"], given["paths"]),
        check=module.check_mode,
        overwrite=given["on_drift"] == "overwrite",
        timeout=given["start_timeout"],
        files=Filesystem(),
    )
    result = {
        "outcome": outcome.outcome,
        "changed": outcome.changed,
        "release": outcome.release,
        "evidence": outcome.evidence,
    }
    if module._diff and outcome.diff:
        result["diff"] = outcome.diff
    if outcome.failed:
        last = f" It said: {outcome.evidence[-1]}" if outcome.evidence else ""
        module.fail_json(msg=outcome.message + last, **result)
    module.exit_json(msg=outcome.message, **result)


if __name__ == "__main__":
    main()
