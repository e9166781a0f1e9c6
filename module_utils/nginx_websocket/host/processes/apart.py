"""A look that may hang or must not be root's: done in a child process, which can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from typing import Any, Callable, List, Optional, Tuple

LIMIT = 128 << 20
"""Bytes that a child may say."""


class Unanswered(Exception):
    """The child did not answer in time, or not at all."""


def apart(
    look: Callable[[], Any],
    seconds: float,
    *,
    rights: Optional[Tuple[int, int]] = None,
) -> Any:  # noqa: ANN401  what JSON can hold
    """What a function returns, called in a child process.

    Args:
        look: the function; it returns what JSON can hold, and any OSError it raises is raised here.
        seconds: after which the child is killed, whatever it waits for.
        rights: user and group id that the child has, and no more; None for ours.

    Raises:
        Unanswered: no answer in time, or the child could not become that user.
        OSError: raised by the function.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing may escape from here: the parent's cleanup must not run twice.
        try:
            os.close(read_end)
            _answer(look, write_end, rights)
        finally:
            os._exit(0)
    os.close(write_end)
    try:
        text = _heard(read_end, time.monotonic() + seconds)
    finally:
        os.close(read_end)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    try:
        answer = json.loads(text)
    except ValueError:
        raise Unanswered("a child process gave no answer") from None
    if "error" in answer:
        raise OSError(*answer["error"])
    return answer["said"]


def _answer(look: Callable[[], Any], pipe: int, rights: Optional[Tuple[int, int]]) -> None:
    if rights is not None and rights != (os.geteuid(), os.getegid()):
        uid, gid = rights
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    try:
        answer = {"said": look()}
    except OSError as error:
        answer = {"error": [error.errno, error.strerror, str(error.filename or "")]}
    with os.fdopen(pipe, "w") as file:
        json.dump(answer, file)


def _heard(pipe: int, until: float) -> str:
    parts: List[bytes] = []
    size = 0
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        part = os.read(pipe, 1 << 16) if ready else b""
        size += len(part)
        if not ready or size > LIMIT:
            raise Unanswered("a child process did not answer in time")
        if not part:
            return b"".join(parts).decode("ascii", "replace")
        parts.append(part)
