#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: one transaction that turns candidates into live releases."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nginx_deploy
short_description: Turn nginx site files into proven releases, or leave the host exactly as it was
description:
  - Takes the rendered files of some sites and makes them live as one transaction with one reload, in one
    round
    trip - lock, recover, compare, stage, validate, snapshot, activate, reload, prove, commit or undo.
  - The candidate is tested by C(nginx -T) in a private copy of the tree before the live tree is touched.
  - After the reload the running nginx is asked which release it serves, and every WebSocket URL is opened
    through it. Where that fails, the snapshot is put back, nginx is reloaded and proven again, and the module
    fails.
  - A backend that is down, or that refuses by itself, is a finding and not a failure.
options:
  sites:
    description: The candidates. All of them are one transaction.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site; its file is named after it.
        type: str
        required: true
      content:
        description: >-
          The whole file, with the literal C(@RELEASE@) where the release id belongs; each server holds
          C(location = /.well-known/nginx-websocket/@RELEASE@), which answers with the id.
        type: str
        required: true
      server_names:
        description: The names that this site owns. Live files that hold only these are taken over.
        type: list
        elements: str
        required: true
      path:
        description: >-
          The file to write. By default the live file that holds the site already, else the place that the
          host's layout has for sites.
        type: path
        default: ''
      routes:
        description: WebSocket URLs that must open.
        type: list
        elements: dict
        default: []
        suboptions:
          url:
            description: As a browser asks for it.
            type: str
            required: true
          backend:
            description: >-
              Where nginx passes it, such as C(http://127.0.0.1:8000) or C(unix:/run/app.sock); spaces stand
              between several servers.
            type: str
            default: ''
          origin:
            description: Value of C(Origin) to send. By default none is sent.
            type: str
            default: ''
          subprotocols:
            description: Subprotocols to offer.
            type: list
            elements: str
            default: []
          server_name:
            description: SNI that nginx sends to a backend with TLS. By default the URL's host.
            type: str
            default: ''
  on_drift:
    description: >-
      What to do with a release that somebody edited on the host. V(fail) reports it with a diff, V(overwrite)
      replaces it (the backup keeps the edit), V(keep) leaves that site alone and says so.
    type: str
    choices: [fail, overwrite, keep]
    default: fail
  on_takeover:
    description: >-
      What to do where a file that this role has not written does more than the site in its place would, such
      as a location of which the site's routes do not speak, a password, or another port. V(fail) names it and
      changes nothing; V(overwrite) takes the file over all the same (the backup keeps it).
    type: str
    choices: [fail, overwrite]
    default: fail
  on_loss:
    description: >-
      What to do where the release before gives users something that this one would not, which nobody means -
      a password or address rule that is gone, a file that is there and would not be sent, source code that
      would be, a change for another site. V(fail) names it and changes nothing; V(accept) deploys.
    type: str
    choices: [fail, accept]
    default: fail
  accept_losses:
    description: >-
      Paths (V(/health), V(/old/*)) or URLs (V(https://a.example.org/old/*)) whose losses are meant, in a
      takeover and in a change. They are told and do not refuse; every other loss does.
    type: list
    elements: str
    default: []
  max_sockets:
    description: >-
      WebSockets that nginx shall have room for at once. Each takes two connections and two descriptors of a
      worker; C(worker_connections) and C(worker_rlimit_nofile) are raised where they are too small, by
      replacing their values in the file where they stand, in the same transaction. 0 leaves them alone.
    type: int
    default: 0
  confirm_window:
    description: >-
      Seconds within which M(nginx_confirm) must follow. Until it has, the host keeps an armed timer, and goes
      back to the release before and proves it when the time is over; so it does at a boot in between. 0 when
      nobody is going to confirm.
    type: float
    default: 0
  start:
    description: Start an nginx that is stopped. Without it such a host is refused.
    type: bool
    default: false
attributes:
  check_mode:
    description: >-
      Everything up to the validation is real - the candidate is tested by nginx, the diff is exact - and
      nothing
      on the host is touched.
    support: full
  diff_mode:
    description: Before and after of every file and link.
    support: full
  idempotent:
    description: Where disk, candidate and running nginx agree, nothing is reloaded.
    support: full
seealso:
  - module: nginx_validate
  - module: nginx_rollback
  - module: nginx_confirm
extends_documentation_fragment:
  - nginx.meant
  - nginx.places
  - nginx.journal
  - nginx.transaction
  - nginx.verification
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Make a site live
  nginx_deploy:
    sites:
      - name: example
        content: "{{ lookup('ansible.builtin.template', 'example.conf.j2') }}"
        server_names: [example.org, www.example.org]
        routes:
          - url: wss://example.org/ws/probe
            backend: http://127.0.0.1:8000
  register: deployed

- name: Show what became of it
  ansible.builtin.debug:
    msg: "{{ deployed.outcome }}: {{ deployed.releases }}"
"""

RETURN = r"""
outcome:
  description: >-
    One word that is true by itself - V(unchanged); V(applied); V(refused) (nothing was touched);
    V(rolled back) (the host is as it was); V(rollback failed) (RV(remedy) says what to do by hand);
    V(reload failed) (the files were right already, nginx read them anew and does not serve them);
    V(nothing to go back to) (the release was live before, nothing was changed, and it fails its proof).
  returned: always
  type: str
  sample: applied
releases:
  description: Site name → release id of the candidate.
  returned: always
  type: dict
  sample: {example: 1c4b44e3f1f0a3a7a5b5f0d2c0d7b0c4}
previous:
  description: Site name → release id that stood there before; empty for a file that was not ours.
  returned: always
  type: dict
backup:
  description: Number of the backup that holds the state before; null when nothing was changed.
  returned: always
  type: int
  sample: 7
files:
  description: For each site C(path), and C(read_as), the path under which nginx reads it.
  returned: always
  type: list
  elements: dict
replaced:
  description: Live files, or links to them, that held only this site's servers and were taken away.
  returned: always
  type: list
  elements: str
recovered:
  description: What was healed of an earlier run that never ended; empty when there was nothing.
  returned: always
  type: str
confirm_by:
  description: >-
    Until when M(nginx_confirm) must have been called with RV(backup), in UTC; empty when nothing waits for
    it.
  returned: always
  type: str
  sample: '2025-01-31T12:05:00Z'
steps:
  description: The steps done, each with C(name) and C(seconds).
  returned: always
  type: list
  elements: dict
drift:
  description: Files that somebody edited since they were deployed, each with C(path) and C(diff).
  returned: always
  type: list
  elements: dict
findings:
  description: What a person should know, each with C(code), C(message) and C(fix).
  returned: always
  type: list
  elements: dict
cured:
  description: >-
    Why WebSocket URLs of the sites could not open before this release, each with C(code), which is the cause
    as in docs/findings.md, and C(message) with file and line. In check mode, why they cannot today.
  returned: always
  type: list
  elements: dict
comparison:
  description: >-
    What users would see of the change, before it went live - C(summary) in one sentence, how many requests
    were C(asked), those of the C(last_day) by the access log and how many of them go the same way
    (C(last_day_same)), the C(differences), and C(notes) on what was left out. Each difference has C(kind),
    C(weight), what C(was) and what is C(now), the lines C(was_at) and C(now_at), C(examples), how many
    C(requests) and C(hits) of the last day. Empty where nothing changes.
  returned: always
  type: dict
errors:
  description: nginx's errors about the candidate, each with C(file), C(line), C(message), C(context).
  returned: always
  type: list
  elements: dict
warnings_of_nginx:
  description: nginx's warnings about the candidate.
  returned: always
  type: list
  elements: str
method:
  description: How the candidate was tested, V(mount namespace) or V(rewritten includes).
  returned: always
  type: str
old_workers:
  description: >-
    How many old C(workers) still serve how many open C(connections), clients and backends together (null
    where the kernel does not show them).
  returned: after a reload
  type: dict
sockets:
  description: >-
    Connections between nginx and its backends, which every open WebSocket has one of - C(before), C(after)
    and how many were C(lost) (idle connections that nginx may keep are not). Empty in check mode, and when
    nginx did not run.
  returned: always
  type: dict
  sample: {before: 41, after: 41, lost: 0}
report:
  description: The answer to O(verification); null where it was not asked, or has not answered.
  returned: always
  type: dict
remedy:
  description: Shell commands that put the host back by hand.
  returned: always
  type: list
  elements: str
"""

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_websocket.arguments import options, verification
from ansible.module_utils.nginx_websocket.arguments.transactions import leave, meant_nginx, warn
from ansible.module_utils.nginx_websocket.transaction.deploy import deploy
from ansible.module_utils.nginx_websocket.transaction.site.model import Site

SITE = {**options.SITE, "content": {"type": "str", "required": True}}


def main() -> None:
    """Parse, deploy, exit."""
    module = AnsibleModule(
        argument_spec={
            **options.MEANT,
            **options.PLACES,
            **options.JOURNAL,
            **options.TRANSACTION,
            "sites": {"type": "list", "elements": "dict", "required": True, "options": SITE},
            "on_drift": {"type": "str", "choices": ["fail", "overwrite", "keep"], "default": "fail"},
            "on_takeover": {"type": "str", "choices": ["fail", "overwrite"], "default": "fail"},
            "on_loss": {"type": "str", "choices": ["fail", "accept"], "default": "fail"},
            "accept_losses": {"type": "list", "elements": "str", "default": []},
            "max_sockets": {"type": "int", "default": 0},
            "confirm_window": {"type": "float", "default": 0.0},
            "start": {"type": "bool", "default": False},
            "verification": verification.OPTION,
        },
        supports_check_mode=True,
    )
    given = module.params
    nginx = meant_nginx(module)
    outcome = deploy(
        [Site.of(one, one["content"].encode("utf-8", "surrogateescape")) for one in given["sites"]],
        nginx=nginx,
        state_dir=given["state_dir"],
        check=module.check_mode,
        on_drift=given["on_drift"],
        on_takeover=given["on_takeover"],
        on_loss=given["on_loss"],
        accept_losses=given["accept_losses"],
        keep=given["keep"],
        deadline=given["proof_timeout"],
        lock_timeout=given["lock_timeout"],
        reason=given["reason"],
        max_sockets=given["max_sockets"],
        start=given["start"],
        confirm_window=given["confirm_window"],
    )
    warn(module, outcome)
    result = outcome.as_dict(diff=module._diff)
    # As late as possible: after the reload, and within the window of the host's own way back.
    wish = None if module.check_mode or outcome.failed else given["verification"]
    leave(module, outcome, {**result, "report": verification.report(wish, outcome.releases)})


if __name__ == "__main__":
    main()
