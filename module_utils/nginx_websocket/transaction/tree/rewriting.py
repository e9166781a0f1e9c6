"""The staged tree where no mount namespace is to be had: a copy whose includes point into itself.

A plain copy would test falsely: Debian's nginx.conf includes by absolute path, so nginx would read the
live sites again.  Here every ``include`` is spliced to point into the copy; everything else a relative
path may name (certificates, password files) is linked beside it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Collection, Dict, Iterator, Set, Tuple

from ...conf.load import load
from ...conf.splice import Edit, apply
from ...conf.tree import ConfSyntaxError
from ...host.processes.children import own_directory
from ..site.instance import Instance
from .overlay import Overlay, canonical


@contextlib.contextmanager
def rewritten_tree(overlay: Overlay, nginx: Instance) -> Iterator[Tuple[str, str]]:
    """Write the tree, root-only, for as long as the context lasts.

    Yields:
        The directory that every staged path begins with, and the path of the main file in it.
    """
    top = own_directory("nginx-websocket-")
    try:
        _write(top, overlay, nginx)
        yield top, top + os.path.abspath(nginx.conf_path)
    finally:
        shutil.rmtree(top, ignore_errors=True)


def _write(top: str, overlay: Overlay, nginx: Instance) -> None:
    """Write the tree below a directory.

    Raises:
        OSError: with the path that could not be written, which ``write`` itself does not name.
    """
    path = ""
    try:
        for path, content in _spliced(overlay, nginx, top).items():
            os.makedirs(top + os.path.dirname(path), 0o700, exist_ok=True)
            with open(top + path, "wb") as stream:
                stream.write(content)
        gone = {path for path, entry in overlay.entries.items() if entry.kind == "absent"}
        _link_the_rest(os.path.dirname(os.path.abspath(nginx.conf_path)), top, gone)
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), top + path) from error
        raise


def _spliced(overlay: Overlay, nginx: Instance, top: str) -> Dict[str, bytes]:
    """Every file of the configuration with its includes pointing below ``top``.

    A file that cannot be read is staged as it is: nginx shall say what is wrong with it.
    """
    broken: Set[str] = set()

    def read(path: str) -> bytes:
        return b"" if path in broken else overlay.read(path)

    while True:
        try:
            configuration = load(nginx.conf_path, prefix=nginx.prefix, read=read, glob=overlay.glob)
            break
        except ConfSyntaxError as error:
            if error.file in broken:
                raise
            broken.add(error.file)
    # By offset, because a file that is read twice has its includes twice.
    edits: Dict[str, Dict[int, Edit]] = {path: {} for path in configuration.files}
    for include in configuration.includes:
        source, start, end = include.directive.source, include.directive.start, include.directive.end
        statement = b'include "' + _escaped(top + os.path.abspath(include.pattern)) + b'";'
        # Lines stay where they are, so that nginx's line numbers stay true.
        statement += b"\n" * source.data.count(b"\n", start, end)
        edits[source.name][start] = Edit(source, start, end, statement)
    return {
        path: overlay.read(path) if path in broken else apply(content, edits[path].values())
        for path, content in configuration.files.items()
    }


def _escaped(path: str) -> bytes:
    return os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _link_the_rest(directory: str, top: str, gone: Collection[str]) -> None:
    """Link what the configuration directory holds besides the staged files, and not what would be gone."""
    for name in os.listdir(directory):
        real, staged = os.path.join(directory, name), os.path.join(top + directory, name)
        if canonical(real) in gone:
            continue
        if os.path.lexists(staged):
            if os.path.isdir(staged) and os.path.isdir(real):
                _link_the_rest(real, top, gone)
        elif _holds(real, directory, gone):
            os.mkdir(staged, 0o700)
            _link_the_rest(real, top, gone)
        else:
            os.symlink(real, staged)


def _holds(path: str, directory: str, gone: Collection[str]) -> bool:
    """Whether a directory holds one of some paths; a link back to where it stands does not count."""
    below = os.path.realpath(path) + "/"
    if not os.path.isdir(path) or (os.path.realpath(directory) + "/").startswith(below):
        return False
    return any(one.startswith(below) for one in gone)
