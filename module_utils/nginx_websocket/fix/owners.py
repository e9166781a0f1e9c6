"""Whose a file is: one that another tool writes again loses an edit, and a release of ours is not patched."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Callable, List, Optional, Sequence

from ..transaction.site.release import claimed
from .mending import Hunk

Read = Callable[[str], bytes]
DPKG = "/var/lib/dpkg"
CERTBOT = "managed by Certbot"
_HEAD_LINES = 40
_HEADER = re.compile(
    r"(?i)\b(?:"
    r"(?P<tool>ansible|puppet|chef|salt|saltstack|cfengine|terraform|nixos|plesk|aapanel|baota|cpanel|"
    r"directadmin|ispconfig|hestia(?:cp)?|vesta(?:cp)?|virtualmin|cyberpanel|cloudpanel|froxlor|keyhelp|ploi|"
    r"runcloud|forge|dokku|nginx proxy manager|nginx-proxy|docker-gen|confd|consul-template)[ -]managed"
    r"|(?:is|was|being)? ?(?:automatically |auto-?)?(?:managed|generated|maintained|written|created) "
    r"(?:automatically )?(?:by|from|with|using) (?P<other>[\w.-]+(?: [\w.-]+)?)"
    r"|(?P<not>do not (?:edit|modify|change)|don'?t (?:edit|modify)|auto-?generated|automatically generated|"
    r"(?:will|may) be (?:overwritten|overridden|lost))"
    r")"
)
"""What tools write at the head of what they write again.  Comments of certbot are about single lines."""
_DIRECTORIES = (
    ("/www/server/panel/vhost/", "aaPanel"),
    ("/var/www/vhosts/system/", "Plesk"),
    ("/etc/nginx/plesk.conf.d/", "Plesk"),
    ("/etc/nginx/conf.d/users/", "cPanel"),
    ("/usr/local/directadmin/", "DirectAdmin"),
    ("/data/nginx/", "Nginx Proxy Manager"),
    ("/etc/nginx/hestiacp/", "Hestia"),
    ("/home/dokku/", "Dokku"),
    ("/nix/store/", "NixOS"),
    ("/run/", "whatever makes it at every start"),
    ("/usr/share/", "the distribution's package"),
    ("/usr/lib/", "the distribution's package"),
)
_HOME_PANEL = re.compile(r"/home/[^/]+/conf/(?:web|mail)/")


def ours(content: bytes) -> bool:
    """Whether the role wrote a file."""
    return claimed(content) is not None


def owner(path: str, content: bytes, read: Read) -> str:
    """Which tool writes a file again, in words; "" where it is the user's own.

    Args:
        path: real path of the file.
        content: what it holds.
        read: reads dpkg's lists.
    """
    for directory, tool in _DIRECTORIES:
        if path.startswith(directory):
            return f"it stands in {directory}, which belongs to {tool}"
    if _HOME_PANEL.match(path):
        return "it stands where Hestia and Vesta keep what they generate"
    return _said(content) or _packaged(path, content, read)


def _said(content: bytes) -> str:
    """What the comments at the head of a file say of its owner.

    Only whole lines count that stand before the first directive.
    """
    for line in content.decode("utf-8", "replace").split("\n")[:_HEAD_LINES]:
        text = line.strip()
        if text and not text.startswith("#"):
            break
        found = _HEADER.search(text)
        if found is not None and "certbot" not in text.lower():
            return f"its head says: {text.lstrip('# ')[:100]}"
    return ""


def _packaged(path: str, content: bytes, read: Read) -> str:
    """Whether dpkg owns a file: it replaces one of a package, and a conffile as long as nobody edited it."""
    # MD5 is what dpkg lists; nothing is kept safe by it.
    digest = hashlib.md5(content).hexdigest()  # nosec B324
    if path.startswith("/etc/"):
        try:
            status = read(os.path.join(DPKG, "status")).decode("utf-8", "replace")
        except OSError:
            return ""
        if re.search(rf"^ {re.escape(path)} {digest}(?: |$)", status, re.MULTILINE):
            return "it is a file of a package as the package brought it, which an upgrade replaces"
    return ""


def certbots_line(hunks: Sequence[Hunk]) -> Optional[Hunk]:
    """The first change that would take or rewrite a line which certbot manages; None for none."""
    for hunk in hunks:
        kept: List[str] = list(hunk.added)
        if any(CERTBOT in line and line not in kept for line in hunk.removed):
            return hunk
    return None
