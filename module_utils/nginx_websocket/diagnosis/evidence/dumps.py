"""What people hand over in place of a host: the output of ``nginx -T``, a file, a part of one, or neither."""

from __future__ import annotations

import re

from ...conf.dump import load_dump
from ...conf.load import load
from ...conf.tree import Configuration
from .not_given import AROUND

MARK = b"# configuration file "
_SERVER = re.compile(rb"^\s*(?:server|upstream|map|location)\b[^{};]*\{", re.M)
_OUTER = re.compile(rb"^\s*(?:http|stream|events)\s*\{", re.M)
_LOCATION = re.compile(rb"\A(?:\s|#[^\n]*\n)*location\b")


class NoConfiguration(Exception):
    """What was given holds no configuration of nginx; the message says what it is."""


def read_dump(dump: bytes, name: str = "", listen: str = "80") -> Configuration:
    """A configuration from the output of ``nginx -T``, from one file, or from the blocks of one.

    The includes of a single file are not followed: on the machine that reads it, they are another's.

    Args:
        dump: as it was saved: with a byte order mark, in UTF-16 (as PowerShell does), behind a prompt.
        name: of a single file.
        listen: where a location that comes without a server is asked.

    Raises:
        NoConfiguration: there is no block in it at all.
        ConfSyntaxError: nginx would not read it.
    """
    text = decoded(dump)
    if MARK in text:
        return load_dump(text[text.index(MARK) :])
    if not text.strip():
        raise NoConfiguration("the dump is empty (nginx -T needs root: sudo nginx -T > FILE)")
    if b"{" not in text:
        first = text.strip().split(b"\n")[0][:100].decode("utf-8", "replace")
        raise NoConfiguration(f"what was given is no nginx configuration, it says: {first}")
    if b"\0" in text or text.lstrip()[:1] == b"<":
        what = "a page of HTML" if b"\0" not in text else "a file of another kind, no text"
        raise NoConfiguration(f"what was given is no nginx configuration: it looks like {what}")
    main = name or "nginx.conf"
    files = {main: text}
    if _OUTER.search(text) is None and _SERVER.search(text) is not None:
        # A site's own file: nginx would include it from its main one.
        inner = f"server {{ listen {listen}; include %s; }}" if _LOCATION.match(text) else "include %s;"
        quoted = '"' + main.replace("\\", "\\\\").replace('"', '\\"') + '"'
        outer = main + AROUND
        files[outer] = f"events {{}} http {{ {inner % quoted} }}".encode()
        main = outer

    def read(path: str) -> bytes:
        # Relative names are below the directory of the main file, which is nobody's here.
        return next(
            (files[known] for known in files if path in (known, "/" + known) or path.endswith("/" + known)),
            b"",
        )

    configuration = load(main, read=read, glob=lambda pattern: [])
    configuration.alone = True
    return configuration


def decoded(dump: bytes) -> bytes:
    """The dump in UTF-8 without byte order mark, line ends as they were."""
    if dump.startswith((b"\xff\xfe", b"\xfe\xff")):
        return dump.decode("utf-16", "replace").encode("utf-8")
    if dump[:400].count(b"\0") > len(dump[:400]) // 4:
        order = "utf-16-le" if dump[1:2] == b"\0" else "utf-16-be"
        return dump.decode(order, "replace").encode("utf-8")
    return dump[3:] if dump.startswith(b"\xef\xbb\xbf") else dump
