"""Which file of authorities verifies a backend's certificate, where nginx has another one or none."""

from __future__ import annotations

import os
import re
from typing import List, Sequence

from ...behaviour.content.upstream import Upstream
from ...conf.tree import Configuration
from ...exchange.probe import probe
from ..evidence import place
from ..evidence.facts import Facts
from ..words.findings import Finding

_WORDS = re.compile(
    r"unable to (?:get|verify)|self[- ]signed certificate|"
    r"no proxy_ssl_trusted_certificate for proxy_ssl_verify"
)
"""OpenSSL's words for an issuer that it does not know (X509_verify_cert_error_string), and nginx's own."""
SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
MOST = 12
SECONDS = 2.0


def verifying(facts: Facts, cause: Finding) -> str:
    """A file with which the backend's certificate verifies; empty for none, or where that is not the fault.

    Args:
        facts: what was seen of the host.
        cause: with nginx's words among its evidence.

    Returns:
        One of those that the configuration names for such an end, one beside them, or the system's own.
    """
    route = facts.route
    words = any(_WORDS.search(item.text) for item in cause.evidence)
    if not words or not facts.live or facts.inside is not None or route is None or route.upstream is None:
        return ""
    upstream, level = route.upstream, route.level
    if level is None or upstream.scheme != "https" or upstream.unix or facts.configuration is None:
        return ""
    name = level.value(b"proxy_ssl_name", upstream.host.encode()).decode("latin-1")
    now = [
        os.fsdecode(line.args[0]) for line in level.nearest(b"proxy_ssl_trusted_certificate")[1] if line.args
    ]
    files = [path for path in _files(facts.configuration) if path not in _absolute(facts.configuration, now)]
    return next(
        (path for path in files[:MOST] if "$" not in name and _verifies(facts, upstream, name, path)), ""
    )


def _files(configuration: Configuration) -> List[str]:
    """Files that may hold authorities, those that are named as such first."""
    named, beside = [], []
    for line in configuration.walk():
        if line.args and line.name.endswith((b"_trusted_certificate", b"ssl_client_certificate")):
            named.append(os.fsdecode(line.args[0]))
        if line.args and line.name.endswith(b"_certificate") and b"$" not in line.args[0]:
            beside.append(os.fsdecode(line.args[0]))
    folders = dict.fromkeys(os.path.dirname(path) for path in _absolute(configuration, beside))
    found = _absolute(configuration, named)
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        found += [os.path.join(folder, name) for name in names if name.endswith((".pem", ".crt", ".ca"))]
    return [path for path in dict.fromkeys([*found, SYSTEM]) if os.path.isfile(path)]


def _absolute(configuration: Configuration, paths: Sequence[str]) -> List[str]:
    """Relative names are below the folder of the main file (ngx_conf_full_name)."""
    root = os.path.dirname(configuration.main)
    return [os.path.normpath(os.path.join(root, path)) for path in paths]


def _verifies(facts: Facts, upstream: Upstream, name: str, path: str) -> bool:
    """Whether TLS with the backend comes about with these authorities, by the name that nginx looks for."""
    for address in place.resolve(facts, upstream.host)[:1]:
        url = f"https://{name}:{upstream.port}/"
        try:
            seen = probe(url, address=(address, upstream.port), cafile=path, timeout=SECONDS, upgrade=False)
        except ValueError:
            return False
        return seen.error_kind not in ("tls", "dns") and not seen.error_kind.startswith("connect")
    return False
