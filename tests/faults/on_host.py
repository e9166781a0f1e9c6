"""The faults that happen inside a host: run there as root, prints one row as JSON a line.

``python3 -m tests.faults.on_host --kills 200 --seed 1``
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
import random
import shutil
import socket
import sys
import time
from typing import Callable, Iterator, List

from . import fixes, points, site, witness
from .bench import STATE, Bench, Row, begins, filling, remove, shell
from .masters import masters

STEPS = ("lock", "compare", "validate", "check", "snapshot", "activate", "reload", "prove", "commit")
THIEF_PORT = 8099
THIEF = f"server {{ listen {THIEF_PORT}; return 444; }}\n"
CERTIFICATE = "/etc/ssl/fault"
TLS = (
    f"server {{ listen 8443 ssl; server_name {site.NAME}; ssl_certificate {CERTIFICATE}/cert.pem; "
    f"ssl_certificate_key {CERTIFICATE}/key.pem; return 444; }}\n"
)
SITES = os.path.dirname(site.PATH)
PERSON = "# a person was here\n"


def at(number: int) -> Callable[[int, str], bool]:
    """True at one point."""
    return lambda current, _name: current == number


def kills(bench: Bench, count: int, chance: random.Random, short: bool) -> Iterator[Row]:
    """SIGKILL at every point of an update, a takeover of two files, a window and an undo; then at random.

    The short form takes a sample of the points, another one with each seed.
    """
    bench.reset()
    bench.live = new = bench.revision()
    update = points.deploy(site.candidate(new)).wait()["points"]
    bench.reset_by_hand()
    takeover = points.deploy(site.candidate(bench.revision())).wait()["points"]
    bench.reset()
    window = points.deploy(site.candidate(bench.revision()), confirm_window=600.0).wait()["points"]
    with thief():
        bench.reset()
        undo = points.deploy(site.candidate(bench.revision(), THIEF), deadline=8.0).wait()["points"]
    # Of the takeover and the undo, the part that an update has not.
    wanted = [("update", number, name) for number, name in enumerate(update)]
    wanted += [
        ("takeover", n, name)
        for n, name in enumerate(takeover)
        if name.startswith(("snapshot", "activate", "commit"))
    ]
    wanted += [("window", n, name) for n, name in enumerate(window) if name.startswith(("snapshot", "prove"))]
    wanted += [("undo", n, name) for n, name in enumerate(undo) if name.startswith("undo")]
    share = max(1, count * 3 // 4)
    if short and len(wanted) > share:
        wanted = sorted(chance.sample(wanted, share), key=wanted.index)
    bench.reset()
    for kind, number, name in wanted:
        if kind == "takeover":
            bench.reset_by_hand()
        elif kind == "undo":
            bench.reset()
        guard = thief() if kind == "undo" else contextlib.nullcontext()
        with guard as stolen:
            yield bench.trial(
                f"SIGKILL ({kind})",
                name,
                lambda one, number=number, kind=kind: points.deploy(
                    one,
                    when=at(number),
                    deadline=8.0,
                    confirm_window=600.0 if kind == "window" else 0.0,
                ),
                extra=THIEF if kind == "undo" else "",
                repair=stolen.close if stolen else lambda: None,
            )
    bench.reset()
    for _ in range(max(count // 4, count - len(wanted))):
        moment = chance.uniform(0, bench.seconds * 1.1)
        yield bench.trial(
            "SIGKILL (random)",
            f"after {moment:.3f} s",
            points.deploy,
            meanwhile=lambda run, moment=moment: run.kill_after(moment),
        )


@contextlib.contextmanager
def thief() -> Iterator[socket.socket]:
    """Somebody else listens on a port that the candidate wants."""
    with contextlib.closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("0.0.0.0", THIEF_PORT))
        taken.listen(1)
        yield taken


def taken_ports(bench: Bench) -> Iterator[Row]:
    """nginx -t knows nothing of a taken port; only the running nginx can tell."""
    with thief() as stolen:
        yield bench.trial(
            "port taken",
            "before",
            lambda one: points.deploy(one, deadline=8.0),
            extra=THIEF,
            repair=stolen.close,
        )
    bench.reset()


def full_disks(bench: Bench, steps: List[str]) -> Iterator[Row]:
    """No room for a byte, for our state or for the sites, from a step on; an undo must need none."""
    for directory in (STATE, SITES):
        with small_disk(directory):
            filler = os.path.join(directory, "filler")
            fill = filling(filler)
            for step in steps:
                yield bench.trial(
                    f"disk full ({os.path.basename(directory)})",
                    step,
                    lambda one, step=step, fill=fill: points.deploy(one, when=begins(step), then=fill),
                    repair=lambda filler=filler: remove(filler),
                )
            with thief() as stolen:
                yield bench.trial(
                    f"disk full ({os.path.basename(directory)}) and port taken",
                    "reload",
                    lambda one, fill=fill: points.deploy(one, when=begins("reload"), then=fill, deadline=8.0),
                    extra=THIEF,
                    repair=lambda filler=filler, stolen=stolen: (remove(filler), stolen.close())[0],
                )
        bench.reset()


@contextlib.contextmanager
def small_disk(directory: str) -> Iterator[None]:
    """A file system of 1 MiB in place of a directory, with what the directory holds."""
    copy = "/run/fault-copy"
    shutil.copytree(directory, copy, symlinks=True)
    shell(f"mount -t tmpfs -o size=1m,mode=0700 tmpfs {directory} && cp -a {copy}/. {directory}/")
    shutil.rmtree(copy)
    if directory == SITES:
        os.chmod(directory, 0o755)
    try:
        yield
    finally:
        shell(f"umount -l {directory}")


def read_only(bench: Bench, steps: List[str]) -> Iterator[Row]:
    """A directory turns read-only, as file systems do after an error."""
    for directory in (STATE, SITES):
        for step in steps:
            yield bench.trial(
                f"read-only ({os.path.basename(directory)})",
                step,
                lambda one, step=step, directory=directory: points.deploy(
                    one,
                    when=begins(step),
                    then=lambda: (
                        shell(f"mount --bind {directory} {directory} && mount -o remount,ro,bind {directory}")
                        and None
                    ),
                ),
                repair=lambda directory=directory: (
                    shell(f"while mountpoint -q {directory}; do umount -l {directory}; done") and None
                ),
            )


def certificates(bench: Bench, steps: List[str]) -> Iterator[Row]:
    """The candidate's certificate goes away."""
    os.makedirs(CERTIFICATE, exist_ok=True)
    shell(
        f"cd {CERTIFICATE} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        f"-keyout key.pem -out cert.pem -days 2 -subj /CN={site.NAME} && cp cert.pem kept.pem"
    )
    for step in steps:
        bench.reset()  # the release before has nothing to do with the certificate
        yield bench.trial(
            "certificate removed",
            step,
            lambda one, step=step: points.deploy(
                one, when=begins(step), then=lambda: os.unlink(f"{CERTIFICATE}/cert.pem")
            ),
            extra=TLS,
            repair=lambda: shell(f"cp {CERTIFICATE}/kept.pem {CERTIFICATE}/cert.pem") and None,
        )


def backends(bench: Bench, steps: List[str]) -> Iterator[Row]:
    """The backend stops: nobody's reason to undo a release."""

    def start() -> None:
        shell("systemctl reset-failed lammp-backend; systemctl start lammp-backend")
        deadline = time.monotonic() + 30
        while True:
            try:
                witness.Socket().close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    for step in steps:
        yield bench.trial(
            "backend stopped",
            step,
            lambda one, step=step: points.deploy(
                one, when=begins(step), then=lambda: shell("systemctl stop lammp-backend") and None
            ),
            repair=start,
            socket="n/a: its other end is the backend",
        )


def second_runs(bench: Bench, steps: List[str]) -> Iterator[Row]:
    """A second deployment begins while the first is at a step: it waits, and then has its way."""
    for step in steps:
        reader, writer = os.pipe()
        second: List[points.Run] = []

        def start(
            _run: points.Run, reader: int = reader, writer: int = writer, second: List[points.Run] = second
        ) -> None:
            os.close(writer)
            os.read(reader, 1)
            second.append(points.deploy(site.candidate(bench.live)))

        yield bench.trial(
            "second deployment",
            step,
            lambda one, step=step, writer=writer: points.deploy(
                one, when=begins(step), then=lambda: os.write(writer, b"x") and None
            ),
            meanwhile=start,
            finish=lambda _one, second=second: second[0],
        )
        os.close(reader)


def edits(bench: Bench, steps: List[str]) -> Iterator[Row]:
    """A person edits the live file under the transaction's feet; what they wrote is not lost."""

    def in_place() -> None:
        with open(site.PATH, "a", encoding="utf-8") as stream:
            stream.write(PERSON)

    def as_editors_do() -> None:
        with open(site.PATH, encoding="utf-8") as stream:
            text = stream.read()
        with open(f"{SITES}/.fault.conf.swp", "w", encoding="utf-8") as stream:
            stream.write(text + PERSON)
        os.rename(f"{SITES}/.fault.conf.swp", site.PATH)

    def kept() -> str:
        for path in (site.PATH, *glob.glob(f"{STATE}/backups/*/*/*")):
            with open(path, encoding="utf-8") as stream:
                if PERSON in stream.read():
                    return ""
        return "what the person wrote is lost"

    for how, edit in (("in place", in_place), ("by rename", as_editors_do)):
        for step in steps:
            yield bench.trial(
                f"file edited {how}",
                step,
                lambda one, step=step, edit=edit: points.deploy(one, when=begins(step), then=edit),
                also=kept,
            )
        bench.reset()
    for step in ("activate", "reload", "prove"):  # before, nobody has touched anything but the person
        yield bench.trial(
            "file removed",
            step,
            lambda one, step=step: points.deploy(one, when=begins(step), then=lambda: os.unlink(site.PATH)),
        )
    bench.reset()


def main() -> int:
    """Let all of it happen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    bench = Bench()
    bench.reset()

    def some(*steps: str) -> List[str]:
        return [chance.choice(steps)] if given.short else list(steps)

    parts = ("lock", "snapshot", "activate", "reload", "prove", "commit")
    everything = {
        "kills": lambda: kills(bench, given.kills, chance, given.short),
        "ports": lambda: taken_ports(bench),
        "disks": lambda: full_disks(bench, some(*parts)),
        "read-only": lambda: read_only(bench, some(*parts)),
        "certificates": lambda: certificates(bench, some("compare", "validate", "activate", "reload")),
        "edits": lambda: edits(bench, some(*STEPS)),
        "second": lambda: second_runs(bench, some(*STEPS)),
        "backends": lambda: backends(bench, some(*STEPS[1:])),
        "fixes": lambda: fixes.fixes(bench, min(given.kills, 40), chance, given.short, small_disk),
        "masters": lambda: masters(
            bench, some, lambda faults: chance.sample(faults, 4) if given.short else faults
        ),
    }
    for name, faults in everything.items():
        if given.only and name not in given.only.split(","):
            continue
        bench.reset()
        for row in faults():
            print(row.as_line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
