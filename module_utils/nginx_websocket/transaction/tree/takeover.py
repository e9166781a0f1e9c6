"""Settings for all sites of the host that stand in a file which a takeover would remove.

What becomes of requests is compared (``comparison``); most settings of ``http`` show in none.
"""

from __future__ import annotations

from typing import List, Sequence

from ...conf.tree import Configuration, Directive
from ..site.servers import servers

# What a file of a site declares for its own use; nginx refuses the tree where somebody else needs it.
_DECLARED = frozenset(
    b"server include upstream map geo split_clients log_format limit_req_zone limit_conn_zone "
    b"proxy_cache_path".split()
)


def settings_gone(taken: Sequence[str], live: Configuration, staged: Configuration) -> List[str]:
    """What the files say for all sites, and nothing would say any more.

    Args:
        taken: files that go away, as nginx names them.
        live: the tree that has them.
        staged: the tree that has the site instead.

    Returns:
        One sentence that names all of it; none where there is no other site.
    """
    files = {*taken, *(set(live.files) - set(staged.files))}
    if all(server.file in files for server in servers(live)):
        return []
    still = {(line.name, tuple(line.args)) for line in _of_http(staged)}
    gone = [
        f"{line.name.decode('utf-8', 'replace')} ({line.where()})"
        for line in _of_http(live)
        if line.file in files and line.name not in _DECLARED and (line.name, tuple(line.args)) not in still
    ]
    if not gone:
        return []
    return [f"{', '.join(gone)}: set for all sites, and would be gone: keep it in a file of its own"]


def _of_http(tree: Configuration) -> List[Directive]:
    return [line for http in tree.root if http.name == b"http" for line in http.block or ()]
