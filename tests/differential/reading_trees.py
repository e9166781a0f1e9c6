"""Random configurations of many files: includes, patterns, links, and comments that look like a dump's lines.

Every block holds marks, ``types { t/N x; t/N x; }``: nginx warns of the second entry with file and line, so
its warnings tell in which order it read the marks and in which block each of them stands.
"""

from __future__ import annotations

import os
import random
from typing import List

NAMES = (
    "a.conf",
    "b.conf",
    "ab.conf",
    "c",
    "B.conf",
    ".hidden.conf",
    "x-1.conf",
    "\u00e9.conf",
    "a b.conf",
    "[z].conf",
    "a.conf~",
)
DIRECTORIES = ("", "d/", "e/", "s/sub/", "D/")
PATTERNS = (
    "*.conf",
    "d/*",
    "d/*.conf",
    "*/a.conf",
    "?.conf",
    "[ab].conf",
    "[!a]*.conf",
    "[^a]*.conf",
    "d/[a-c]*",
    "e/.h*",
    "e/*",
    "*/*.conf",
    "s/sub/*",
    "none/*.conf",
    "d/[[:alpha:]]*.conf",
    "D/*",
    "d//*.conf",
    "./e/*.conf",
    "e/?b.conf",
    "lnd/*.conf",
    "s/*",
    "\\\\[z\\\\].conf*",
    "d/[]a]*",
    "[x-",
    "d/[b-",
    "D/[[:upper:]]*",
    "*b*.c*f",
    "e/[[:digit:][:alpha:]].conf",
)
GAPS = (b"\n", b"\n", b"\n\n", b" ", b"\n    ", b"\r\n", b'\n# a comment; { " }\n', b"\n\n# another\n")

HEADERS = (
    b'add_header X "a;b{" ;',
    b"add_header\tY 'it # is'\n;",
    b'add_header Z "\n# configuration file /etc/nginx/zz.conf:\n";',
    b"add_header V ${uri}x;",
    b'add_header W "\\"}";',
)
BROKEN = (
    b"zzz;",
    b"}",
    b"{",
    b"include;",
    b"include a b;",
    b"include a.conf {}",
    b"types { a { } }",
    b"types { a b;",
    b"add_header 'x",
    b"include no-such-file;",
    b"include d;",
    b'"a"b;',
    b"map $uri $u { a { b c; } }",
    b"http {",
    b"include *.conf { }",
    b"# x",
)


class Tree:
    """Writes one random configuration below a directory and remembers what it wrote."""

    def __init__(self, rng: random.Random, directory: str, *, hostile: bool) -> None:
        self.rng = rng
        self.directory = directory
        self.hostile = hostile
        self.number = 0
        self.paths: List[str] = []
        for name in DIRECTORIES:
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        count = rng.randrange(2, 9)
        wanted = {rng.choice(DIRECTORIES) + rng.choice(NAMES) for _ in range(count)}
        self.paths = sorted(wanted, key=os.fsencode)

    def write(self) -> str:
        rng = self.rng
        main = os.path.join(self.directory, "main.cf")
        for rank, path in enumerate(self.paths):
            self.put(path, self.content(rank + 1, "any"))
        if rng.random() < 0.4:
            self.link()
        body = self.content(0, "http")
        servers = b"".join(self.server(index) for index in range(rng.randrange(3)))
        here = os.fsencode(self.directory)
        kinds = (b"client_body", b"proxy", b"fastcgi", b"uwsgi", b"scgi")
        temporary = b"".join(b"%s_temp_path %s/tmp; " % (kind, here) for kind in kinds)
        head = b"pid %s/pid; error_log /dev/null;\nevents {}\nhttp {\n%s\n" % (here, temporary)
        last = rng.choice((b"\n", b"", b"\n\n"))
        self.put("main.cf", head + b"types_hash_bucket_size 1024;" + body + b"\n" + servers + b"}" + last)
        return main

    def put(self, path: str, content: bytes) -> None:
        with open(os.path.join(self.directory, path), "wb") as file:
            file.write(content)

    def link(self) -> None:
        rng = self.rng
        kind = rng.choice(
            ["file", "directory"] + (["dangling", "self", "directory.conf"] if self.hostile else [])
        )
        name = rng.choice(DIRECTORIES) + rng.choice(("ln.conf", "l2.conf"))
        target = os.path.join(self.directory, rng.choice(self.paths))
        if kind == "self":
            target = os.path.basename(name)
        elif kind == "dangling":
            target = "nowhere"
        elif kind == "directory":
            name, target = "lnd", rng.choice(("d", "e"))
        elif kind == "directory.conf":
            target = self.directory + "/d"
        os.symlink(target, os.path.join(self.directory, name))

    def server(self, index: int) -> bytes:
        name = b"s%d.test" % index
        return b"server { listen 127.0.0.1:18080; server_name %s;%s\n}\n" % (name, self.content(0, "server"))

    def content(self, rank: int, context: str) -> bytes:
        """Statements; a file includes only files behind it in the order of names, unless it is hostile."""
        rng = self.rng
        pieces = [rng.choice(GAPS)]
        for _ in range(rng.randrange(1, 5)):
            pieces += [self.statement(rank, context), rng.choice(GAPS)]
        text = b"".join(pieces)
        return text.rstrip(b"\n ") if rng.random() < 0.2 and context == "any" else text

    def statement(self, rank: int, context: str) -> bytes:
        rng = self.rng
        kind = rng.random()
        self.number += 1
        if kind < 0.3:
            return self.mark()
        if kind < 0.6:
            return self.include(rank)
        if kind < 0.66:
            return self.false_marker()
        if kind < 0.74:
            return rng.choice(HEADERS)
        if self.hostile and kind < 0.8:
            return rng.choice(BROKEN)
        if context == "server" and kind < 0.9:
            return b"location /%d%s{%s}" % (
                self.number,
                rng.choice((b"", b"\r\n")),
                self.content(rank, "location"),
            )
        if context == "http" and kind < 0.9:
            entries = rng.choice((b"", b"default a;", b"\nb '}';#{\n", b'"{" c ;'))
            return b"map $uri $m%d%s{%s}" % (self.number, rng.choice((b" ", b"\n")), entries)
        return b"types%s{%s}" % (rng.choice((b"", b" ", b"\n")), self.entries(rank))

    def entries(self, rank: int) -> bytes:
        rng = self.rng
        return b"".join(
            rng.choice((b" ", b"\n")) + b"t/%d y%d y%d;" % (self.number, rng.randrange(3), rng.randrange(3))
            for _ in range(rng.randrange(1, 4))
        ) + rng.choice((b"", b"\n"))

    def mark(self) -> bytes:
        self.number += 1
        return b"types {%st/%d x;%st/%d x; }" % (
            self.rng.choice((b"", b" ", b"\n")),
            self.number,
            self.rng.choice((b" ", b"\n")),
            self.number,
        )

    def include(self, rank: int) -> bytes:
        rng = self.rng
        choices = self.paths if self.hostile and rng.random() < 0.2 else self.paths[rank:]
        # Patterns match files before this one, too: only the main file may use them, or loops are the rule.
        if (rank == 0 or (self.hostile and rng.random() < 0.2)) and rng.random() < 0.6:
            name = os.fsencode(rng.choice(PATTERNS))
        elif choices:
            name = os.fsencode(rng.choice(choices))
            if b"[" in name:
                name = name.replace(b"[", b"\\\\[").replace(b"]", b"\\\\]")
        else:
            return self.mark()
        if rng.random() < 0.2:
            name = os.fsencode(self.directory) + b"/" + name
        form = rng.choice((b"%s", b'"%s"', b"'%s'"))
        if b" " in name and form == b"%s":
            form = b'"%s"'
        if form == b"%s" and rng.random() < 0.3:
            return b"include\n" + name + b"\t;"
        return b"include " + form % name + b";"

    def false_marker(self) -> bytes:
        rng = self.rng
        name = os.fsencode(rng.choice(("zz.conf", "main.cf", *self.paths[:2])))
        directory = os.fsencode(rng.choice((self.directory, "/etc/nginx")))
        return b"\n# configuration file " + directory + b"/" + name + b":\n" + self.mark()
