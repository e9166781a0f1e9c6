"""A certificate that does not verify: is it bad by itself, or does only this host not know who issued it?"""

from __future__ import annotations

import re
import time

from ...exchange.endpoint import parse_url
from ...exchange.result import Probe
from ...host.certificates import covers

PUBLIC_AUTHORITIES = (
    "Let's Encrypt",
    "ZeroSSL",
    "Google Trust Services",
    "DigiCert Inc",
    "Sectigo Limited",
    "GoDaddy",
    "GlobalSign",
    "Amazon",
    "Buypass",
    "SSL Corporation",
    "Actalis",
    "Entrust",
    "Certum",
    "TrustAsia Technologies, Inc.",
)


def unknown_issuer(probe: Probe) -> bool:
    """Whether the certificate fails only because this host does not know who issued it."""
    problem = str(probe.tls.get("verify_error", ""))
    if not re.search(r"unable to get local issuer|unable to verify the first|in certificate chain", problem):
        return False
    if certificate_fault(probe, probe.url):
        return False
    # The issuer is one that every browser knows: then its intermediate is missing in the file, which
    # browsers mind.
    issuer = str(probe.tls.get("issuer", ""))
    return not any(f"O={name}" in issuer for name in PUBLIC_AUTHORITIES)


def certificate_fault(probe: Probe, url: str) -> str:
    """What is wrong with a certificate by its own words, whoever issued it; empty when nothing is.

    OpenSSL names an unknown issuer first and then looks no further.
    """
    names = [str(name) for name in probe.tls.get("names", ())]
    host = parse_url(url).host
    if names and not any(covers(name, host) for name in names):
        return f"it is for {', '.join(names[:5])}, not for {host}"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ends, begins = str(probe.tls.get("not_after", "")), str(probe.tls.get("not_before", ""))
    if ends and ends < now:
        return f"it expired {ends}"
    if begins and begins > now:
        return f"it is not valid before {begins}"
    return ""
