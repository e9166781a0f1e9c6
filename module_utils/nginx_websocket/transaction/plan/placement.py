"""Where a site's file belongs on this host, and which files it takes the place of."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Callable, Collection, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from ...conf.tree import ConfSyntaxError
from ...host.layout import Layout
from ..site.instance import Instance
from ..site.model import ABSENT, Change, Entry, Finding, Refused, Site
from ..site.release import claimed, pristine, stamped
from ..site.servers import Server, candidate_servers, claims, scanned_names, servers_by_file
from ..surroundings.host import Tree
from ..tree.files import Filesystem
from ..tree.overlay import canonical
from ..tree.ownership import left_over, secured, see_link_free, see_replaceable

_HOST_NAME = re.compile(r"[a-z0-9.-]+\Z")


@dataclasses.dataclass
class Placement:
    """One site's place."""

    site: Site
    path: str
    """The file to write, links resolved."""
    shown: str
    """The path under which nginx reads it: the link, where there is one."""
    changes: List[Change]
    replaced: List[str]
    """Live files whose servers were all this site's and that go away."""
    taken: Sequence[str] = ()
    """Live files, as nginx names them, whose place the site takes."""
    foreign: Sequence[str] = ()
    """Those of them that this role has not written."""
    previous: str = ""
    """Release id that stood there; "" when the file was not ours."""
    drifted: bool = False
    """A person edited the file since we wrote it."""
    findings: List[Finding] = dataclasses.field(default_factory=list)


def place(
    sites: Sequence[Site],
    tree: Tree,
    nginx: Instance,
    files: Filesystem,
    deployed: Mapping[str, Mapping[str, str]],
) -> List[Placement]:
    """Decide for every site of one transaction.

    Args:
        sites: the candidates.
        tree: the configuration on the disk, and the files in it that cannot be read.
        nginx: for the host's layout.
        files: reads what stands at the paths.
        deployed: site name → {path, digest} of what the last transaction wrote for it.

    Raises:
        Refused: a file holds servers of ours and of others, or a path cannot be used; file and line
            are named.
    """
    everyone: Dict[str, str] = {}
    for site in sites:
        for name in site.server_names:
            other = everyone.setdefault(name.lower(), site.name)
            if other != site.name:
                raise Refused(
                    f"the sites {other} and {site.name} both claim the server name {name}; give it to one "
                    "of them"
                )
    live = _Live(tree, files)
    placements = []
    owners = {one.get("path", ""): name for name, one in deployed.items()}
    for site in sites:
        last = deployed.get(site.name, {})
        owned = _owned(site, live, everyone, last) + _unreadable(site, live, everyone, last)
        placements.append(_place(site, owned, live, nginx, files, last, owners))
    written: Dict[str, str] = {}
    for placement in placements:
        other = written.setdefault(placement.path, placement.site.name)
        if other != placement.site.name:
            raise Refused(
                f"the sites {other} and {placement.site.name} would both be written to {placement.path}; "
                "give one of them another path"
            )
    return placements


class _Live:
    """The live files, to be asked by name and by path for each of many sites."""

    def __init__(self, tree: Tree, files: Filesystem) -> None:
        self.main = tree.configuration.main
        self._files = tree.configuration.files
        self.broken = tree.broken
        self.servers = servers_by_file(tree.configuration)
        self.real = {path: files.real(path) for path in tree.configuration.files}
        """Path as nginx names it → the file behind it."""
        self.shown: Dict[str, List[str]] = {}
        """The file → paths under which nginx reads it."""
        for path, real in self.real.items():
            self.shown.setdefault(real, []).append(path)
        self.named: Dict[str, List[str]] = {}
        """Server name → files that hold it, in nginx's order."""
        for path, held in self.servers.items():
            for name in dict.fromkeys(claims(held)):
                self.named.setdefault(name, []).append(path)

    def content(self, path: str) -> bytes:
        """What nginx reads there, or would where it can read it."""
        return self.broken.get(path, self._files.get(path, b""))

    def last(self, deployed: Mapping[str, str]) -> List[str]:
        """The paths under which nginx reads what the last transaction wrote for a site."""
        return [path for path in self.shown.get(deployed.get("path", ""), []) if path != self.main]


def _addresses(content: bytes) -> Optional[Set[Tuple[str, int]]]:
    try:
        return {
            (address.family, address.port)
            for server in candidate_servers(content)
            for address in server.addresses()
        }
    except (ConfSyntaxError, OSError):
        return None


def _owned(
    site: Site,
    live: _Live,
    everyone: Mapping[str, str],
    deployed: Mapping[str, str],
) -> List[str]:
    """Live files, as nginx names them, whose servers are all this site's."""
    ports = _addresses(stamped(site.content))
    last = [path for path in live.last(deployed) if path not in live.broken]
    holding = [path for name in site.server_names for path in live.named.get(name.lower(), [])]
    found = []
    for path in dict.fromkeys(last + holding):
        held = live.servers.get(path, [])
        ours = [server for server in held if any(everyone.get(name) == site.name for name in server.names)]
        known = path in last
        touching = (
            known
            or any(server.release for server in held)
            or ports is None
            or any(
                (address.family, address.port) in ports for server in ours for address in server.addresses()
            )
        )
        if not touching:
            continue  # the same names on other ports, and not written by us: another service, left alone
        foreign = [server for server in held if any(name not in everyone for name in claims([server]))]
        if foreign and not known:
            raise _mixed(ours, foreign, everyone)
        if path == live.main:
            raise Refused(
                "{} serves {} inside nginx's main file, which holds more than this site. Move that server "
                "block to a file of its own, then run again.".format(
                    ours[0].where(), ", ".join(ours[0].names)
                )
            )
        found.append(path)
    return found


def left_behind(
    placements: Sequence[Placement],
    tree: Tree,
    deployed: Mapping[str, Mapping[str, str]],
    files: Filesystem,
    made: Callable[[str], str],
) -> List[Finding]:
    """Releases of sites that are no longer asked for, and that nginx still reads.

    Args:
        placements: of the sites that are asked for.
        tree: the configuration on the disk.
        deployed: site name → path and release of what the last transaction left.
        files: reads what stands at the paths.
        made: when and by whom a file was written, in words.
    """
    asked = {placement.site.name for placement in placements}
    taken = {placement.path for placement in placements}
    going = {file for placement in placements for file in placement.taken}
    found = []
    for name, site in deployed.items():
        path = site.get("path", "")
        if name in asked or path in taken:
            continue
        shown = [file for file in tree.configuration.files if files.real(file) == path and file not in going]
        if not shown or not claimed(tree.configuration.files[shown[0]]):
            continue
        gone = " ".join(dict.fromkeys([*shown, path]))
        found.append(
            Finding(
                "site-left",
                f"the site {name} is served from {path} and is none of this run's sites; it was deployed "
                f"{made(path)}. Where another inventory deploys it, that is as it should be; where nobody "
                f"does any more: rm {gone} && nginx -t && systemctl reload nginx",
            )
        )
    return found


def _mixed(ours: Sequence[Server], foreign: Sequence[Server], everyone: Mapping[str, str]) -> Refused:
    """A live file serves names of the site and others: what to do about it."""
    names = list(dict.fromkeys(name for name in claims(foreign) if name not in everyone))
    others = ", ".join(name or "requests without a name" for name in names)
    if all(server in ours for server in foreign):  # server_name example.org www.example.org;
        first = next(name for name in foreign[0].names if name in everyone)
        what_to_do = "give them a server in a file of its own, and take them out of this one"
        if all(map(_HOST_NAME.match, names)):
            add = f"add {others} to the site's server_names (redirect_www sends www. to the name)"
            what_to_do = f"{add}, or {what_to_do}"
        return Refused(
            f"{foreign[0].where()} serves {first} and, in the same server, {others}, which no site here "
            f"names and nobody would serve any more: {what_to_do}."
        )
    return Refused(
        "{} serves {}, but the same file also serves {} ({}). Files of others are not touched: move that "
        "server to a file of its own, or give the site only names that are its own.".format(
            ours[0].where(), ", ".join(ours[0].names), others, foreign[0].where()
        )
    )


def _unreadable(
    site: Site, live: _Live, everyone: Mapping[str, str], deployed: Mapping[str, str]
) -> List[str]:
    """Live files that nginx cannot read, but that are plainly this site's: to be repaired."""
    found = []
    last = live.last(deployed)
    for path, content in live.broken.items():
        names = scanned_names(content)
        ours = [name for name in names if everyone.get(name) == site.name]
        if path in last or (ours and all(name in everyone for name in names)):
            found.append(path)
    return found


def _place(
    site: Site,
    owned: Sequence[str],
    live: _Live,
    nginx: Instance,
    files: Filesystem,
    deployed: Mapping[str, str],
    owners: Mapping[str, str],
) -> Placement:
    real = {path: live.real[path] for path in owned}
    path = _path_for(site, set(real.values()), nginx, files, deployed)
    if not files.is_directory(files.real(os.path.dirname(path))):
        raise Refused(
            f"site {site.name}: the directory of {path} does not exist; make it and include it in "
            f"{nginx.conf_path}, or leave "
            "the path to the host's layout"
        )
    current = files.entry(path)
    if current.kind not in ("file", "absent"):
        raise Refused(f"site {site.name}: {path} is not a plain file; nothing was changed")
    shown = next((name for name in real if real[name] == path), "")
    _refuse_others_file(site, path, owned, live)
    last = deployed.get("path")
    see_replaceable(site, path, current, known=path == last or path in real.values())
    result = Placement(site, path, shown, [], [], owned)
    result.foreign = [name for name in owned if real[name] != last and not claimed(live.content(name))]
    after, result.findings = secured(path, current, stamped(site.content))
    if current.same(after):
        result.findings = []
    changes = [Change(path, current, after, site.name)]
    if not shown:
        links = _link_to(site, path, owned, nginx.layout, files)
        result.shown = links[0].path if links else path
        changes += links
    for name in owned:
        if name != result.shown:
            key = canonical(name)
            changes.append(Change(key, files.entry(key), ABSENT, site.name))
            result.replaced.append(name)
            if key != real[name]:
                others = {live.real[other] for other in live.real if other not in owned}
                changes += left_over(real[name], path, files, owners, others)
    result.changes = [change for change in changes if not change.before.same(change.after)]
    _look_back(result, current, deployed)
    return result


def _path_for(
    site: Site, owned: Collection[str], nginx: Instance, files: Filesystem, deployed: Mapping[str, str]
) -> str:
    """The file of a site: the one that is asked for, the only one that it has, its last one, the layout's.

    Args:
        site: the site.
        owned: files in which the site stands now, links resolved.
        nginx: for its layout.
        files: the file system.
        deployed: what the last transaction left of the site.

    Raises:
        Refused: it has none, and the host's layout is not known.
    """
    if site.path:
        path = canonical(site.path)
        real = files.real(path)
        return path if files.entry(real).kind == "absent" else real
    if len(owned) == 1:
        return next(iter(owned))
    if deployed.get("path") in owned:
        return deployed["path"]
    if nginx.layout is None:
        raise Refused(nginx.layout_error)
    return canonical(nginx.layout.site_path(site.name + ".conf"))


def _refuse_others_file(site: Site, path: str, owned: Sequence[str], live: _Live) -> None:
    """Refuse a file from which nginx serves names that are not the site's."""
    theirs = [
        server
        for name in live.shown.get(path, [])
        if name not in owned
        for server in live.servers.get(name, [])
    ]
    if not {name.lower() for name in site.server_names}.issuperset(claims(theirs)):
        raise Refused(
            f"site {site.name} would be written to {path}, but that file serves {', '.join(claims(theirs))} "
            f"({theirs[0].where()}); choose another path or name"
        )


def _link_to(
    site: Site, path: str, owned: Sequence[str], layout: Optional[Layout], files: Filesystem
) -> List[Change]:
    """The link by which the layout has nginx read a file; none where it needs none.

    Raises:
        Refused: something else stands there.
    """
    if layout is None or not layout.enabled_dir or files.real(layout.site_dir) != os.path.dirname(path):
        return []
    link = canonical(os.path.join(layout.enabled_dir, os.path.basename(path)))
    stands = files.entry(link)
    if stands.kind not in ("link", "absent"):
        raise Refused(f"site {site.name}: {link} stands in the way of the link to {path}")
    see_link_free(site, link, path, files, known=any(canonical(name) == link for name in owned))
    target = os.path.join(layout.site_dir, os.path.basename(path))
    return [Change(link, stands, Entry("link", target=target), site.name)]


def _look_back(placement: Placement, current: Entry, deployed: Mapping[str, str]) -> None:
    """What the file that stands there is: a release, an edited release, or somebody's own."""
    if current.kind != "file":
        return
    placement.previous = claimed(current.content) or ""
    ours = placement.previous != "" or deployed.get("path") == placement.path
    placement.drifted = (
        ours and not pristine(current.content) and current.content != stamped(placement.site.content)
    )
