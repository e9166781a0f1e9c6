"""Hosts of the suite's input that have said what there is to say about themselves."""

from __future__ import annotations

from typing import Any, Dict

from verify.host_report import on_host
from verify.targets import parse, question


def reported(host: Dict[str, Any]) -> Dict[str, Any]:
    """Return a host with this machine's answer to its question, as if no nginx ran here."""
    asked = question(parse({"hosts": [host]}).hosts[0], 1.0)
    report = {**on_host.main(asked), "masters": [], "workers": [], "strangers": []}
    return {**host, "report": report, "nonce": asked["nonce"]}
