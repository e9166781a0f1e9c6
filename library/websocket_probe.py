#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: one RFC 6455 opening handshake, with every header it sent and got."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: websocket_probe
short_description: Open a WebSocket from the host and report exactly what happened
description:
  - Sends one opening handshake (RFC 6455) over raw HTTP/1.1, checks the answer as a browser does, then
    sends a ping and
    awaits the pong.
  - Redirects are never followed and HTTP/2 is never offered, as in browsers.
  - Tokens in URL, headers and body are masked in everything that is returned or logged.
options:
  url:
    description: URL to open, C(ws://), C(wss://), C(http://) or C(https://). The path is sent byte for byte.
    type: str
    required: true
  address:
    description:
      - Where to connect instead of the URL's host - C(host:port), C([ipv6]:port) or C(unix:/path).
      - C(Host) and SNI stay the URL's, so a site can be asked before its DNS name points to it.
    type: str
  origin:
    description: Value of C(Origin). By default none is sent, as by programs that are no browsers.
    type: str
  headers:
    description:
      - Headers to add. One with the name of a default (such as C(Host)) replaces it.
      - The value null leaves that default out.
    type: dict
    default: {}
  subprotocols:
    description: Subprotocols to offer.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for everything up to the pong.
    type: float
    default: 5.0
  cafile:
    description: PEM file of certificate authorities to trust instead of the system's.
    type: path
  verify:
    description: Whether the certificate must verify. What is wrong with it is reported either way.
    type: bool
    default: true
    aliases: [validate_certs]
  upgrade:
    description: V(false) sends an ordinary GET instead.
    type: bool
    default: true
  ping:
    description: Whether to send a ping after the 101.
    type: bool
    default: true
  proxy_protocol:
    description: Begin with a PROXY protocol line.
    type: bool
    default: false
  hold:
    description: Seconds to stay in silence after that, to see whether the socket is closed.
    type: float
    default: 0.0
  expect:
    description:
      - What must come of it; the module fails otherwise.
      - V(open) is a valid 101, whatever the application does after it (it may close, with a code of its own).
      - V(pong) is a valid 101 and a pong, and the socket still open at the end of O(hold).
      - V(refused) is an HTTP answer of 400 or above, and no WebSocket.
      - V(status) is one of O(status).
      - V(any) never fails.
    type: str
    choices: [open, pong, refused, status, any]
    default: open
  status:
    description: HTTP statuses that O(expect=status) takes.
    type: list
    elements: int
attributes:
  check_mode:
    description: The probe changes nothing, so it is sent in check mode too.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Any POSIX host.
    support: full
    platforms: posix
seealso:
  - module: nginx_facts
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Open the socket through nginx on this host, before DNS points here
  websocket_probe:
    url: wss://example.org/api/mqtt/ws/hints/probe
    address: 127.0.0.1:443
    origin: https://example.org

- name: A foreign page is refused
  websocket_probe:
    url: wss://example.org/ws/probe
    origin: https://evil.example
    expect: status
    status: [403]

- name: The socket survives two minutes of silence
  websocket_probe:
    url: wss://example.org/ws/probe
    expect: pong
    hold: 120
"""

RETURN = r"""
msg:
  description: What came of it in one line.
  returned: always
  type: str
  sample: "wss://example.org/ws/***: 101, WebSocket open, pong [203.0.113.5:443, Server: nginx]"
probe:
  description: Everything about the probe, secrets masked.
  returned: when the arguments could be used
  type: dict
  contains:
    opened:
      description: Whether a WebSocket opened.
      type: bool
    status:
      description: HTTP status, or null when no answer came.
      type: int
    address:
      description: The address that took the connection.
      type: str
    request:
      description: The request as sent.
      type: str
    headers:
      description: The response's headers as pairs.
      type: list
      elements: list
    server:
      description: The response's C(Server).
      type: str
    body:
      description: The beginning of the body, control characters escaped.
      type: str
    pong:
      description: Whether the ping was answered.
      type: bool
    close_code:
      description: Code of the server's close frame; 1006 when the connection just ended.
      type: int
    closed_after:
      description: Seconds from the 101 to the server's close.
      type: float
    messages:
      description: Data frames that the server sent meanwhile.
      type: int
    error:
      description: What went wrong, in one sentence.
      type: str
    error_kind:
      description: >-
        Empty, or one of V(dns), V(connect-refused), V(connect-timeout), V(connect-failed), V(tls),
        V(closed-without-answer), V(answer-timeout), V(not-http), V(http-status), V(bad-handshake),
        V(closed-after-101), V(pong-timeout), V(bad-frame).
      type: str
    seconds:
      description: Seconds up to the pong, or to the failure.
      type: float
    tls:
      description: >-
        C(version), C(cipher), C(alpn), C(verify_error), C(subject), C(issuer), C(names), C(not_before),
        C(not_after);
        empty without TLS.
      type: dict
"""

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_websocket.exchange.endpoint import parse_address
from ansible.module_utils.nginx_websocket.exchange.expectation import unmet
from ansible.module_utils.nginx_websocket.exchange.masking import masked_headers, masked_url
from ansible.module_utils.nginx_websocket.exchange.probe import probe


class DiscreetModule(AnsibleModule):
    """A module whose arguments may hold tokens: not for syslog, and masked in the result."""

    def _log_invocation(self) -> None:
        """Log nothing."""

    def _return_formatted(self, kwargs: dict) -> None:
        shown = dict(self.params)
        shown["url"] = masked_url(str(shown.get("url")))
        headers = shown.get("headers") or {}
        if isinstance(headers, dict):
            shown["headers"] = dict(masked_headers((str(name), str(headers[name])) for name in headers))
        kwargs["invocation"] = {"module_args": shown}
        super()._return_formatted(kwargs)


def main() -> None:
    """Parse, probe, exit."""
    module = DiscreetModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "address": {"type": "str"},
            "origin": {"type": "str"},
            "headers": {"type": "dict", "default": {}},
            "subprotocols": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 5.0},
            "cafile": {"type": "path"},
            "verify": {"type": "bool", "default": True, "aliases": ["validate_certs"]},
            "upgrade": {"type": "bool", "default": True},
            "ping": {"type": "bool", "default": True},
            "proxy_protocol": {"type": "bool", "default": False},
            "hold": {"type": "float", "default": 0.0},
            "expect": {"choices": ["open", "pong", "refused", "status", "any"], "default": "open"},
            "status": {"type": "list", "elements": "int"},
        },
        required_if=[("expect", "status", ("status",))],
        supports_check_mode=True,
    )
    options = {name: module.params[name] for name in module.params if name not in ("validate_certs",)}
    expect, statuses = options.pop("expect"), options.pop("status") or []
    headers = [
        (name, None if value is None else str(value)) for name, value in options.pop("headers").items()
    ]
    try:
        address = parse_address(options.pop("address")) if options["address"] else options.pop("address")
        result = probe(options.pop("url"), address=address, headers=headers, **options)
    except ValueError as error:
        module.fail_json(msg=str(error))
    problem = unmet(result, expect, statuses)
    data = result.to_dict()
    if problem:
        module.fail_json(msg=problem, probe=data)
    module.exit_json(changed=False, msg=result.summary(), probe=data)


if __name__ == "__main__":
    main()
