"""A site that was written and never linked: the one link that makes nginx read it."""

from __future__ import annotations

import os
from typing import FrozenSet, Optional, Set, Tuple, Union

from .. import codes
from ..behaviour.effective import Level
from ..behaviour.route import index_of
from ..behaviour.server.names import real_names
from ..conf.load import load
from ..conf.tree import Configuration, ConfSyntaxError
from ..diagnosis.evidence.facts import Facts
from ..exchange.endpoint import parse_url
from ..host.layout import Layout
from ..transaction.site.model import ABSENT, Change, Entry
from ..transaction.surroundings.host import listed
from ..transaction.tree.files import Filesystem

CODE = codes.NOT_INCLUDED_FILE


def link(
    facts: Facts, live: Configuration, layout: Optional[Layout], files: Filesystem
) -> Union[str, Tuple[Change, FrozenSet[str]]]:
    """The link for the file in which the WebSocket's location stands.

    Args:
        facts: what was seen of the URL.
        live: the configuration as it is.
        layout: where sites stand on this host.
        files: the host's.

    Returns:
        The change and the names that the site answers for; or why no link is made.
    """
    if not facts.stray_files:
        return "the file is not known"
    path = facts.stray_files[0][0]
    if layout is None or layout.enabled_dir is None:
        return f"{path} is not in a directory whose files are linked to be read"
    if os.path.realpath(os.path.dirname(path)) != os.path.realpath(layout.site_dir):
        return f"{path} is not in {layout.site_dir}, whose files are linked to be read"
    name = os.path.basename(path)
    at = os.path.join(layout.enabled_dir, name)
    if not (name.startswith(layout.prefix) and name.endswith(layout.suffix)):
        return f"a link {at} would not be read: the include asks for {layout.include}"
    if files.entry(at).kind != "absent":
        return f"{at} is there already"
    try:
        text = files.read(path)
        alone = load(path, read=lambda name: text if name == path else b"", glob=lambda _: [])
    except (ConfSyntaxError, OSError, ValueError) as error:
        return f"{path} cannot be read: {error}"
    names: Set[bytes] = set()
    for server in alone.root:
        if server.name == b"server":
            names |= real_names(Level("server", server, None))
    host = parse_url(facts.question.url).host.lower()
    if host.encode() not in names:
        return f"{path} has no server_name {host}"
    taken = names & {one for server in index_of(live).servers for one in real_names(server)}
    if taken:
        return (
            f"with {path}, {listed(sorted(one.decode('utf-8', 'replace') for one in taken))} would have two "
            "servers: nginx already reads one of that name from another file"
        )
    return Change(at, ABSENT, Entry("link", target=path)), frozenset(
        one.decode("utf-8", "replace") for one in names
    )
