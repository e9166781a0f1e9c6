"""The certificate that nginx shows, beside the one that lies on disk: is only the reload missing?"""

from __future__ import annotations

import os

from ...host.certificates import check_certificate
from ..evidence.facts import Facts
from ..words.findings import Evidence, Finding


def only_reload_missing(facts: Facts, finding: Finding) -> bool:
    """Say so where the file that the configuration names is fit for this name and time, and is not shown.

    nginx reads certificates when it starts and at a reload (ngx_ssl_certificate), whatever is renewed since.

    Args:
        facts: of a host whose certificate does not verify.
        finding: that says so; evidence and cure are put into it.

    Returns:
        Whether it was said.
    """
    server = facts.server
    hop = facts.main_hop
    lines = server.nearest(b"ssl_certificate")[1] if server is not None else []
    if not lines or hop is None or facts.nginx is None or not lines[-1].args:
        return False
    named = lines[-1].args[0].decode("utf-8", "surrogateescape")
    if "$" in named or ":" in named:
        return False
    path = os.path.join(os.path.dirname(facts.nginx.conf_path), named)
    name = facts.question.endpoint.host
    there = check_certificate(path, "", names=[name])
    shown = str(hop.probe.tls.get("not_after", ""))
    if not there.usable or there.missing_names or (there.days_left or 0.0) <= 0.0 or there.not_after == shown:
        return False
    words = f"the file is valid until {there.not_after} for {name}; nginx still shows one that ends {shown}"
    finding.evidence.insert(0, Evidence("file", words, path, 1))
    finding.detail += "; the one on disk is valid: only the reload is missing"
    finding.fix = "reload nginx (and let the renewal do so: certbot's --deploy-hook)"
    return True
