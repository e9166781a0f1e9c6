"""The one seam through which a transaction touches the file system.

Every change is made of a few primitives (``create``, ``sync``, ``rename``, ``symlink``, ``unlink``,
``mkdir``, ``rmdir``, ``sync_directory``), so that a test can stop the world after any of them.
The order inside ``put`` is what makes a change whole after a power cut: content reaches the disk
before its name does, and the name before the next step begins.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import List

from ...conf.regular import open_regular, read_file
from ..site.model import ABSENT, Entry

TEMPORARY_SUFFIX = ".nginx-websocket.tmp"


def temporary_name(path: str) -> str:
    """Name of the temporary beside a path.

    It begins with a dot, which ``*`` in an nginx include does not match (glob(3)), so that nginx
    never reads it, whenever it looks.
    """
    directory, name = os.path.split(path)
    return os.path.join(directory, "." + name + TEMPORARY_SUFFIX)


def kept_name(path: str) -> str:
    """Hidden name beside a path, under which what stood there stays until its transaction is closed."""
    return temporary_name(path + ".old")


class Filesystem:
    """The real file system."""

    # -- reading -----------------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        """The content of a file, as nginx reads one; it would wait for ever where a FIFO stands."""
        return read_file(path)

    def entry(self, path: str) -> Entry:
        """What stands at a path; a symbolic link is itself, not its target."""
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        if stat.S_ISLNK(status.st_mode):
            return Entry("link", target=os.readlink(path), uid=status.st_uid, gid=status.st_gid)
        if not stat.S_ISREG(status.st_mode):
            return Entry("other")
        attributes = []
        # One file from here on: content of one with owner and mode of another would be given to that owner.
        with open_regular(path, follow=False) as stream:
            status = os.fstat(stream.fileno())
            content = stream.read()
            with contextlib.suppress(OSError):
                for name in os.listxattr(stream.fileno()):
                    attributes.append((name, os.getxattr(stream.fileno(), name)))
        return Entry(
            "file",
            content=content,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            xattrs=tuple(attributes),
        )

    def real(self, path: str) -> str:
        """The path with every symbolic link in it resolved, as far as there is something."""
        return os.path.realpath(path)

    def is_directory(self, path: str) -> bool:
        """Whether a directory stands there, not a link to one."""
        return os.path.isdir(path) and not os.path.islink(path)

    def names(self, path: str) -> List[str]:
        """The names in a directory, sorted; none when it does not exist."""
        try:
            return sorted(os.listdir(path))
        except FileNotFoundError:
            return []

    # -- primitives --------------------------------------------------------------------------

    def create(self, path: str, entry: Entry) -> None:
        """Write a new file that nobody may have made before us."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(entry.content)
            while view:
                view = view[os.write(descriptor, view) :]
            if (entry.uid, entry.gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, entry.uid, entry.gid)
            os.fchmod(descriptor, entry.mode)
            for name, value in entry.xattrs:
                # SELinux labels and ACLs follow the file where the file system lets them.
                with contextlib.suppress(OSError):
                    os.setxattr(descriptor, name, value)
        finally:
            os.close(descriptor)

    def sync(self, path: str) -> None:
        """Bring a file's content to the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: str, new: str) -> None:
        """Put one name in place of another, in one instant."""
        os.rename(old, new)

    def symlink(self, target: str, path: str) -> None:
        """Make a symbolic link."""
        os.symlink(target, path)

    def hard_link(self, old: str, new: str) -> None:
        """Give a file, or a symbolic link itself, a second name."""
        os.link(old, new, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory with exactly that mode."""
        os.mkdir(path, mode)
        os.chmod(path, mode)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        os.rmdir(path)

    def sync_directory(self, path: str) -> None:
        """Bring the names in a directory to the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # file systems without fsync on directories
                raise
        finally:
            os.close(descriptor)

    # -- made of primitives ------------------------------------------------------------------

    def put(self, path: str, entry: Entry, *, keep: bool = False) -> None:
        """Let ``entry`` stand at ``path``: at every instant the old one or the new one, whole.

        Args:
            path: where.
            entry: what shall stand there.
            keep: leave what stood there beside it (``keep``), as late as can be: what somebody writes
                until then is what is kept.
        """
        directory = os.path.dirname(path)
        temporary = temporary_name(path)
        if self.entry(temporary).kind != "absent":
            self.unlink(temporary)
        if entry.kind == "absent" and self.entry(path).kind == "absent":
            return
        if entry.kind == "link":
            self.symlink(entry.target, temporary)
        elif entry.kind != "absent":
            self.create(temporary, entry)
            self.sync(temporary)
        if keep:
            self.keep(path)
        if entry.kind == "absent":
            self.unlink(path)
        else:
            self.rename(temporary, path)
        self.sync_directory(directory)

    def keep(self, path: str) -> None:
        """Let what stands at a path keep a hidden name beside it, so that going back needs no room.

        Some file systems have no hard links; then nothing is kept.
        """
        kept = kept_name(path)
        if self.entry(kept).kind != "absent":
            self.unlink(kept)
        with contextlib.suppress(OSError):
            self.hard_link(path, kept)

    def bring_back(self, path: str) -> bool:
        """Put back what ``keep`` kept; False when nothing was kept."""
        kept = kept_name(path)
        if self.entry(kept).kind == "absent":
            return False
        self.rename(kept, path)
        self.sync_directory(os.path.dirname(path))
        return True

    def let_go(self, path: str) -> None:
        """Forget what ``keep`` kept; synced also when it is gone already, for the disk may not know that."""
        kept = kept_name(path)
        if self.entry(kept).kind != "absent":
            self.unlink(kept)
        self.sync_directory(os.path.dirname(path))

    def make_directory(self, path: str, mode: int) -> None:
        """Make a directory, and the ones above it, and bring their names to the disk."""
        if self.entry(path).kind != "absent":
            return
        parent = os.path.dirname(path)
        if self.entry(parent).kind == "absent":
            self.make_directory(parent, 0o755)
        self.mkdir(path, mode)
        self.sync_directory(parent)

    def remove_tree(self, path: str) -> None:
        """Remove a directory of ours with all it holds."""
        for name in self.names(path):
            child = os.path.join(path, name)
            if self.is_directory(child):
                self.remove_tree(child)
            else:
                self.unlink(child)
        self.rmdir(path)
        self.sync_directory(os.path.dirname(path))
