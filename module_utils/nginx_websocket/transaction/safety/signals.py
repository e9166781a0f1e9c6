"""The signals that end a process: an exception while something can be undone, nothing during the undo."""

from __future__ import annotations

import contextlib
import signal
from typing import Dict, Iterator


class Interrupted(BaseException):
    """Somebody asked this process to end (a closed connection, a stopped play)."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the signals that end a process into an exception, so that what was begun is undone."""

    def interrupt(number: int, _frame: object) -> None:
        raise Interrupted(f"the run was stopped by signal {signal.Signals(number).name}")

    with _handlers(interrupt):
        yield


@contextlib.contextmanager
def ignore_signals() -> Iterator[None]:
    """Nothing short of SIGKILL interrupts an undo."""
    with _handlers(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handlers(handler: object) -> Iterator[None]:
    kept: Dict[signal.Signals, object] = {}
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not the main thread
            kept[number] = signal.signal(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, previous in kept.items():
            signal.signal(number, previous)  # type: ignore[arg-type]
