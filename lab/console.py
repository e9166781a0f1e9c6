"""What the lab prints while it works: one line a step, with its time, and a log file for the rest."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence

from .state import LabError, directory

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")


def say(text: str) -> None:
    """Print a line to standard error at once: standard output belongs to results."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """One step: its title, what it does just now, and how long it took."""

    def __init__(self, title: str) -> None:
        """Show the title; on a terminal the line is rewritten as the step goes on."""
        self.title = title
        self.started = time.monotonic()
        self.live = sys.stderr.isatty()
        self._shown = self.started - 1.0
        if self.live:
            self.now("")
        else:
            say(f"  … {title}")

    def now(self, doing: str) -> None:
        """Show what the step does just now, ten times a second at most, on a terminal only."""
        moment = time.monotonic()
        if not self.live or moment - self._shown < 0.1:
            return
        self._shown = moment
        width = max(40, os.get_terminal_size(sys.stderr.fileno()).columns)
        line = f"  … {self.title} ({moment - self.started:.0f} s) {CONTROL.sub('', doing)}"
        sys.stderr.write("\r" + line[: width - 1].ljust(width - 1))
        sys.stderr.flush()

    def note(self, text: str) -> None:
        """Print a line that stays: something that the user should know before it happens."""
        if self.live:
            sys.stderr.write("\r\x1b[K")
        say(f"    {text}")

    def end(self, sign: str) -> None:
        """Close the step with a sign and its time."""
        took = f"{time.monotonic() - self.started:.1f} s"
        if self.live:
            sys.stderr.write("\r\x1b[K")
        say(f"  {sign} {self.title} ({took})")


@contextlib.contextmanager
def step(title: str) -> Iterator[Progress]:
    """Show one step from its start to its end, failed or not."""
    progress = Progress(title)
    try:
        yield progress
    except BaseException:
        progress.end("✗")
        raise
    progress.end("✓")


def run_logged(
    command: Sequence[str],
    log: str,
    progress: Progress,
    *,
    data: Optional[bytes] = None,
    env: Optional[Dict[str, str]] = None,
    first_line_within: Optional[float] = None,
    within: float = 3600.0,
) -> List[str]:
    """Run a long command with its output in a log file, its newest line shown as progress.

    Args:
        command: the command line.
        log: name of the log file below the state directory's `log/`.
        progress: the step to show the newest line in.
        data: bytes for its standard input.
        env: its environment, this process's when None.
        first_line_within: seconds for its first output; a command that says nothing until then is ended.
        within: seconds for the whole command.

    Returns:
        The lines that it printed.

    Raises:
        LabError: it failed or was ended; the message holds its last lines and the log's path.
    """
    path = directory("log") / f"{log}.log"
    lines: List[str] = []
    reason = ""
    with path.open("wb") as handle, subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
    ) as process:
        if data is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(data)
                process.stdin.close()
        reason = _follow(process, handle.write, lines, progress, first_line_within, within)
        if reason:
            process.kill()
    if process.returncode != 0 or reason:
        raise LabError(_failure(command, reason or f"exit status {process.returncode}", lines, path))
    return lines


def _follow(
    process: subprocess.Popen[bytes],
    write: object,
    lines: List[str],
    progress: Progress,
    first_line_within: Optional[float],
    within: float,
) -> str:
    """Copy the process's output until it ends; return why it must be ended before, or nothing."""
    assert process.stdout is not None and callable(write)
    started = time.monotonic()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            waited = time.monotonic() - started
            if first_line_within is not None and not lines and not rest and waited > first_line_within:
                return f"no answer within {first_line_within:g} s"
            if waited > within:
                return f"not done within {within:g} s"
            if not selector.select(timeout=0.5):
                progress.now(lines[-1] if lines else "")
                continue
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                return ""
            write(piece)
            *whole, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
            lines.extend(line.decode("utf-8", "replace") for line in whole if line.strip())
            progress.now(lines[-1] if lines else "")


def _failure(command: Sequence[str], reason: str, lines: List[str], path: Path) -> str:
    """Say which command failed, how, and its last words."""
    tail = "\n".join(f"    {CONTROL.sub('', line)}" for line in lines[-15:])
    return f"`{' '.join(command)}`: {reason}\n{tail}\n    (all of it: {path})"
