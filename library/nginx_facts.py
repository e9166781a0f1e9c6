#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: what a host has by way of nginx, backends and certificates."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: nginx_facts
short_description: Tell which nginx runs, where its sites belong, and which port a backend answers on
description:
  - Gathers in one round trip what a deployment must know. It only reads.
  - The running master is found in C(/proc), its version and paths by C(nginx -V) of the running binary, the
    layout from the includes of the configuration that it reads. Nothing is assumed, and no tool is needed on
    the host.
  - Masters in containers are left out.
  - A host without nginx is a result (RV(nginx.found) is V(false)), not a failure.
options:
  backends:
    description: Backends to look for, by asking their candidate ports.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name under which the result comes back.
        type: str
        required: true
      ports:
        description: Candidate ports, in the order of preference.
        type: list
        elements: int
        default: [8000, 3000]
      host:
        description: Where the backend is.
        type: str
        default: 127.0.0.1
      path:
        description: Path of the plain HTTP request.
        type: str
        default: /
      websocket_path:
        description: Path of the opening handshake.
        type: str
        default: /
      host_header:
        description: Value of C(Host), for backends that refuse unknown ones. By default the address.
        type: str
        default: ''
      origin:
        description: Value of C(Origin) in the handshake. By default none is sent.
        type: str
      configured:
        description: The port to keep when none answers. By default the one that the live site passes to.
        type: int
      timeout:
        description: Seconds for each request.
        type: float
        default: 3.0
  certificates:
    description: Certificates to check.
    type: list
    elements: dict
    default: []
    suboptions:
      certificate:
        description: PEM file with the certificate and its chain.
        type: path
        required: true
      key:
        description: PEM file with the private key. Without it only the certificate is read.
        type: path
        default: ''
      names:
        description: Host names that the certificate must be valid for.
        type: list
        elements: str
        default: []
      carry_over:
        description: >-
          Take the pair that the live configuration has for these names instead, where nginx could load it.
        type: bool
        default: false
  paths:
    description: Paths whose existence is asked for.
    type: list
    elements: path
    default: []
  state_dir:
    description: >-
      Where M(nginx_deploy) keeps its journal. A release that waits there for its confirmation is a warning,
      for without it the host goes back by itself.
    type: path
  deployed:
    description:
      - Sites whose releases may stand on this host already. RV(deployed) tells whether they do, unedited,
        pass C(nginx -T) with the rest of the tree, and are served.
      - So a deployment of the same releases needs no second round trip.
    type: dict
    suboptions:
      sites:
        description: As for M(nginx_deploy), without C(content).
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name of the site.
            type: str
            required: true
          server_names:
            description: The names that this site owns.
            type: list
            elements: str
            required: true
          path:
            description: The site's file, where it is given.
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
                description: Where nginx passes it, or the name of one of O(backends), which is looked for.
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
      state_dir:
        description: Where lock, journal and backups live.
        type: path
        default: /var/lib/nginx_websocket
      proof_timeout:
        description: Seconds that the proof may take.
        type: float
        default: 15.0
      max_sockets:
        description: WebSockets that nginx shall have room for at once. 0 when that does not matter.
        type: int
        default: 0
attributes:
  check_mode:
    description: The module only reads, so check mode makes no difference.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Hosts with a Linux C(/proc).
    support: full
    platforms: linux
notes:
  - Needs root to see the processes of other users.
  - Asking a port sends it at most three requests - a plain GET, an opening handshake and, if that is
    refused, a plain
    GET of the same path. They appear in the backend's access log.
seealso:
  - module: websocket_probe
extends_documentation_fragment:
  - nginx.meant
  - nginx.places
  - nginx.verification
author:
  - nginx-websocket project (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Know the host
  nginx_facts:
    backends:
      - name: api
        ports: [8000, 3000]
        path: /api/docs
        websocket_path: /api/mqtt/ws/hints/probe
    certificates:
      - certificate: /etc/letsencrypt/live/example.org/fullchain.pem
        key: /etc/letsencrypt/live/example.org/privkey.pem
        names: [example.org, www.example.org]
    paths:
      - /etc/letsencrypt/options-ssl-nginx.conf
  register: host

- name: Stop where there is no nginx
  ansible.builtin.assert:
    that: host.nginx.found
    fail_msg: "{{ host.nginx.message }}"

- name: Show the port that answers
  ansible.builtin.debug:
    msg: "{{ host.backends.api.address }}: {{ host.backends.api.why }}"
"""

RETURN = r"""
nginx:
  description: The nginx that is meant. Keys from RV(nginx.binary) on are there only when it could be told
    and asked.
  returned: always
  type: dict
  contains:
    found:
      description: Whether there is an nginx, running or installed.
      type: bool
    running:
      description: Whether a master runs.
      type: bool
    message:
      description: One sentence, also when nothing was found.
      type: str
    ambiguous:
      description: Several masters run and none stands out; set O(binary) or O(conf_path).
      type: bool
    chosen:
      description: Process id of the master that is meant.
      type: int
    why:
      description: Why that one.
      type: str
    warnings:
      description: What is odd (a broken tree on disk, a binary replaced while it ran, other masters).
      type: list
      elements: str
    masters:
      description: Every running master with C(pid), C(exe), C(argv), C(conf_path), C(unit), C(origin),
        C(workers).
      type: list
      elements: dict
    sites:
      description: Every server in the configuration, with C(names), C(listen), C(file), C(line),
        C(certificate).
      type: list
      elements: dict
    binary:
      description: Path of the executable.
      type: str
      sample: /usr/sbin/nginx
    version:
      description: Version of the nginx that serves.
      type: str
      sample: 1.22.1
    disk_version:
      description: Version of the file at RV(nginx.binary), which C(nginx -t) and the next start run.
      type: str
    prefix:
      description: nginx's prefix.
      type: str
    conf_path:
      description: Main configuration file.
      type: str
      sample: /etc/nginx/nginx.conf
    pid_path:
      description: File with the master's process id.
      type: str
    error_logs:
      description: Error logs at the top level.
      type: list
      elements: str
    user:
      description: The workers' user.
      type: str
      sample: www-data
    modules:
      description: Modules compiled in.
      type: list
      elements: str
    loaded_modules:
      description: Files that C(load_module) brings in.
      type: list
      elements: str
    realip:
      description: Whether the realip module is there.
      type: bool
    http2_form:
      description: How HTTP/2 is switched on - V(listen) before 1.25.1, V(directive) since, V(none) without
        the module.
      type: str
    unit:
      description: The systemd unit that started the master, or empty.
      type: str
      sample: nginx.service
    layout:
      description: >-
        Where a site belongs - C(kind) (V(sites-available), V(conf.d), V(directory)), C(site_dir),
        C(enabled_dir),
        C(include), C(prefix), C(suffix). Null when that cannot be told; C(layout_error) then says why.
      type: dict
    layout_error:
      description: Why there is no layout.
      type: str
    conf_error:
      description: Why the configuration on disk cannot be read whole.
      type: str
backends:
  description: >-
    For each of O(backends), by name - C(port), C(address) (for proxy_pass), C(answered), C(upgrade)
    (V(upgrades),
    V(refuses), V(ignores), V(unknown)), C(why), C(warning), and C(candidates) with process and evidence of
    every port.
  returned: always
  type: dict
certificates:
  description: >-
    For each of O(certificates), in order - C(usable), C(problem), C(key_matches), C(names), C(missing_names),
    C(not_after), C(days_left), C(subject), C(issuer), C(self_signed).
  returned: always
  type: list
  elements: dict
paths:
  description: For each of O(paths) - C(exists), C(readable), C(type) (V(file), V(directory), V(other) or
    empty).
  returned: always
  type: dict
deployed:
  description: >-
    What M(nginx_deploy) would return if it was given the releases that stand on the host; null where one of
    the sites has none, and where the outcome would be anything but V(unchanged).
  returned: always
  type: dict
report:
  description: The answer to O(verification); null where it was not asked, or has not answered.
  returned: always
  type: dict
"""

import os
from typing import Optional

import ansible.module_utils.nginx_websocket.importing.once  # noqa: F401 - first, so that it serves those below
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nginx_websocket.arguments import options, verification
from ansible.module_utils.nginx_websocket.host.backend import DEFAULT_PORTS, detect_backend
from ansible.module_utils.nginx_websocket.host.certificates import carried_over, check_certificate
from ansible.module_utils.nginx_websocket.host.sites import proxied_port, upstream_port
from ansible.module_utils.nginx_websocket.host.survey import Survey, survey
from ansible.module_utils.nginx_websocket.transaction.deployed_state import deployed_state, waiting
from ansible.module_utils.nginx_websocket.transaction.live.instance import instance_of
from ansible.module_utils.nginx_websocket.transaction.site.model import Site

BACKEND = {
    "name": {"type": "str", "required": True},
    "ports": {"type": "list", "elements": "int", "default": list(DEFAULT_PORTS)},
    "host": {"type": "str", "default": "127.0.0.1"},
    "path": {"type": "str", "default": "/"},
    "websocket_path": {"type": "str", "default": "/"},
    "host_header": {"type": "str", "default": ""},
    "origin": {"type": "str"},
    "configured": {"type": "int"},
    "timeout": {"type": "float", "default": 3.0},
}
CERTIFICATE = {
    "certificate": {"type": "path", "required": True},
    "key": {"type": "path", "default": "", "no_log": False},
    "names": {"type": "list", "elements": "str", "default": []},
    "carry_over": {"type": "bool", "default": False},
}
DEPLOYED = {
    "sites": {"type": "list", "elements": "dict", "required": True, "options": options.SITE},
    "state_dir": {"type": "path", "default": "/var/lib/nginx_websocket"},
    "proof_timeout": {"type": "float", "default": 15.0},
    "max_sockets": {"type": "int", "default": 0},
}


def path_facts(path: str) -> dict:
    """Say whether a path is there, and what it is."""
    kind = "directory" if os.path.isdir(path) else "file" if os.path.isfile(path) else "other"
    exists = os.path.exists(path)
    return {"exists": exists, "readable": os.access(path, os.R_OK), "type": kind if exists else ""}


def certificate_facts(wish: dict, found: Survey) -> dict:
    """Say what a certificate is like, the live one's where it is to be carried over."""
    if wish["carry_over"] and found.nginx:
        pair = carried_over(found.servers, wish["names"], found.nginx.conf_path)
        live = check_certificate(*pair, names=wish["names"]) if all(pair) else None
        if live and live.usable:
            return live.to_dict()
    return check_certificate(wish["certificate"], wish["key"], names=wish["names"]).to_dict()


def live_port(found: Survey, wish: dict) -> Optional[int]:
    """Return the port that the live site passes to, by the role's upstream or in a file of others."""
    configuration = found.nginx.configuration if found.nginx else None
    if configuration is None:
        return None
    return upstream_port(configuration, wish["name"]) or proxied_port(
        configuration, wish["host_header"], wish["ports"]
    )


def deployed_facts(wish: dict, found: Survey, backends: dict) -> Optional[dict]:
    """Say whether the sites' releases stand already, as `nginx_deploy` would."""
    if found.nginx is None:
        return None
    sites = []
    for one in wish["sites"]:
        routes = []
        for route in one["routes"]:
            backend = backends.get(route["backend"])
            if backend is None:
                routes.append(route)
            elif backend["answered"]:
                routes.append({**route, "backend": "http://" + backend["address"]})
            else:
                return None
        sites.append(Site.of({**one, "routes": routes}))
    outcome = deployed_state(
        sites,
        nginx=instance_of(found.nginx),
        state_dir=wish["state_dir"],
        deadline=wish["proof_timeout"],
        max_sockets=wish["max_sockets"],
    )
    return outcome.as_dict(diff=False) if outcome else None


def report_facts(wish: dict, nginx: dict, backends: dict, deployed: Optional[dict]) -> Optional[dict]:
    """Have the verification's question answered, where nothing else is going to be done on this host."""
    if not deployed:
        return None
    return verification.report(
        wish,
        deployed["releases"],
        {name: nginx.get(name) or "" for name in ("binary", "conf_path", "unit")},
        {name: backend["port"] for name, backend in backends.items()},
    )


def main() -> None:
    """Parse, ask, exit."""
    module = AnsibleModule(
        argument_spec={
            **options.MEANT,
            **options.PLACES,
            "backends": {"type": "list", "elements": "dict", "default": [], "options": BACKEND},
            "certificates": {"type": "list", "elements": "dict", "default": [], "options": CERTIFICATE},
            "paths": {"type": "list", "elements": "path", "default": []},
            "state_dir": {"type": "path"},
            "deployed": {"type": "dict", "options": DEPLOYED},
            "verification": verification.OPTION,
        },
        supports_check_mode=True,
    )
    params = module.params
    found = survey(**{name: params[name] for name in ("binary", "conf_path", "site_dir", "enabled_dir")})
    backends = {}
    for wish in params["backends"]:
        live = live_port(found, wish)
        try:
            backend = detect_backend(
                wish["ports"],
                host=wish["host"],
                http_path=wish["path"],
                websocket_path=wish["websocket_path"],
                configured=wish["configured"] or live,
                live=live,
                host_header=wish["host_header"],
                origin=wish["origin"],
                timeout=wish["timeout"],
            )
        except ValueError as error:
            module.fail_json(msg=f"backends: {wish['name']}: {error}")
        backends[wish["name"]] = backend.to_dict()
        if backend.warning:
            module.warn(f"backend {wish['name']}: {backend.warning}")
    open_window = waiting(params["state_dir"]) if params["state_dir"] else ""
    for warning in [*found.warnings, *([open_window] if open_window else [])]:
        module.warn(warning)
    nginx = found.to_dict()
    deployed = deployed_facts(params["deployed"], found, backends) if params["deployed"] else None
    module.exit_json(
        changed=False,
        nginx=nginx,
        backends=backends,
        certificates=[certificate_facts(wish, found) for wish in params["certificates"]],
        paths={path: path_facts(path) for path in params["paths"]},
        deployed=deployed,
        report=report_facts(params["verification"], nginx, backends, deployed),
    )


if __name__ == "__main__":
    main()
