"""What a deployment may replace: files of ours, and those of others that the takeover compares."""

from __future__ import annotations

import dataclasses
from typing import Container, List, Mapping, Tuple

from ..site.model import ABSENT, Change, Entry, Finding, Refused, Site
from ..site.release import claimed, pristine
from .files import Filesystem

_OTHERS_WRITE = 0o022
_ACL = "system.posix_acl_access"


def see_replaceable(site: Site, path: str, current: Entry, *, known: bool) -> None:
    """See that the file at a site's path may be replaced.

    Args:
        site: the candidate.
        path: where it would be written.
        current: what stands there.
        known: whether the last transaction wrote it, or the takeover compares it, because nginx serves names
            of the site from it.

    Raises:
        Refused: it is somebody else's, and nobody would miss it before it is missed.
    """
    if known or current.kind != "file" or not current.content.strip() or claimed(current.content):
        return
    raise Refused(
        f"site {site.name} would be written to {path}, but that file was not written by this role and serves "
        f"none of the site's names; nothing was changed. If it is still needed, move it to another name and "
        f"link or include it there; if not, take it away: mv {path} /root/; or give the site another path."
    )


def see_link_free(site: Site, link: str, path: str, files: Filesystem, *, known: bool) -> None:
    """See that the link to a site's file takes the place of no link that leads to something else.

    Args:
        site: the candidate.
        link: where the link would stand.
        path: the file that it would lead to.
        files: reads what stands at the paths.
        known: whether the takeover compares what it leads to.

    Raises:
        Refused: it does.
    """
    leads = files.real(link)
    if known or leads in (path, link) or files.entry(leads).kind == "absent":
        return
    raise Refused(
        f"site {site.name}: {link} leads to {leads}, which nginx would not read any more, and which serves "
        f"none of the site's names; nothing was changed. Give that link another name (mv {link} …), or give "
        "the site another path or name."
    )


def secured(path: str, current: Entry, content: bytes) -> Tuple[Entry, List[Finding]]:
    """The new file: with the old one's group and mode; root's, where it was others' to write.

    It is so for a release of ours too: whoever owns the file can have root's nginx do what he likes, and the
    verification refuses it.

    Args:
        path: where.
        current: what stands there.
        content: what shall stand there.

    Returns:
        The entry, and what changes beside the content.
    """
    if current.kind != "file":
        return Entry("file", content=content), []
    entry = dataclasses.replace(current, content=content)
    if current.uid == 0 and not current.mode & _OTHERS_WRITE:
        return entry, []
    attributes = tuple(one for one in current.xattrs if one[0] != _ACL)
    entry = dataclasses.replace(entry, uid=0, mode=current.mode & ~_OTHERS_WRITE, xattrs=attributes)
    told = Finding(
        "owner-changed",
        f"{path} could be written by others than root (owner {current.uid}, mode {current.mode:04o}), and so "
        f"could what root's nginx does; it is root's now, with mode {entry.mode:04o}",
    )
    return entry, [told]


def left_over(
    real: str, path: str, files: Filesystem, owners: Mapping[str, str], read: Container[str]
) -> List[Change]:
    """The file of ours behind a link that goes away, where nothing else of it is left.

    Args:
        real: the file.
        path: the file that the site is written to.
        files: reads what stands at the paths.
        owners: file → the site that it was written for.
        read: files that nginx reads by another way too.
    """
    entry = files.entry(real)
    if real in (path,) or real in read or entry.kind != "file" or not pristine(entry.content):
        return []
    return [Change(real, entry, ABSENT, owners.get(real, ""))]
