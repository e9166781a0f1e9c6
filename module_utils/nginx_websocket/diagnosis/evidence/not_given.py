"""A file that was given alone: what it includes, and what includes it, nobody has read."""

from __future__ import annotations

import os
from typing import List, Optional

from ...conf.tree import Configuration, Directive, Include
from .facts import Facts

_OF_NGINX = (
    *("mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params", "proxy_params"),
    *("options-ssl-nginx.conf", "ssl-params.conf", "fastcgi-php.conf", "koi-utf", "koi-win", "win-utf"),
)
"""Files that packages bring, certbot's among them: they hold nothing that opens or closes a WebSocket."""
AROUND = " (around it)"
"""End of the name of a main file that is put around a site's own."""


def includes_not_given(configuration: Configuration) -> List[Include]:
    """The includes of a file that was given alone, but for those of nginx's own files."""
    if not configuration.alone:
        return []
    return [
        include
        for include in configuration.includes
        if not any(configuration.files.get(name) for name in include.files)
        and os.path.basename(include.pattern) not in _OF_NGINX
    ]


def outside_known(configuration: Configuration) -> bool:
    """Whether all of the ``http`` block was read, where maps and variables of all sites stand."""
    if not configuration.alone:
        return True
    return not configuration.main.endswith(AROUND) and not any(
        include.directive.parent is None or include.directive.parent.name == b"http"
        for include in includes_not_given(configuration)
    )


def hides(facts: Facts) -> Optional[Include]:
    """The include on the way of the request whose file might decide otherwise; None where all was read.

    The lines of a request's headers come from the level that has any; for all else each level up to the
    server counts, and the ``http`` block where no server was found by its name.
    """
    configuration, route = facts.configuration, facts.route
    missing = includes_not_given(configuration) if configuration is not None else []
    if not missing or route is None:
        return None
    blocks: List[Optional[Directive]] = []
    for level in route.level.chain() if route.level is not None else ():
        blocks.append(level.directive)
        if route.upstream is not None and level is route.upstream.header_level:
            break
    else:
        blocks += [found.location.directive for found in route.selections if found.location is not None]
    by_name = route.server_match is not None and route.server_match.how != "default"
    if route.upstream is None and by_name:
        blocks = [block for block in blocks if block is not None and block.name != b"http"]
    nearest = (one for block in blocks for one in missing if one.directive.parent is block)
    return next(nearest, None)
