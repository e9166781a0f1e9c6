"""Faults drawn at random, room by room: which of them does no unit test of the room find?

``python -m tests.mutations.sampled [--seed N] [--number N] [ROOM…]`` draws small faults (a condition negated,
a filter dropped, another comparison, number or code: ``operators``) from the functions of a room, as evenly
over the functions as it can.  Each is put into a fork of one pytest process, in which all tests are imported
already, and the tests that ran through its line are run there, the fastest first, until one fails.  A fault
that no test finds is printed: either a test is missing, or the fault changes nothing that anybody could see.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import types
from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import coverage
import pytest

from .operators import Mutant, code_of, mutants, mutated

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "module_utils/nginx_websocket"
TESTS = {
    "edit": ("edit", "fix", "diagnosis/deciding", "diagnosis/headers", "diagnosis/backend"),
    "exchange": ("websocket",),
    "host": ("nginx_host",),
}
"""Rooms whose unit tests do not stand in the folder of the same name: an edit is a cure of a cause."""
ROOMS = ("behaviour", "compare", "conf", "diagnosis", "edit", "exchange", "fix", "host", "transaction")
BUDGET = 20.0
"""Seconds of tests for one fault, by what they took without it; slower ones are left out."""
LIMIT = 90
"""Seconds until a fault counts as found: it hangs."""
FOUND, SURVIVED, NOT_RUN, NOT_MADE = "found", "survived", "not run", "not made"


class Room:
    """A pytest plugin: in place of running the tests once, try the faults of one room."""

    def __init__(self, name: str, number: int, seed: int, only: Sequence[str] = ("",)) -> None:
        """Draw ``number`` faults of the room; of functions whose ``path:name`` holds one of ``only``."""
        self.name, self.number, self.random, self.only = name, number, random.Random(f"{seed} {name}"), only
        self.items: List[pytest.Item] = []
        self.seconds: List[Optional[float]] = []
        """Of each test; None where it fails by itself and so shows nothing."""
        self.lines: Dict[str, Dict[int, List[int]]] = {}
        self.functions: Dict[Tuple[str, int], List[types.FunctionType]] = defaultdict(list)
        self.counts = dict.fromkeys((FOUND, SURVIVED, NOT_RUN, NOT_MADE), 0)
        self.failed = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure which test runs which line, then try each fault."""
        self.items = session.items
        for path in (ROOT / PACKAGE / self.name).rglob("*.py"):
            # Some are imported where they are needed, and that is in the child of a test.
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        self._measure()
        for found in gc.get_objects():
            if isinstance(found, types.FunctionType) and f"/{PACKAGE}/" in found.__code__.co_filename:
                code = found.__code__
                self.functions[code.co_filename, code.co_firstlineno].append(found)
        for mutant in self._drawn():
            outcome = self._try(mutant)
            self.counts[outcome] += 1
            if outcome in (SURVIVED, NOT_RUN):
                print(f"{outcome:9} {mutant}", flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a test failed."""
        self.failed = self.failed or report.failed

    def _measure(self) -> None:
        """Run all tests once in a child, each under its own name, and take over what it saw."""
        with tempfile.NamedTemporaryFile() as file:
            child = os.fork()
            if not child:
                _quiet()
                seen = coverage.Coverage(data_file=None, source=[PACKAGE], config_file=False)
                seconds: List[Optional[float]] = []
                seen.start()
                for number, item in enumerate(self.items):
                    seen.switch_context(str(number))
                    before = time.monotonic()
                    failed = self._run([item])
                    seconds.append(None if failed else time.monotonic() - before)
                    self.failed = False
                seen.stop()
                data = seen.get_data()
                lines = {
                    path: {
                        line: [int(one) for one in tests if one]
                        for line, tests in data.contexts_by_lineno(path).items()
                    }
                    for path in data.measured_files()
                }
                Path(file.name).write_text(json.dumps([seconds, lines]), encoding="utf-8")
                os._exit(0)
            os.waitpid(child, 0)
            self.seconds, lines = json.loads(Path(file.name).read_text(encoding="utf-8"))
        for item, seconds in zip(self.items, self.seconds):
            if seconds is None:
                print(f"left out  {item.nodeid}: it fails without any fault", flush=True)
        self.lines = {path: {int(line): tests for line, tests in of.items()} for path, of in lines.items()}

    def _drawn(self) -> List[Mutant]:
        """Faults of all functions in turn, until there are enough."""
        by_function: Dict[Tuple[str, str], List[Mutant]] = defaultdict(list)
        for path in sorted((ROOT / PACKAGE / self.name).rglob("*.py")):
            for mutant in mutants(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")):
                if any(word in f"{mutant.path}:{mutant.function}" for word in self.only):
                    by_function[mutant.path, mutant.function].append(mutant)
        waiting = list(by_function.values())
        for group in waiting:
            self.random.shuffle(group)
        self.random.shuffle(waiting)
        drawn: List[Mutant] = []
        while waiting and len(drawn) < self.number:
            drawn += [group.pop() for group in waiting][: self.number - len(drawn)]
            waiting = [group for group in waiting if group]
        return drawn

    def _tests(self, mutant: Mutant) -> List[pytest.Item]:
        """Those that ran through its statement, the fastest first."""
        lines = self.lines.get(str(ROOT / mutant.path), {})
        first, last = mutant.statement
        numbers = {number for line in range(first, last + 1) for number in lines.get(line, ())}
        timed = sorted((taken, one) for one in numbers for taken in (self.seconds[one],) if taken is not None)
        chosen, seconds = [], 0.0
        for taken, number in timed:
            seconds += taken
            if chosen and seconds > BUDGET:
                break
            chosen.append(self.items[number])
        return chosen

    def _try(self, mutant: Mutant) -> str:
        """One of the four outcomes."""
        path = ROOT / mutant.path
        tests = self._tests(mutant)
        if not tests:
            return NOT_RUN
        code = code_of(mutated(path.read_text(encoding="utf-8"), mutant), mutant)
        functions = self.functions.get((str(path), mutant.first_line), [])
        if code is None or not functions:
            return NOT_MADE
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            _quiet()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT)
            try:
                for function in functions:
                    function.__code__ = code.replace(co_filename=str(path))
            except ValueError:  # It uses other names of the function around it than before.
                os._exit(3)
            try:
                os._exit(1 if self._run(tests) else 0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        with contextlib.suppress(ProcessLookupError, PermissionError):  # unless nothing is left
            os.killpg(child, signal.SIGKILL)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3:
            return NOT_MADE
        return SURVIVED if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0 else FOUND

    def _run(self, items: Sequence[pytest.Item]) -> bool:
        """Whether one of the tests fails; what is behind it is not run."""
        for item, following in zip(items, [*items[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break
        return self.failed


def _quiet() -> None:
    """Say nothing more."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Try faults of the rooms; each room in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", default=ROOMS, metavar="ROOM")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=100, help="of faults in each room")
    parser.add_argument(
        "--only", nargs="+", default=[""], help="functions whose path:name holds a word of these"
    )
    parser.add_argument("--tests", nargs="*", help="paths below tests/unit in place of the room's folder")
    given = parser.parse_args(words)
    for name in given.rooms or ROOMS:
        child = os.fork()
        if not child:
            room = Room(name, given.number, given.seed, given.only)
            folders = [str(ROOT / "tests/unit" / one) for one in given.tests or TESTS.get(name, (name,))]
            options = ["-s", "-qq", "--no-header", "--no-summary", "-p", "no:cacheprovider"]
            code = pytest.main([*options, "--hypothesis-profile=quick", *folders], plugins=[room])
            counts = ", ".join(f"{count} {word}" for word, count in room.counts.items())
            print(f"{name}: {sum(room.counts.values())} faults: {counts}", flush=True)
            os._exit(int(code))
        if os.waitpid(child, 0)[1]:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
