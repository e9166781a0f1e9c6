"""The inside of a container, looked at from the host: files, names and network of one of its processes.

Nothing of the container's is executed, and nothing of this host is mistaken for it. Its files are read below
its root by a child process with the rights of the process that they are read for; its network is entered by
the thread that asks (setns(2)), while files, and the libraries that resolve names, stay this host's.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import stat
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ...conf import foreign_json, globbing
from ...conf.below import Below
from ...conf.load import load
from ...conf.regular import open_regular
from ...conf.tree import ConfSyntaxError
from ..binary import Binary, NginxError, parse_version
from ..describe import Nginx, fill_in, unread
from ..masters import Master
from ..processes.apart import Unanswered, apart
from ..processes.proc import Proc
from . import lookup
from .answering import Contained
from .mounts import Home, home_of, mounts_of

SECONDS = 8.0
"""For one look at its files: a file system of its own may never answer."""
EXECUTABLE = 64 << 20
"""Bytes of its nginx that are searched for what ``nginx -V`` would print."""
KEPT = 1 << 20
"""Bytes of the engine's log that are read."""
_CLONE_NEWNET = 0x40000000
_VERSION = re.compile(rb"nginx version: [^\0\n]{1,200}")
_CONFIGURE = re.compile(rb"configure arguments:[^\0\n]{0,20000}")


class Inside:
    """The inside of one container.

    Args:
        found: its nginx.
        proc: the /proc to read.

    Raises:
        OSError: its root directory may not be opened.
    """

    def __init__(self, found: Contained, proc: Optional[Proc] = None) -> None:
        """Hold its root directory, whatever becomes of the process."""
        self.proc = proc or Proc()
        self.found = found
        self.pid = found.master.pid
        self._root = os.open(
            self.proc.path(self.pid, "root") + "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
        )
        self._still_there()
        self.tree = Below(self._root)
        self.rights = self.proc.credentials(self.pid)
        self.times: Dict[str, Tuple[float, float, bool]] = {}
        """Of its configuration: when content and inode of a path changed, and whether it is a directory."""
        self.hosts = self.resolv = ""
        self._kinds: Dict[str, str] = {}
        self._silent = False

    def _still_there(self) -> None:
        """What was opened of the process is its own: the number has not gone to another one meanwhile.

        Raises:
            ProcessLookupError: it has ended.
        """
        stat = self.proc.stat(self.pid)
        if stat is None or stat[1] != self.found.master.start_ticks:
            raise ProcessLookupError(errno.ESRCH, f"process {self.pid} has ended meanwhile")

    @property
    def words(self) -> str:
        """The container, as a person calls it."""
        name = self.found.name
        return f"the container {name}" if name else f"the container of process {self.pid}"

    def look(self, look: Callable[[], Any]) -> Any:  # noqa: ANN401  what JSON can hold
        """What a function finds out below its root, with the rights of its nginx.

        Raises:
            OSError: the function's, or no answer in time.
        """
        if self.rights is None or self._silent:
            raise OSError(0, "its files are not looked at any more")
        try:
            return apart(look, SECONDS, rights=self.rights)
        except Unanswered as error:
            self._silent = True
            raise OSError(0, str(error)) from None

    # ------------------------------------------------------------------------------------ its nginx

    def describe(self) -> Nginx:
        """Its nginx, by its executable's bytes, its command line and its files.

        Raises:
            NginxError: that is no nginx, or its files cannot be looked at.
        """
        master = self.found.master
        try:
            binary = self._binary(master)
            nginx = unread(binary, master)
            self._read(nginx)
        except OSError as error:
            raise NginxError(f"the nginx of {self.words} cannot be looked at: {error.strerror}") from None
        nginx.unsafe = f"it runs in {self.words}, and nothing of a container's is executed"
        return nginx

    def _binary(self, master: Master) -> Binary:
        path = self.proc.path(self.pid, "exe")
        try:
            text = apart(lambda: _told(path), SECONDS)
        except Unanswered as error:
            raise OSError(0, str(error)) from None
        self._still_there()
        return parse_version(text, master.exe)

    def _read(self, nginx: Nginx) -> None:
        seen = self.look(lambda: _gathered(self.tree, nginx.conf_path, nginx.prefix))
        self.hosts, self.resolv = seen["hosts"], seen["resolv"]
        self.times = {path: (times[0], times[1], times[2]) for path, times in seen["times"].items()}
        files: Dict[str, str] = seen["files"]

        def read(path: str) -> bytes:
            if path in files:
                return files[path].encode("latin-1")
            raise OSError(*seen["errors"].get(path, [2, "No such file or directory"]), path)

        try:
            nginx.configuration = load(
                nginx.conf_path,
                prefix=nginx.prefix,
                read=read,
                glob=lambda pattern: list(seen["globs"].get(pattern, ())),
            )
        except (ConfSyntaxError, OSError) as error:
            nginx.conf_error = str(error)
            return
        fill_in(nginx, nginx.configuration, self.found.master.directives)

    # ------------------------------------------------------------------------------------ its files

    def kind(self, path: str) -> str:
        """ "file", "directory" or "" where nothing is at a path; "" as well where it cannot be looked at."""
        if path not in self._kinds:
            try:
                self._kinds[path] = str(self.look(lambda: self.tree.kind(path)))
            except OSError:
                return ""
        return self._kinds[path]

    def size(self, path: str) -> int:
        """Bytes of a log; where it is no file (/dev/stderr), of what the engine has kept of the output.

        Raises:
            OSError: it is none, or may not be read.
        """
        try:
            return int(self.look(lambda: _size(self.tree, path)))
        except OSError:
            with open_regular(self.found.log) as file:
                return os.fstat(file.fileno()).st_size

    def tail(self, path: str, start: int) -> bytes:
        """The bytes of a log from an offset on.

        Raises:
            OSError: it is none, or may not be read.
        """
        try:
            text = self.look(lambda: self.tree.read(path, start=start).decode("latin-1"))
            return str(text).encode("latin-1")
        except OSError:
            with open_regular(self.found.log) as file:
                file.seek(start)
                return _lines(file.read(KEPT))

    def home(self, path: str) -> Home:
        """Where one of its files lies on this host."""
        try:
            real, device, inode = self.look(lambda: _real(self.tree, path))
        except OSError:
            return Home("")
        found = home_of(real, mounts_of(self.proc, self.pid), mounts_of(self.proc, os.getpid()))
        if found.path and not found.replaced:
            try:
                status = os.lstat(found.path)
            except OSError:
                return Home("")
            if (status.st_dev, status.st_ino) != (device, inode):
                return Home("")
        return found

    # ---------------------------------------------------------------------------------- its network

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread (and those that it starts) makes meanwhile are the container's.

        Raises:
            OSError: the kernel does not let us in.
        """
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(self.proc.path(self.pid, "ns", "net"), os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._still_there()
                _enter(there)
            finally:
                os.close(there)
            try:
                yield
            finally:
                _enter(own)
        finally:
            os.close(own)

    def resolve(self, host: str) -> List[str]:
        """IP addresses of a name, as the container has them."""
        plain = host.strip("[]")
        if lookup.literal(plain):
            return [plain]
        found = lookup.in_hosts(self.hosts, host)
        if found:
            return found
        try:
            with self.network():
                return lookup.ask(host, self.resolv)
        except OSError:
            return []

    def socket(self, path: str) -> str:
        """A path of this host at which a unix socket of the container's is reached, as long as we run.

        Where the container has nothing of that name, nothing is at the path either.
        """
        try:
            with self.tree.held(path) as descriptor:
                return f"/proc/{os.getpid()}/fd/{os.dup(descriptor)}"
        except OSError:
            return f"/proc/{os.getpid()}/fd/none"


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _told(path: str) -> str:
    """What an executable would print with -V: the words stand in it as they are."""
    with open(path, "rb") as file:
        data = file.read(EXECUTABLE)
    found = [pattern.search(data) for pattern in (_VERSION, _CONFIGURE)]
    return "\n".join(match.group().decode("utf-8", "replace") for match in found if match is not None)


def _lines(data: bytes) -> bytes:
    """What a container wrote, out of docker's json-file log."""
    found = []
    for line in data.split(b"\n"):
        with contextlib.suppress(ValueError):
            entry = foreign_json.loads(line.decode("utf-8", "replace"))
            found.append(str(entry.get("log", "")) if isinstance(entry, dict) else "")
    return "".join(found).encode()


def _size(tree: Below, path: str) -> int:
    status = tree.status(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return status.st_size


def _real(tree: Below, path: str) -> Tuple[str, int, int]:
    """A path without links, with the device and inode of what is there."""
    status = tree.status(path)
    return tree.real(path), status.st_dev, status.st_ino


def _gathered(tree: Below, main: str, prefix: str) -> Dict[str, Any]:
    """Every file of a configuration, what its patterns bring, and when all of that was changed."""
    files: Dict[str, str] = {}
    errors: Dict[str, List[Any]] = {}
    globs: Dict[str, List[str]] = {}
    times: Dict[str, List[Any]] = {}

    def read(path: str) -> bytes:
        try:
            data = tree.read(path)
            status = tree.status(path)
        except OSError as error:
            errors[path] = [error.errno, error.strerror]
            raise
        files[path] = data.decode("latin-1")
        times[path] = [status.st_mtime, status.st_ctime, False]
        return data

    def glob(pattern: str) -> List[str]:
        globs[pattern] = globbing.glob(pattern, tree)
        with contextlib.suppress(OSError):
            status = tree.status(os.path.dirname(pattern))
            times[os.path.dirname(pattern)] = [status.st_mtime, status.st_ctime, True]
        return globs[pattern]

    with contextlib.suppress(ConfSyntaxError, OSError):
        load(main, prefix=prefix, read=read, glob=glob)
    texts = {}
    for path in ("/etc/hosts", "/etc/resolv.conf"):
        texts[path] = ""
        with contextlib.suppress(OSError):
            texts[path] = tree.read(path, limit=1 << 20).decode("utf-8", "replace")
    return {
        "files": files,
        "errors": errors,
        "globs": globs,
        "times": times,
        "hosts": texts["/etc/hosts"],
        "resolv": texts["/etc/resolv.conf"],
    }
