"""Whose a file is: one that another tool writes again loses an edit, and a release of ours is not patched."""

from __future__ import annotations

import contextlib
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
_TOOLS = (
    r"ansible|puppet|chef|salt(?:stack)?|cfengine|rudder|terraform|nixos|cloud-init|plesk|aapanel|baota|"
    r"cpanel|directadmin|ispconfig|hestia(?:cp)?|vesta(?:cp)?|virtualmin|cyberpanel|cloudpanel|froxlor|"
    r"keyhelp|ploi|runcloud|forge|dokku|nginx proxy manager|nginx-proxy|docker-gen|confd|consul[- ]template"
)
_NOBODY = r"(?:hand|me|us|myself|ourselves|humans?|nginxconfig\.io|digitalocean|mozilla|certbot)\b"
"""Who writes a file once, or is the user."""
_HEADER = re.compile(
    rf"(?i)\b(?:{_TOOLS})[ -](?:has )?(?:managed|generated)\b"
    rf"|\b(?:managed|generated|maintained|written|created|provisioned|controlled|rendered|deployed) "
    rf"(?:automatically )?(?:by|from|with|using|via|through) (?:\S+ ){{0,2}}(?:{_TOOLS})\b"
    rf"|\b(?:managed|generated) (?:automatically )?(?:by|from|with|using) (?!(?:the )?{_NOBODY})[\w.-]+"
    r"|\bdo not (?:edit|modify|change|touch) (?:this|the|it|by|manually|directly)\b"
    r"|\b(?:do not|don'?t) (?:edit|modify|change)\b|\bauto(?:matically)?[- ]?generated\b|\bgenerated file\b"
    r"|\bgenerated automatically\b"
    r"|\b(?:will|may|are going to) (?:be|get) (?:overwritten|overridden|lost|replaced)\b"
)
"""What tools write at the head of what they write again.  Comments of certbot are about single lines."""
_BLOCK = re.compile(r"(?i)^\s*#.*\b(?P<mark>BEGIN|END)\b.*\bANSIBLE MANAGED BLOCK\b")
"""What Ansible's blockinfile writes around its lines."""
_TEMPLATES = "/etc/nginx/templates"
"""From here the image of nginx renders /etc/nginx/conf.d at every start of a container."""
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
_ISPCONFIG = re.compile(r"/etc/nginx/sites-(?:available|enabled)/(?:\d+-)?[\w.-]+\.vhost$")
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
    if _ISPCONFIG.match(path):
        return "its name is that of ISPConfig's generated files"
    if path.startswith("/etc/nginx/conf.d/"):
        template = os.path.join(_TEMPLATES, os.path.relpath(path, "/etc/nginx/conf.d") + ".template")
        with contextlib.suppress(OSError):
            read(template)
            return f"a container renders it from {template} at every start"
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
        if found is not None and "certbot" not in text.lower() and not _BLOCK.match(line):
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


def tools_block(before: bytes, hunks: Sequence[Hunk]) -> Optional[Hunk]:
    """The first change within lines that Ansible's blockinfile owns; None for none."""
    starts: List[int] = []
    for number, line in enumerate(before.decode("utf-8", "replace").split("\n"), 1):
        mark = _BLOCK.match(line)
        if mark is not None and mark.group("mark").upper() == "BEGIN":
            starts.append(number)
        elif mark is not None and starts:
            first = starts.pop()
            for hunk in hunks:
                last = hunk.line + len(hunk.removed) - 1 if hunk.removed else hunk.line
                if (hunk.removed and hunk.line <= number and last >= first) or first < hunk.line <= number:
                    return hunk
    return None
