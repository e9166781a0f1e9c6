#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: why a WebSocket URL does not open through this host's nginx."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nginx_diagnose
short_description: Say why a WebSocket does not open through nginx
description:
  - Follows the URL through the configuration as nginx does, asks at every hop with real handshakes,
    experiments with the backend, and reads what the host says (sockets, processes, file times, error log).
  - Names the cause with its evidence and the fix, or says that it cannot tell. A wrong cause is worse than
    none.
  - Changes nothing. C(nginx -t) is run; if that left an empty pid file where there was none, it is removed
    again.
  - Without O(url) lists every WebSocket route of the host and its state.
  - With O(dump) answers from the output of C(nginx -T) alone, without any nginx.
options:
  url:
    description: URL that the client cannot open, C(ws://) or C(wss://).
    type: str
  origin:
    description:
      - Value of C(Origin) that the page sends. Backends that check it refuse others.
    type: str
  host:
    description: Value of C(Host) when it is not the URL's own.
    type: str
  headers:
    description: Headers that the client sends besides those of every handshake.
    type: dict
    default: {}
  subprotocols:
    description: Subprotocols that the client offers.
    type: list
    elements: str
    default: []
  alpn:
    description: What the client offers in ALPN, when it is no browser.
    type: list
    elements: str
    default: []
  ping_interval:
    description: >-
      Longest silence of the application in seconds. A shorter C(proxy_read_timeout) is then the cause.
    type: float
    default: 0.0
  hold:
    description: >-
      Seconds for which an opened socket must live in silence. 0 takes one second, or a little longer than a
      short timeout of nginx.
    type: float
    default: 0.0
  connections:
    description:
      - Sockets that must be open at the same time.
      - By default a limit of the configuration below 16 sockets is tried out, for less than a second.
        V(1) tries none.
    type: int
    default: 0
  address:
    description: Address of this host at which to ask, in place of the one that the name leads to.
    type: str
  other_ports:
    description:
      - Where the backend does not open the socket, ask whatever else listens on this host, too.
      - They get a bare handshake for a made-up path, nothing of the client's. By default they are listed.
    type: bool
    default: false
  cafile:
    description: >-
      PEM file of certificate authorities to trust instead of the system's, on the host that is diagnosed.
    type: path
  timeout:
    description: Seconds for each answer.
    type: float
    default: 5.0
  binary:
    description: nginx binary, when several are there or none runs.
    type: path
  conf_path:
    description: Main configuration file, when several are there or none runs.
    type: path
  prefix:
    description: nginx's prefix, for one that does not run.
    type: path
  dump:
    description: >-
      Output of C(nginx -T) (or one configuration file) on the host that runs the module. Needs O(url).
    type: path
  nginx_version:
    description: Version of the nginx that O(dump) comes from.
    type: str
    default: 1.22.1
attributes:
  check_mode:
    description: Nothing is ever changed, so check mode is the same.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Any POSIX host with /proc.
    support: full
    platforms: posix
seealso:
  - module: nginx_facts
  - module: websocket_probe
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Why does it not open?
  nginx_diagnose:
    url: wss://example.org/api/mqtt/ws/hints/session-1
    origin: https://example.org

- name: Which WebSocket routes does the host have?
  nginx_diagnose:

- name: What does this dump say?
  nginx_diagnose:
    url: wss://example.org/ws/
    dump: /tmp/nginx-T.txt
    nginx_version: 1.18.0
  delegate_to: localhost
"""

RETURN = r"""
msg:
  description: The verdict in one sentence.
  returned: always
  type: str
  sample: "wss://example.org/ws/ fails: nothing listens where nginx looks for the backend."
diagnosis:
  description: Everything, secrets masked. docs/diagnosis.md gives the whole schema.
  returned: success
  type: dict
  contains:
    verdict:
      description: V(works), V(fails) or V(cannot tell).
      type: str
    sentence:
      description: The verdict in one sentence.
      type: str
    findings:
      description: The cause first, then what will bite later; the codes stand in docs/findings.md.
      type: list
      elements: dict
    route:
      description: What the configuration does with the URL.
      type: dict
    way:
      description: The stations of the request, in order.
      type: list
      elements: dict
    probes:
      description: Every handshake, with what was sent and answered.
      type: list
      elements: dict
    routes:
      description: Without O(url), every WebSocket route.
      type: list
      elements: dict
"""

import os

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.nginx_websocket.arguments.discreet import DiscreetModule, header_pairs
from ansible.module_utils.nginx_websocket.diagnosis.engine import diagnose, diagnose_dump
from ansible.module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from ansible.module_utils.nginx_websocket.diagnosis.websocket_routes import routes_report
from ansible.module_utils.nginx_websocket.exchange.masking import masked_url


def version_of(text: str) -> tuple:
    """``1.22.1`` as numbers.

    Raises:
        ValueError: it is no version.
    """
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"nginx_version {text!r} is no version: expected numbers such as 1.22.1")
    return tuple(int(part) for part in parts[:3])


def main() -> None:
    """Parse, diagnose, exit."""
    module = DiscreetModule(
        argument_spec={
            "url": {"type": "str"},
            "origin": {"type": "str"},
            "host": {"type": "str"},
            "headers": {"type": "dict", "default": {}},
            "subprotocols": {"type": "list", "elements": "str", "default": []},
            "alpn": {"type": "list", "elements": "str", "default": []},
            "ping_interval": {"type": "float", "default": 0.0},
            "hold": {"type": "float", "default": 0.0},
            "connections": {"type": "int", "default": 0},
            "address": {"type": "str"},
            "other_ports": {"type": "bool", "default": False},
            "cafile": {"type": "path"},
            "timeout": {"type": "float", "default": 5.0},
            "binary": {"type": "path"},
            "conf_path": {"type": "path"},
            "prefix": {"type": "path"},
            "dump": {"type": "path"},
            "nginx_version": {"type": "str", "default": "1.22.1"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if params["dump"] and not params["url"]:
        module.fail_json(
            msg="url is missing: a dump answers for one URL, such as wss://example.org/ws/ (-e url=...)"
        )
    if not params["url"]:
        data = routes_report(binary=params["binary"] or "", conf_path=params["conf_path"] or "")
        module.exit_json(changed=False, msg=data["sentence"], diagnosis=data)
    question = Question(
        url=params["url"],
        origin=params["origin"],
        host=params["host"] or "",
        headers=header_pairs(params["headers"]),
        subprotocols=params["subprotocols"],
        alpn=params["alpn"],
        ping_interval=params["ping_interval"],
        hold=params["hold"],
        connections=params["connections"],
        cafile=params["cafile"],
        timeout=params["timeout"],
        address=params["address"] or "",
        other_ports=params["other_ports"],
    )
    try:
        question.endpoint  # noqa: B018  the URL is judged before anything is asked
    except ValueError as error:
        module.fail_json(msg=f"url {masked_url(params['url'])}: {error}")
    if params["cafile"] and not params["dump"] and not os.path.exists(params["cafile"]):
        # The playbook's other files are the controller's, so this one is easily taken for one, too.
        module.fail_json(
            msg=f"cafile {params['cafile']} is not there: it is a file on the host that is diagnosed"
        )
    try:
        if params["dump"]:
            with open(params["dump"], "rb") as file:
                dump = file.read()
            report = diagnose_dump(
                question, dump, version=version_of(params["nginx_version"]), name=params["dump"]
            )
        else:
            report = diagnose(
                question,
                binary=params["binary"] or "",
                conf_path=params["conf_path"] or "",
                prefix=params["prefix"] or "",
            )
    except ValueError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"dump {params['dump']} cannot be read: {error.strerror}")
    data = report.as_data()
    module.exit_json(changed=False, msg=data["sentence"], diagnosis=data)


if __name__ == "__main__":
    main()
