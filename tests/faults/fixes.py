"""The faults that happen to a fix: a hand-written site is served, and a file beside it is being mended.

What the site serves must not change at all; the file is as the user wrote it or as the fix mended it, at any
moment.
"""

from __future__ import annotations

import glob
import os
import random
from typing import Callable, ContextManager, Iterator, List

from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.exchange.probe import probe

from . import points, processes
from .bench import STATE, Bench, Row, begins, filling, remove, shell

PORT = 8082
URL = f"ws://mend.test:{PORT}/api/mqtt/ws/hints/session-mend"
PATH = "/etc/nginx/sites-available/mend.conf"
LINK = "/etc/nginx/sites-enabled/mend.conf"
BROKEN = f"""\
server {{
    listen {PORT};
    server_name mend.test;
    location /api/ {{
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
    }}
}}
"""
PERSON = "# a person was here\n"
STEPS = ("diagnose", "choose", "validate", "compare requests", "snapshot", "activate", "reload", "prove")


Disk = Callable[[str], ContextManager[None]]


def mend(**arguments: object) -> points.Run:
    """Begin a fix of the file."""
    question = Question(URL, address=f"127.0.0.1:{PORT}")
    return points.Run("fix", module="fix.fix", question=question, **arguments)


def begin(bench: Bench) -> None:
    """The hand-written site is served, and the file is broken."""
    clear()
    bench.reset_by_hand()
    with open(PATH, "w", encoding="utf-8") as stream:
        stream.write(BROKEN)
    os.symlink(PATH, LINK)
    master = processes.read(processes.PID)
    old = set(processes.taking(master))
    shell("nginx -s reload")
    processes.until(lambda: not old & set(processes.taking(master)), "the end of the old workers")


def clear() -> None:
    """The file is gone."""
    for path in (LINK, PATH):
        remove(path)


def text() -> str:
    """What the file holds."""
    with open(PATH, encoding="utf-8") as stream:
        return stream.read()


class Judge:
    """Looks at the file right after the fault, and at the end."""

    def __init__(self, person: bool = False) -> None:
        self.wrong = ""
        self._person = person

    def after_the_fault(self) -> None:
        """Half a file, or one that nobody wrote, is wrong."""
        found = text().replace(PERSON, "")
        if found not in (BROKEN, mended()):
            self.wrong = f"right after the fault the file is neither the old nor the new one: {found!r}"

    def at_the_end(self) -> str:
        """What is wrong when the next run is over; "" when nothing is."""
        if self.wrong:
            return self.wrong
        if text().replace(PERSON, "") != mended():
            return f"the file is not mended: {text()!r}"
        if self._person and not any(PERSON in found for found in (text(), *_backups())):
            return "what the person wrote is lost"
        seen = probe(URL, address=("127.0.0.1", PORT))
        return "" if seen.opened else f"the socket does not open: {seen.summary()}"


def _backups() -> Iterator[str]:
    for path in glob.glob(f"{STATE}/backups/*/*/*"):
        with open(path, encoding="utf-8") as stream:
            yield stream.read()


def mended() -> str:
    """The file with the lines that it needs, which has the map of the other file."""
    lines = (
        "        proxy_http_version 1.1;\n        proxy_set_header Upgrade $http_upgrade;\n"
        "        proxy_set_header Connection $fault_connection;\n"
    )
    first = "        proxy_pass http://127.0.0.1:8000;\n"
    return BROKEN.replace(first, first + lines)


def trial(
    bench: Bench,
    fault: str,
    step: str,
    run: Callable[[], points.Run],
    *,
    person: bool = False,
    repair: Callable[[], None] = lambda: None,
    dark: str = "",
) -> Row:
    """One fault to a fix, and the next fix."""
    begin(bench)
    judge = Judge(person)

    def mend_it() -> None:
        judge.after_the_fault()
        repair()

    return bench.trial(
        f"{fault} (fix)",
        step,
        lambda _one: run(),
        repair=mend_it,
        also=judge.at_the_end,
        finish=lambda _one: mend(),
        same=True,
        served=dark,
        socket=dark,
    )


def fixes(bench: Bench, count: int, chance: random.Random, short: bool, small_disk: Disk) -> Iterator[Row]:
    """SIGKILL, full disks, an edit in between and a restart, each at steps of a fix."""
    begin(bench)
    names = mend().wait()["points"]
    wanted = [(number, name) for number, name in enumerate(names) if ":" in name or name in STEPS]
    many = 3 if short else max(1, count)
    for number, name in sorted(chance.sample(wanted, min(many, len(wanted)))):
        yield trial(
            bench,
            "SIGKILL",
            name,
            lambda number=number: mend(when=lambda current, _name: current == number),  # type: ignore[misc]
        )
    yield from _full_disk(bench, small_disk, _some(chance, short, "snapshot", "activate", "reload"))
    for step in _some(chance, short, "choose", "validate", "activate", "reload", "prove"):
        yield trial(
            bench,
            "file edited",
            step,
            lambda step=step: mend(when=begins(step), then=_edit),  # type: ignore[misc]
            person=True,
        )
    for step in _some(chance, short, "choose", "activate", "reload", "commit"):
        yield trial(
            bench,
            "nginx restarted",
            step,
            lambda step=step: mend(  # type: ignore[misc]
                when=begins(step), then=lambda: shell("systemctl restart nginx") and None
            ),
            dark="n/a: nginx itself ends",
        )
    clear()
    bench.reset()


def _some(chance: random.Random, short: bool, *steps: str) -> List[str]:
    return [chance.choice(steps)] if short else list(steps)


def _edit() -> None:
    with open(PATH, "a", encoding="utf-8") as stream:
        stream.write(PERSON)


def _full_disk(bench: Bench, small_disk: Disk, steps: List[str]) -> Iterator[Row]:
    """No room for the backup or for the file, from a step on."""
    for directory in (STATE, os.path.dirname(PATH)):
        begin(bench)
        os.makedirs(STATE, mode=0o700, exist_ok=True)
        with small_disk(directory):
            filler = os.path.join(directory, "filler")
            fill = filling(filler)
            for step in steps:
                yield trial(
                    bench,
                    f"disk full ({os.path.basename(directory)})",
                    step,
                    lambda step=step, fill=fill: mend(when=begins(step), then=fill),  # type: ignore[misc]
                    repair=lambda filler=filler: remove(filler),  # type: ignore[misc]
                )
        begin(bench)
