"""Limits for each client address, in nginx's words."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ..identifiers import stem

#: Room for 160,000 addresses in limit_conn, 80,000 in limit_req (64 and 128 bytes each).
ZONE_SIZE = "10m"

CLIENT = "$binary_remote_addr"


def limits(site: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the zones that a site needs, and what its locations say.

    ``limit_conn`` counts a request until it has ended, and a WebSocket is one request for its whole life;
    ``limit_req`` counts only its handshake. Zones are nginx's for all files together, so they bear the
    site's name.

    Args:
        site: A completed site.
    """
    settings, name = site["limits"], stem(site["name"])
    zones: List[str] = []
    sockets: List[str] = []
    requests: List[str] = []
    burst = f"burst={settings['burst']} nodelay"
    if settings["sockets"]:
        zones.append(f"limit_conn_zone {CLIENT} zone={name}_sockets:{ZONE_SIZE}")
        sockets.append(f"limit_conn {name}_sockets {settings['sockets']}")
    if settings["handshakes_per_minute"]:
        rate = f"{settings['handshakes_per_minute']}r/m"
        zones.append(f"limit_req_zone {CLIENT} zone={name}_handshakes:{ZONE_SIZE} rate={rate}")
        sockets.append(f"limit_req zone={name}_handshakes {burst}")
    if settings["requests_per_second"]:
        rate = f"{settings['requests_per_second']}r/s"
        zones.append(f"limit_req_zone {CLIENT} zone={name}_requests:{ZONE_SIZE} rate={rate}")
        requests.append(f"limit_req zone={name}_requests {burst}")
    return {
        "zones": zones,
        "sockets": sockets,
        "requests": requests,
        "header_size": settings["header_size"],
    }
