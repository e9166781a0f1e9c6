"""How much memory a process may take while a host talks to it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Generator, Optional

#: Bytes by which the process may grow. Ansible's ssh has two copies of what came while it adds a piece.
GROWTH = 64 * 2**20


@contextlib.contextmanager
def bounded(growth: int = GROWTH) -> Generator[None, None, None]:
    """Let the process grow by so many bytes and no more: what goes beyond is a `MemoryError`.

    Connection plugins collect whatever a host sends, without end, so nobody else can stop it. Linux counts
    memory for this limit (setrlimit(2), RLIMIT_DATA, since 4.7); where it cannot be set, nothing is bounded
    here.

    Args:
        growth: Bytes above what the process has now.
    """
    import resource

    has = _data()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if has is None or (soft != resource.RLIM_INFINITY and soft <= has + growth):
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (has + growth, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data() -> Optional[int]:
    """Return the bytes that count for the limit, None where the kernel does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return None
