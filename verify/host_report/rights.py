"""Who may write what the question to a host believes and executes: the verification's words for the rule.

Sent to the host with on_host.py (see asking.py), so it needs the standard library alone and runs on Python
3.8 and newer.  `host.processes.trust` and `host.executed` have the same rule for the transaction; tests hold
both to one table.
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import stat
from typing import Iterator, List, Set, Tuple

#: nginx's words: a comment; what ends a statement; quoted; bare.
_WORD = re.compile(
    rb"""(?:\#[^\n]*|(?P<end>[;{}])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'"""
    rb"""|(?P<bare>(?:\\.|\$\{|[^\s;{\\])+))""",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"""\\([\\"' ])""")
_WILDCARD = re.compile(r"[*?\[]")
_CODE = (b"load_module", b"perl_modules", b"perl_require", b"init_by_lua_file")
#: Modules with which every file of the configuration may bring code: loaded, or compiled in (``nginx -V``).
_RUNS_CODE = re.compile(rb"(?:^|/)ngx_(?:http|stream)_(?:perl|lua|mruby)_module\.so$")
_BUILT_IN = re.compile(r"--with-http_perl_module(?!=dynamic)|--add-module=\S*(?:perl|lua|mruby)")
_WORTH_READING = re.compile(rb"include|load_module|engine:|perl_|_lua_")
#: What is looked at of a configuration, files and bytes: whoever may write a part of it may write much.
_MOST_FILES, _MOST_BYTES, _MOST_WORDS = 5000, 256 * 2**20, 8 * 2**20
_PIECE = 2**20


def ours(*uids: int) -> bool:
    """Whether user ids are all root's, or all those of the user that asks."""
    return len(set(uids)) == 1 and uids[0] in (0, os.geteuid())


def fault(path: str, status: os.stat_result, end: bool) -> str:
    """Return why others than root and ourselves can write a file or directory, else nothing.

    A sticky directory may be on the way to a file; a group of root alone may write.
    """
    if not ours(status.st_uid):
        return f"{path} belongs to user {status.st_uid}"
    mode = stat.S_IMODE(status.st_mode)
    if not mode & 0o022 or (stat.S_ISDIR(status.st_mode) and mode & stat.S_ISVTX and not end):
        return ""
    try:
        names = grp.getgrgid(status.st_gid).gr_mem
        members = {pwd.getpwnam(name).pw_uid for name in names}
        members.update(user.pw_uid for user in pwd.getpwall() if user.pw_gid == status.st_gid)
        alone = all(map(ours, members)) and "system.posix_acl_access" not in os.listxattr(
            path, follow_symlinks=False
        )
    except (KeyError, OSError):
        alone = False
    return "" if alone and not mode & 0o002 else f"{path} has mode {mode:04o}"


def weak_step(path: str) -> str:
    """Return which step of the way to a path, links followed, others can write, and why; else nothing."""
    left, at, links = path.split("/")[::-1], "/", 0
    found = fault(at, os.lstat(at), end=not any(left))
    while left and not found:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)
            continue
        step = os.path.join(at, name)
        try:
            status = os.lstat(step)
            if not stat.S_ISLNK(status.st_mode):
                found, at = fault(step, status, end=not any(left)), step
                continue
            if os.lstat(at).st_mode & stat.S_ISVTX and not ours(status.st_uid):
                return f"{step} belongs to user {status.st_uid}"
            target = os.readlink(step)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            return f"{step}: {error.strerror}"
        links += 1
        if links > 40:
            return ""
        left += target.split("/")[::-1]
        at = "/" if target.startswith("/") else at
    return found


def strangers_code(conf: str, prefix: str, built: str) -> str:
    """Return why a test of the configuration would run what others can write, else nothing.

    Args:
        conf: the main file.
        prefix: nginx's prefix, on which relative paths of modules hang.
        built: what ``nginx -V`` says.
    """
    found = [os.path.dirname(conf), conf]
    included: List[str] = []
    everywhere = bool(_BUILT_IN.search(built))
    left = [(conf, True)]
    seen: Set[Tuple[str, bool]] = set()
    size = words_size = 0
    while left:
        file, main = left.pop()
        if (file, main) in seen:
            continue
        seen.add((file, main))
        content = _content(file)
        size += len(content)
        content = content if _WORTH_READING.search(content) else b""
        words_size += len(content)
        if len(seen) > _MOST_FILES or size > _MOST_BYTES or words_size > _MOST_WORDS:
            return f"{conf} includes more than can be looked at ({len(seen)} files, {size} bytes)"
        for depth, (name, *words) in statements(content):
            paths = [os.fsdecode(word) for word in words]
            if name in _CODE:
                found += [os.path.join(prefix, path) for path in paths]
                everywhere = everywhere or bool(name == b"load_module" and _RUNS_CODE.search(words[0]))
            elif name == b"include" and paths:
                pattern = os.path.join(os.path.dirname(conf), paths[0])
                files = sorted(glob.glob(pattern))
                wild = _WILDCARD.search(pattern)
                read = [os.path.dirname(pattern[: wild.start()]) or "/"] if wild else [pattern]
                at_main = main and not depth
                (found if at_main else included).extend(read + files)
                left += [(one, at_main) for one in files]
            found += [path for word in words for path in engine(word)]
    return next(filter(None, map(weak_step, dict.fromkeys(found + included * everywhere))), "")


def engine(word: bytes) -> Iterator[str]:
    """Yield the file that OpenSSL would load for a key: ``engine:NAME:ID``, whose name may be a path."""
    if word.startswith(b"engine:") and b"/" in word.split(b":")[1]:
        yield os.fsdecode(word.split(b":")[1])


def statements(data: bytes) -> Iterator[Tuple[int, List[bytes]]]:
    """Yield each statement of a file with the number of blocks around it."""
    depth = 0
    words: List[bytes] = []
    for match in _WORD.finditer(data):
        if match["end"]:
            if words:
                yield depth, words
            words = []
            depth += {b"{": 1, b"}": -1}.get(match["end"], 0)
        elif match.lastgroup:
            words.append(_ESCAPED.sub(rb"\1", match[match.lastgroup]))


def _content(path: str) -> bytes:
    """Return what a file holds; nothing of what is none, or has no end."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return b""
            # In pieces: Python takes the memory for all that it is asked to read before it reads any.
            content = bytearray()
            while len(content) <= _MOST_BYTES:
                piece = stream.read(_PIECE)
                if not piece:
                    break
                content += piece
            return bytes(content)
    except OSError:
        return b""
