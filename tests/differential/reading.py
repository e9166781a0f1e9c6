#!/usr/bin/env python3
"""Differential test of reading: module_utils/nginx_websocket/conf against the nginx that is installed.

    python3 tests/differential/reading.py --seed 1 --cases 20000 [--nginx /usr/sbin/nginx]

The same seed makes the same cases.  Three comparisons:

tokens  Random bytes as the content of a ``types`` block, read twice: nginx warns of each repeated extension
        with its value, its entry's first word, file and line, so every word of every entry is compared, and
        for bytes that nginx refuses, its message and place.
trees   Random files with includes, patterns and links: the same marks in the same order and blocks, the same
        files as ``nginx -T`` prints, the same error at the same place.
dumps   The output of ``nginx -T`` for these trees, false markers included, read back by load_dump(): the same
        tree.

Prints one line a comparison and each disagreement with its seed; exits 1 if there is any.  Standard library
alone, no root needed; nginx listens on nothing, it only tests.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from reading_soup import soup
from reading_trees import Tree

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tokens import read_statement
from module_utils.nginx_websocket.conf.tree import Configuration, ConfSyntaxError, Directive, Source

BATCH = 40
"""Soups in one nginx process: as many that we take for valid, then one that we do not."""
STAMP = re.compile(rb"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(warn|emerg|crit)\] \d+#\d+: ", re.MULTILINE)
SEMANTIC = re.compile(
    rb'\[emerg\] (?:unknown directive "(.*)"|"(.*)" directive is not allowed here) in (.*):(\d+)\n'
)
MAX_ERROR = 1024
"""NGX_MAX_CONF_ERRSTR: nginx cuts a message here, before " in FILE:LINE"."""


class Entry(NamedTuple):
    """One entry of a ``types`` block."""

    words: List[bytes]
    file: bytes
    line: int
    block: int
    """What identifies the block that the types belong to: extensions are remembered by block."""


class Nginx:
    """Runs ``nginx -t`` or ``-T`` and gives what it logged, without time and process id."""

    def __init__(self, binary: str) -> None:
        self.binary = binary

    def run(self, main: str, flag: str = "-t") -> Tuple[bool, bytes, bytes]:
        # Few descriptors: an include loop ends when they are used up.
        process = subprocess.run(
            [self.binary, flag, "-c", main],
            capture_output=True,
            timeout=20,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)),
        )
        log = STAMP.sub(rb"[\1] ", process.stderr)
        return process.returncode == 0, re.sub(rb"(?m)^nginx: ", b"", log), process.stdout


def warnings(entries: List[Entry]) -> bytes:
    """What nginx logs for these entries (ngx_http_core_type, ngx_conf_log_error)."""
    lines = []
    known: Dict[int, Dict[bytes, bytes]] = {}
    for entry in entries:
        types = known.setdefault(entry.block, {})
        for word in entry.words[1:]:
            extension = lower(word)
            key = extension.split(b"\0")[0]
            if key in types:
                message = b'duplicate extension "%s", content type: "%s", previous content type: "%s"' % (
                    extension,
                    entry.words[0],
                    types[key],
                )
                lines.append(b"[warn] %s in %s:%d\n" % (message[:MAX_ERROR], entry.file, entry.line))
            types[key] = entry.words[0]
    return b"".join(lines)


def lower(word: bytes) -> bytes:
    return word.lower()  # ASCII alone, as ngx_tolower


def soup_entries(source: Source) -> Tuple[List[Entry], Optional[ConfSyntaxError]]:
    """The entries that read_statement() finds, up to the first error, by the rules of a ``types`` block."""
    entries: List[Entry] = []
    pos = 0
    try:
        while True:
            words, last = read_statement(source, pos)
            pos = last.end
            if last.kind == "end":
                return entries, None
            if last.kind != ";":
                raise ConfSyntaxError(f'unexpected "{last.kind}"', source.name, last.line)
            entries.append(Entry([word.value for word in words], os.fsencode(source.name), last.line, 0))
    except ConfSyntaxError as error:
        return entries, error


def emergency(error: ConfSyntaxError) -> bytes:
    return b"[emerg] %s in %s:%d\n" % (os.fsencode(error.message), os.fsencode(error.file), error.line)


class Tokens:
    """The first comparison."""

    def __init__(self, nginx: Nginx, directory: str) -> None:
        self.nginx = nginx
        self.directory = directory
        self.main = os.path.join(directory, "nginx.conf")
        self.processes = 0

    def compare(self, soups: List[Tuple[str, bytes]]) -> Optional[str]:
        """Compare some soups, of which only the last may be one that we refuse."""
        entries: List[Entry] = []
        error: Optional[ConfSyntaxError] = None
        names = []
        for number, (_, content) in enumerate(soups):
            name = os.path.join(self.directory, f"s{number}")
            names += [name, name]
            with open(name, "wb") as file:
                file.write(content)
            found, error = soup_entries(Source(name, content))
            entries += found if error else found * 2
        includes = "".join(f"include {name};" for name in names)
        with open(self.main, "w", encoding="ascii") as file:
            file.write(f"pid {self.directory}/pid; error_log /dev/null; events {{}}\n")
            file.write(f"http {{ types {{ {includes} }} }}")
        valid, log, _ = self.nginx.run(self.main)
        self.processes += 1
        expected = warnings(entries) + (emergency(error) if error else b"")
        log = log[: log.rfind(b"configuration file")]
        if not error:
            log = log[: log.rfind(b"the configuration file")]
        mine = self.loaded(error)
        if mine:
            return mine
        if valid == (error is None) and unprintable(log) == unprintable(expected):
            return None
        return f"nginx: {log!r}\n  we:    {expected!r}"

    def loaded(self, error: Optional[ConfSyntaxError]) -> Optional[str]:
        """load() has a fast path of its own: it must find what read_statement() finds."""
        try:
            configuration = load(self.main)
        except ConfSyntaxError as other:
            return None if error and str(other) == str(error) else f"load(): {other}, tokens: {error}"
        if error:
            return f"load() takes what read_statement() refuses: {error}"
        for name, content in configuration.files.items():
            if name != self.main:
                entries = soup_entries(Source(name, content))[0]
                read = [d for d in configuration.walk() if d.file == name]
                mine = [
                    Entry([d.name, *d.args], os.fsencode(name), d.source.line(d.end - 1), 0) for d in read
                ]
                if mine != entries * 2:
                    return f"load(): {mine!r}\n  tokens: {entries!r}"
        return None


def unprintable(log: bytes) -> bytes:
    r"""Our messages show as \xNN what nginx prints as it is; warnings are compared as they are."""
    head, mark, message = log.rpartition(b"[emerg] ")
    show = [b"\\x%02x" % byte if byte < 32 or byte >= 127 else b"%c" % byte for byte in message.rstrip(b"\n")]
    return head + mark + b"".join(show)


def compare_tokens(nginx: Nginx, seed: int, cases: int, report: List[str]) -> str:
    valid: List[Tuple[str, bytes]] = []
    refused: List[Tuple[str, bytes]] = []
    counts = [0, 0]
    with tempfile.TemporaryDirectory() as directory:
        tokens = Tokens(nginx, directory)

        def flush(batch: List[Tuple[str, bytes]]) -> None:
            if not batch or tokens.compare(batch) is None:
                return
            before = len(report)
            for case, content in batch:  # find the one that matters
                difference = tokens.compare([(case, content)])
                if difference:
                    report.append(f"tokens {case}: {content!r}\n  {difference}")
            if len(report) == before:
                report.append(f"tokens {batch[0][0]} to {batch[-1][0]}: {tokens.compare(batch)}")

        for number in range(cases):
            case = f"{seed}:{number}"
            content = soup(random.Random(f"soup {case}"))
            error = soup_entries(Source("soup", content))[1]
            counts[error is not None] += 1
            (refused if error else valid).append((case, content))
            if refused and len(valid) + len(refused) >= 2:
                flush(valid[:BATCH] + refused[:1])
                del valid[:BATCH], refused[:1]
            elif len(valid) >= BATCH:
                flush(valid[:BATCH])
                del valid[:BATCH]
        flush(valid[:BATCH])
        for last in refused:
            flush([last])
        kinds = f"{counts[0]} valid, {counts[1]} refused"
        return f"tokens: {cases} cases ({kinds}), {tokens.processes} nginx processes"


def tree_entries(configuration: Configuration) -> List[Entry]:
    entries = []
    for directive in configuration.walk():
        if directive.parent is not None and directive.parent.name == b"types":
            block = directive.parent.parent
            words = [directive.name, *directive.args]
            line = directive.source.line(directive.end - 1)
            entries.append(Entry(words, os.fsencode(directive.file), line, id(block) if block else 0))
    return entries


def shape(configuration: Configuration) -> Iterator[Tuple[int, bytes, Tuple[bytes, ...], str, int]]:
    depths: Dict[Optional[Directive], int] = {None: 0}
    for directive in configuration.walk():
        depth = depths[directive.parent]
        if directive.block is not None:
            depths[directive] = depth + 1
        yield depth, directive.name, directive.args, directive.file, directive.line


def as_dump(configuration: Configuration) -> bytes:
    files = configuration.files.items()
    return b"".join(b"# configuration file %s:\n%s\n" % (os.fsencode(name), data) for name, data in files)


def compare_tree(
    nginx: Nginx, main: str, counts: Dict[str, int], *, hostile: bool
) -> Tuple[Optional[str], str]:
    """One tree: a disagreement, and what kind of tree it was; what was compared is added to the counts.

    Only a hostile tree may include itself.
    """
    try:
        valid, log, dump = nginx.run(main, "-T")
    except subprocess.TimeoutExpired:
        # Loops that branch keep nginx busy: at its last descriptor glob() finds nothing, and it goes on.
        try:
            load(main)
        except ConfSyntaxError as error:
            if "include loop" in error.message:
                return None, "refused"
        return "nginx needs more than 20 seconds", "refused"
    cut = log.rfind(b"the configuration file" if valid else b"configuration file")
    log = log[:cut]
    try:
        configuration = load(main)
    except ConfSyntaxError as error:
        found = log[log.rfind(b"[", 0, log.rfind(b"] ") + 1) :]
        expected = emergency(error)
        if "include loop" in error.message and hostile:
            # nginx goes on to its last descriptor.  There a name fails, but a pattern only finds nothing: the
            # way back may even be valid.  We refuse both.
            return None, "refused"
        if SEMANTIC.search(found):
            same = True  # nginx did not get as far as we
        elif error.message.startswith("pread()"):  # nginx names no place here
            same = b"[crit] " + os.fsencode(error.message) + b"\n" == found
        else:
            same = found == expected
        if same and not valid:
            return None, "refused"
        return f"nginx: {found!r}\n  we:    {expected!r}", "refused"
    expected = warnings(tree_entries(configuration))
    if not valid:
        # Errors that are none of reading's: only an unknown or a misplaced directive is made here.
        match = SEMANTIC.search(log)
        if not match or not expected.startswith(log[: match.start()]):
            return f"nginx: {log!r}\n  we:    {expected!r}", "unknown"
        place = (match.group(1) or match.group(2), os.fsdecode(match.group(3)), int(match.group(4)))
        places = [(d.name, d.file, d.source.line((d.body or d.end) - 1)) for d in configuration.walk()]
        return (None if place in places else f"nginx: {place!r} is nowhere in our tree"), "unknown"
    if log != expected:
        return f"nginx: {log!r}\n  we:    {expected!r}", "valid"
    if as_dump(configuration) != dump:
        return f"nginx -T: {dump!r}\n  we:       {as_dump(configuration)!r}", "valid"
    counts["files"] += len(configuration.files)
    counts["marks"] += expected.count(b"[warn] ")
    try:
        back = load_dump(dump)
    except ConfSyntaxError as error:
        return f"dump: {error}\n  {dump!r}", "valid"
    if list(shape(back)) != list(shape(configuration)) or back.files != configuration.files:
        if as_dump(back) == dump:
            return None, "ambiguous"  # nginx would print the very same bytes for the files that we think of
        files = f"files {list(back.files)} instead of {list(configuration.files)}"
        return f"dump: {files}\n  {dump.decode(errors='replace')}", "valid"
    return None, "valid"


def compare_trees(nginx: Nginx, seed: int, cases: int, report: List[str]) -> str:
    kinds: Dict[str, int] = {"valid": 0, "ambiguous": 0, "refused": 0, "unknown": 0}
    counts = {"files": 0, "marks": 0}
    with tempfile.TemporaryDirectory() as base:
        for number in range(cases):
            case = f"{seed}:{number}"
            rng = random.Random(f"tree {case}")
            directory = os.path.join(base, "t")
            hostile = number % 3 == 0
            main = Tree(rng, directory, hostile=hostile).write()
            difference, kind = compare_tree(nginx, main, counts, hostile=hostile)
            kinds[kind] += 1
            if difference:
                report.append(f"trees {case} ({kind}): {difference}")
            shutil.rmtree(directory)
    if kinds["ambiguous"] > max(5, cases // 20):
        report.append(f"trees: {kinds['ambiguous']} dumps read as other files than they were made of")
    return (
        f"trees and dumps: {cases} cases ({kinds['valid']} valid, {kinds['refused']} refused by both, "
        f"{kinds['unknown']} refused for a directive unknown to nginx, {kinds['ambiguous']} whose dump "
        f"fits other files as well; {counts['files']} files, {counts['marks']} marks compared)"
    )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--cases", type=int, default=5000, help="soups; trees are a tenth of them")
    options.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx")
    options.add_argument("--show", type=int, default=10, help="disagreements to print")
    args = options.parse_args()
    nginx = Nginx(args.nginx)
    report: List[str] = []
    for compare, cases in ((compare_tokens, args.cases), (compare_trees, max(args.cases // 10, 1))):
        started = time.monotonic()
        line = compare(nginx, args.seed, cases, report)
        print(f"{line}, {time.monotonic() - started:.1f} s", flush=True)
    for difference in report[: args.show]:
        print(difference)
    print(f"seed {args.seed}: {len(report)} disagreements")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
