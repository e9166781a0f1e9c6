"""A ``proxy_pass`` to another server of the same nginx: the route goes on there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ..server.listen import canonical_host, groups_for

if TYPE_CHECKING:
    from ..content.upstream import Upstream
    from ..route import Route


def follow(outer: Route, upstream: Upstream) -> Optional[Route]:
    """The route of the proxied request, when this configuration listens on its target; else None."""
    from ..request import Request
    from ..route import index_of, route

    if upstream.raw_uri is None or not upstream.servers:
        return None
    target = upstream.servers[0]
    if target.startswith("unix:"):
        address, host, port = target, target, 0
    else:
        host, _colon, text = target.rpartition(":")
        if not host or not text.isdigit():
            host, text = target, "80"
        port = int(text)
        host = "127.0.0.1" if host == "localhost" else host
        address = f"{host}:{port}"
    if not canonical_host(host)[0]:
        return None
    groups = index_of(outer.configuration).groups
    if port == 0:
        ours = any(group.address.family == "unix" and group.address.host == host[5:] for group in groups)
    else:
        ours = bool(groups_for(groups, host, port))
    if not ours:
        return None
    headers = [(header.name, header.value) for header in upstream.headers if header.value is not None]
    request = Request(
        url="{}://{}/".format(upstream.scheme, "localhost" if port == 0 else address),
        headers=headers,
        address=address,
        method=upstream.method,
        target=upstream.raw_uri,
        exact_headers=True,
        http_version=upstream.version,
    )
    inner = route(outer.configuration, request, version=outer.version)
    return inner if inner.listen is not None else None
