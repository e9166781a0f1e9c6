"""The hosts' reports: those that came with a deployment, else asked for over testinfra's ssh backend.

Where Ansible's own connection is open, ssh finds it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Dict, List, Tuple

from host_answers.parsing import NoAnswer, answer_in
from host_answers.report import cut_report
from host_answers.shapes import Misshapen, clean
from verify.host_report.asking import asking, command, patience
from verify.targets import Target, Targets, question

#: Bytes of a host's report, most of which is its compressed configuration.
MOST_REPORT = 4 * 2**20
#: Bytes that are kept of what it says on standard error.
MOST_STDERR = 64 * 2**10


class Unreachable(Exception):
    """The host could not be asked this way; Ansible may still know how (a password, another plugin)."""


def as_root(argv: List[str]) -> str:
    """Return the shell command that runs another as root, without ever asking for a password."""
    run = shlex.join(argv)
    return f'if [ "$(id -u)" -eq 0 ]; then exec {run}; else exec sudo -n {run}; fi'


def report(target: Target, timeout: float) -> Dict[str, Any]:
    """Return the host's report: the one that the input holds, unless it is to be asked for again.

    Raises:
        Unreachable: ssh or sudo refused.
        Misshapen: the report has another shape, or answers another question: of an earlier run, of another
            release, of a backend's other port.
    """
    asked = question(target, timeout)
    if target.report is None:
        return _asked(target, asked)
    if target.again:
        with contextlib.suppress(Unreachable):
            return _asked(target, asked)
    return cut_report(target.report, {**asked, "nonce": target.nonce})


def _asked(target: Target, asked: Dict[str, Any]) -> Dict[str, Any]:
    """Ask the host by a command of our own."""
    if target.connection is None:
        raise Unreachable("Ansible reaches this host by other means than ssh")
    connection = target.connection
    import testinfra  # type: ignore[import-untyped]  # a tenth of a second that most runs do not need

    host = testinfra.get_host(
        "ssh://" + (f"[{connection.address}]" if ":" in connection.address else connection.address),
        ssh_identity_file=connection.key or None,
        # testinfra formats its command line with %: ssh's own %C must survive that.
        controlpath=connection.control_path.replace("%", "%%") or None,
        ssh_extra_args=" ".join(
            ["-o BatchMode=yes", connection.args, *_destination(connection.user, connection.port)]
        ),
    )
    # Its own reads whatever a host sends, without end.
    host.backend.run_local = functools.partial(
        run_local, host.backend, asking(asked).encode(), patience(asked)
    )
    try:
        done = host.run("/bin/sh -c %s", as_root(command(target.interpreter)))
    except RuntimeError as error:
        raise Unreachable(f"ssh: {_last_line(str(getattr(error.args[0], 'stderr', error)))}") from error
    try:
        return cut_report(answer_in(done.stdout), asked)
    except NoAnswer:
        raise Unreachable(_last_line(done.stderr) or f"exit code {done.rc}, and no report") from None


def run_local(backend: Any, given: bytes, seconds: float, command: str, *arguments: str) -> Any:  # noqa: ANN401
    """Run a command of testinfra's ssh backend on an input, and take no more than so much from it.

    Args:
        backend: testinfra's, which has no types.
        given: the input.
        seconds: for all of it.
        command: what to run, with testinfra's placeholders.
        arguments: for the placeholders.

    Raises:
        Misshapen: the host sends more than any report has, or comes to no end; a whole batch waits for each
            of its hosts here.
    """
    line = backend.encode(backend.quote(command, *arguments))
    with subprocess.Popen(  # nosec B602 # testinfra quotes each word of its ssh command; a host gives none
        line,
        shell=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said: List[bytes] = []
        listener = threading.Thread(target=_tail, args=(process.stderr, said), daemon=True)
        listener.start()
        # A host that answers without end and never reads must not hold us up.
        threading.Thread(target=_give, args=(process.stdin, given), daemon=True).start()
        late = threading.Timer(seconds, _kill, (process,))
        late.start()
        out = process.stdout.read(MOST_REPORT + 1)
        if len(out) > MOST_REPORT:
            _kill(process)
            late.cancel()
            raise Misshapen(f"expected at most {MOST_REPORT} bytes, got more")
        process.wait()
        late.cancel()
        if process.returncode == -signal.SIGKILL:
            raise Misshapen(f"expected an answer within {seconds:g} s, got none")
        listener.join(timeout=1.0)
        return backend.result(process.returncode, line, out, b"".join(said)[-MOST_STDERR:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _give(stream: IO[bytes], data: bytes) -> None:
    """Write an input; who does not read it to the end has his reasons."""
    with contextlib.suppress(OSError), stream:
        stream.write(data)


def _tail(stream: IO[bytes], said: List[bytes]) -> None:
    """Read a stream to its end, and keep the last of it."""
    while piece := stream.read1(MOST_STDERR):  # type: ignore[attr-defined]  # a pipe is buffered
        said[:] = [b"".join([*said, piece])[-MOST_STDERR:]]


def _destination(user: str, port: int) -> List[str]:
    """Return user and port as options: testinfra's host specification cannot hold every user name."""
    options = [f"-o User={shlex.quote(user)}"] if user else []
    return [*options, f"-o Port={port}"] if port else options


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return clean(lines[-1])[:300] if lines else ""


class Reports:
    """The reports of all hosts, asked for at the same time."""

    def __init__(self, targets: Targets, pool: ThreadPoolExecutor) -> None:
        """Start asking every host."""
        self._targets = targets
        self._futures: Dict[str, Future[Dict[str, Any]]] = {
            host.name: pool.submit(report, host, targets.timeout) for host in targets.hosts
        }

    def of(self, name: str) -> Dict[str, Any]:
        """Return the report of a host, waiting for it.

        Raises:
            Unreachable: ssh or sudo refused.
        """
        return self._futures[name].result()

    def unreached(self) -> List[Tuple[str, str, Dict[str, Any]]]:
        """Return the hosts that could not be asked, why, and what they would have been asked."""
        failed = []
        for host in self._targets.hosts:
            error = self._futures[host.name].exception()
            if isinstance(error, Unreachable):
                failed.append((host.name, str(error), question(host, self._targets.timeout)))
        return failed
