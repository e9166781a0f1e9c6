"""What the running nginx has read and somebody has changed since, though the release is the same.

The release id is a digest of the site's file.  Certificates, keys and included files are only named in it,
and nginx reads them when it is told to.
"""

from __future__ import annotations

import os
import time
from typing import Iterator, List, Set

from ...conf.tree import Configuration
from ..site.servers import servers

_MARGIN = 0.05
"""Seconds by which a start time in clock ticks may be wrong."""


def stale_files(configuration: Configuration, since: float) -> List[str]:
    """Files that servers with a release name, and that changed after the workers began to serve.

    Args:
        configuration: the tree on the disk.
        since: seconds since the epoch; 0 when it is not known, and then nothing is stale.

    Returns:
        Their paths, as the configuration has them.
    """
    if not since:
        return []
    now = time.time()  # a file from the future would be newer than any worker
    return [path for path in sorted(set(_named(configuration))) if since + _MARGIN < _changed(path) <= now]


def _named(configuration: Configuration) -> Iterator[str]:
    ours: Set[str] = set()
    for server in servers(configuration):
        if server.release:
            ours.add(server.file)
            for name in (b"ssl_certificate", b"ssl_certificate_key"):
                for line in server.directive.children(name):
                    path = os.fsdecode(line.args[0]) if line.args else ""
                    if path.startswith("/") and "$" not in path:
                        yield path
    for include in configuration.includes:  # outer ones first
        if include.directive.file in ours:
            ours.update(include.files)
            yield from include.files


def _changed(path: str) -> float:
    """When a file got its content: ``cp -p`` and rsync bring an old modification time, the inode's is theirs.

    A link that leads elsewhere since is another file.
    """
    try:
        return max(os.stat(path).st_ctime, os.lstat(path).st_ctime)
    except OSError:
        return 0.0
