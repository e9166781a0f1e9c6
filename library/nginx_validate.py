#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: what nginx says of files that are not live yet, or of the live tree."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nginx_validate
short_description: Test nginx configuration without touching the live tree
description:
  - Asks nginx itself (C(nginx -T)) about the tree as it would be with some files written or removed. The
    files are
    laid over the tree in a private mount namespace; the host's own files are not touched, not even for an
    instant.
  - Where the kernel grants no mount namespace, a copy of the tree is tested whose includes point into the
    copy.
  - Usable alone, on any host with nginx, running or not.
options:
  files:
    description: What differs from the disk. Without any, the live tree is tested.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the file, as nginx reads it.
        type: path
        required: true
      content:
        description: What it would hold. Without it, the file is taken away.
        type: str
  binary:
    description: Only the nginx with this executable is meant.
    type: path
    default: ''
  conf_path:
    description: The main configuration file to test, when it is not the running nginx's own.
    type: path
    default: ''
  fail:
    description: Whether an invalid tree fails the task.
    type: bool
    default: true
attributes:
  check_mode:
    description: The module only tests, so check mode makes no difference.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Hosts with a Linux C(/proc).
    support: full
    platforms: linux
notes:
  - Needs root, as nginx's own test does.
seealso:
  - module: nginx_deploy
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Is the live tree valid?
  nginx_validate:

- name: Would this file be?
  nginx_validate:
    files:
      - path: /etc/nginx/conf.d/example.conf
        content: "{{ lookup('ansible.builtin.file', 'example.conf') }}"
    fail: false
  register: verdict

- name: Show the place
  ansible.builtin.debug:
    msg: "{{ verdict.errors[0].context }}"
  when: not verdict.valid
"""

RETURN = r"""
valid:
  description: Whether nginx accepts the tree.
  returned: always
  type: bool
errors:
  description: >-
    nginx's errors, each with C(file) (the real path), C(line), C(level), C(message) and C(context), the
    lines around
    with the bad one marked.
  returned: always
  type: list
  elements: dict
warnings_of_nginx:
  description: The same for nginx's warnings.
  returned: always
  type: list
  elements: dict
read:
  description: For each of O(files) with content, whether nginx read it; a file that no include covers is not.
  returned: when the tree is valid
  type: dict
method:
  description: How it was tested, V(mount namespace) or V(rewritten includes).
  returned: always
  type: str
nginx:
  description: The C(binary), C(version) and C(conf_path) that were asked.
  returned: always
  type: dict
"""

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_websocket.transaction.live.instance import find_instance
from ansible.module_utils.nginx_websocket.transaction.site.model import Refused
from ansible.module_utils.nginx_websocket.transaction.tree.validation import (
    candidate_changes,
    validate,
    was_read,
)


def main() -> None:
    """Parse, validate, exit."""
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"path": {"type": "path", "required": True}, "content": {"type": "str"}},
            },
            "binary": {"type": "path", "default": ""},
            "conf_path": {"type": "path", "default": ""},
            "fail": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    wanted = {
        one["path"]: None if one["content"] is None else one["content"].encode("utf-8", "surrogateescape")
        for one in given["files"]
    }
    try:
        nginx = find_instance(binary=given["binary"], conf_path=given["conf_path"])
        verdict = validate(candidate_changes(wanted), nginx)
    except Refused as refusal:
        module.fail_json(msg=str(refusal))
    result = {
        "changed": False,
        "valid": verdict.valid,
        "errors": [error.as_dict() for error in verdict.errors],
        "warnings_of_nginx": [warning.as_dict() for warning in verdict.warnings],
        "method": verdict.method,
        "nginx": {
            "binary": nginx.binary,
            "version": ".".join(map(str, nginx.version)),
            "conf_path": nginx.conf_path,
        },
    }
    if verdict.valid:
        result["read"] = {
            path: was_read(verdict, path, content) for path, content in wanted.items() if content is not None
        }
    elif given["fail"]:
        module.fail_json(msg=f"nginx refuses the configuration: {verdict.errors[0].sentence()}", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
