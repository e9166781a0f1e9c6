"""Where this checkout keeps the lab's keys, certificates and logs, and which containers are its own."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Iterator

LAB = Path(__file__).resolve().parent
CHECKOUT = LAB.parent
STATE = Path(os.environ.get("NGINX_WEBSOCKET_LAB_STATE") or LAB / ".state").resolve()
OUT = CHECKOUT / "out"

# Containers of two checkouts on one engine must not meet: each carries the digest of its state directory.
CHECKOUT_ID = hashlib.sha256(str(STATE).encode()).hexdigest()[:8]


class LabError(Exception):
    """Something in the lab cannot go on; the text says what and how to help it."""


def directory(*names: str, mode: int = 0o700) -> Path:
    """Return a directory below the state directory, made when missing.

    Args:
        names: its path below the state directory.
        mode: permissions of the last directory when it is made.
    """
    STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = STATE.joinpath(*names)
    path.mkdir(parents=True, exist_ok=True, mode=mode)
    return path


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold an advisory lock of this checkout, so that no two commands make the same thing at once."""
    with (directory() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
