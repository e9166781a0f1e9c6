"""What the programs that we start as root get of the world that we were started in.

A login, ``su`` or sudo's ``env_keep`` may bring a PATH with a directory of somebody else in it, a library to
load first, an OpenSSL configuration with an engine, a TMPDIR.  None of it is meant for root.
"""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from typing import IO, Dict, Mapping, Optional, Sequence, Union

from .trust import weakness

_USUAL = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def environment() -> Dict[str, str]:
    """The whole environment of a program that is called by its name or that reads nginx's files.

    Returns:
        PATH with the absolute directories that root (or we) alone can write, and English messages. Where
        others can write every directory of programs, the host is theirs, and the usual ones are named.
    """
    given = [part for part in os.environ.get("PATH", "").split(":") if part.startswith("/")]
    ours = [part for part in dict.fromkeys((*given, *_USUAL)) if weakness(part) is None]
    return {"PATH": ":".join(ours or _USUAL), "LC_ALL": "C"}


def run(
    command: Sequence[str],
    seconds: float,
    *,
    stdout: Union[int, IO[bytes]] = subprocess.PIPE,
    stderr: Union[int, IO[bytes]] = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
    more: Optional[Mapping[str, str]] = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program without input, in that environment, and wait for it.

    Args:
        command: the program and its arguments.
        seconds: after which it is killed.
        stdout: where its output goes; it is kept unless another place is named.
        stderr: the same for its messages.
        pass_fds: descriptors that it inherits.
        more: variables beside those of `environment`.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it did not end in time.
    """
    return subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        timeout=seconds,
        check=False,
        env={**environment(), **(more or {})},
        pass_fds=tuple(pass_fds),
    )


def booted() -> bool:
    """Whether systemd runs this host (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def own_directory(prefix: str) -> str:
    """Make a directory for us alone, where nobody else can put another one in its place.

    Args:
        prefix: how its name begins.

    Returns:
        Its real path.

    Raises:
        OSError: there is no such place.
    """
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/run")):  # nosec B108 # each is looked at
        try:
            made = os.path.realpath(tempfile.mkdtemp(prefix=prefix, dir=base))
        except OSError:
            continue
        if weakness(made) is None:
            return made
        os.rmdir(made)
    raise OSError(errno.EACCES, "no directory for temporary files that only root can write", "/tmp")  # nosec B108
