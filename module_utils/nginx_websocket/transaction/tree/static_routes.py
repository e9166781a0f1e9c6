"""Does a WebSocket URL of a site open, by the configuration alone?

The analysis of routes is half of what a transaction can import, and is imported only where something
changes or a URL does not open.
"""

from __future__ import annotations

import urllib.parse
from typing import List, Sequence

from ... import codes
from ...behaviour.request import Request
from ...behaviour.route import route
from ...behaviour.upgrade.obstacle import Client
from ...behaviour.upgrade.verdict import Verdict, judge
from ...conf.tree import Configuration
from ...exchange.masking import masked_url
from ..site.instance import Instance
from ..site.model import UNDECIDED, Finding, Refused, RouteCheck, Site
from ..site.servers import servers


def check_static(sites: Sequence[Site], configuration: Configuration, nginx: Instance) -> List[Finding]:
    """Every WebSocket URL must reach a location that upgrades.

    Args:
        sites: with their URLs.
        configuration: the staged tree.
        nginx: its version decides defaults.

    Returns:
        What the configuration alone cannot tell.

    Raises:
        Refused: a URL does not reach such a location; the message names what takes it instead.
    """
    findings = []
    for site in sites:
        for check in site.routes:
            verdict = _verdict(check, configuration, nginx)
            if verdict.code == codes.AUTH_BASIC:
                url = masked_url(check.url)
                text = f"site {site.name}: {url} stands behind a password{_place(verdict)}"
                findings.append(Finding(UNDECIDED, text))
                continue
            if verdict.survives is False:
                raise Refused(
                    f"site {site.name}: the WebSocket URL {masked_url(check.url)} would not open: "
                    f"{verdict.reason}{_place(verdict)}"
                )
            if verdict.survives is None:
                findings.append(
                    Finding(
                        UNDECIDED,
                        f"site {site.name}: whether {masked_url(check.url)} opens cannot be told from the "
                        f"configuration alone: {verdict.reason}",
                    )
                )
    return findings


def broken_today(sites: Sequence[Site], configuration: Configuration, nginx: Instance) -> List[Finding]:
    """Why WebSocket URLs of the sites do not open with the tree that is live, before anything is changed.

    Only names that the tree has are asked for: a site that comes for the first time was not broken.

    Args:
        sites: with their URLs.
        configuration: the live tree.
        nginx: its version decides defaults.

    Returns:
        A finding for each such URL: its code is the cause (docs/findings.md), its message has file and line.
    """
    known = {name for server in servers(configuration) for name in server.names}
    findings = []
    for site in sites:
        for check in site.routes:
            if (urllib.parse.urlsplit(check.url).hostname or "").lower() not in known:
                continue
            verdict = _verdict(check, configuration, nginx)
            if verdict.survives is False:
                message = f"{masked_url(check.url)}: {verdict.reason}{_place(verdict)}"
                findings.append(Finding(verdict.code, message))
    return findings


def _verdict(check: RouteCheck, configuration: Configuration, nginx: Instance) -> Verdict:
    origin = [("Origin", check.origin)] if check.origin else []
    found = route(configuration, Request(check.url, headers=origin), version=nginx.version)
    return judge(found, Client(live=True))


def _place(verdict: Verdict) -> str:
    return f" ({verdict.directive.where()})" if verdict.directive is not None else ""
