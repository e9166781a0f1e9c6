"""The host that faults happen to: its state, and one trial from the fault to the healing."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import os
import shutil
import subprocess
import time
from typing import Any, Callable, Dict, List, Optional, Set

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError
from module_utils.nginx_websocket.transaction.site.model import Site

from . import points, processes, site, witness

STATE = "/var/lib/nginx_websocket"
BOOT_UNIT = "/etc/systemd/system/multi-user.target.wants/nginx-websocket-recover.service"
HAND = ("/etc/nginx/sites-enabled/a-by-hand", "/etc/nginx/sites-enabled/b-by-hand")


@dataclasses.dataclass
class Row:
    """One fault and what came of it; ``yes``, ``no: why`` or ``n/a: why`` in the last three."""

    fault: str
    step: str
    outcome: str
    served: str
    socket: str
    healed: str

    def as_line(self) -> str:
        """For whoever reads our standard output."""
        return json.dumps(dataclasses.asdict(self))

    def good(self) -> bool:
        """No column says no."""
        return not any(value.startswith("no") for value in (self.served, self.socket, self.healed))


def filling(path: str) -> Callable[[], None]:
    """What fills a disk with one file, to the last byte."""

    def fill() -> None:
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))

    return fill


def remove(path: str) -> None:
    """Remove a file that may not be there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def begins(step: str) -> Callable[[int, str], bool]:
    """True at the first point of a step."""
    seen: List[str] = []

    def when(_number: int, name: str) -> bool:
        if name == step and not seen:
            seen.append(name)
            return True
        return False

    return when


def shell(command: str, check: bool = True) -> str:
    """Run a command here."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def valid() -> bool:
    """Whether the tree on the disk passes ``nginx -t``."""
    return subprocess.run(["nginx", "-t"], capture_output=True, check=False).returncode == 0


def on_disk() -> str:
    """The revision that a restart would serve, by following a request to each server; else what is mixed."""
    try:
        tree = load("/etc/nginx/nginx.conf", prefix="/usr/share/nginx/")
        named: Set[str] = set()
        for port in site.PORTS:
            answer = route(tree, f"http://{site.NAME}:{port}/").answer
            words = answer.directive.args[-1].decode().split() if answer.directive else []
            named.add(words[-1] if words else f"<{answer.kind} at port {port}>")
        for directive in tree.walk():
            if directive.name == b"map" and directive.args[-1:] == (b"$fault_part",):
                lines = (line for line in directive.block or () if line.name == b"default")
                named.update(line.args[0].decode() for line in lines)
    except (ConfSyntaxError, OSError) as error:
        return f"<{error}>"
    return named.pop() if len(named) == 1 else "a mixture of " + " and ".join(sorted(named))


def leftovers() -> List[str]:
    """What a transaction may not leave behind."""
    found = glob.glob("/etc/nginx/**/.*nginx-websocket*", recursive=True)
    found += glob.glob("/etc/systemd/system/**/*nginx-websocket*", recursive=True)
    found += [f"{STATE}/{name}" for name in os.listdir(STATE) if name not in ("backups", "lock", "filler")]
    timers = shell("systemctl list-units --plain --no-legend 'nginx-websocket-*' | awk '{print $1}'")
    return found + timers.split()


class Bench:
    """One host, and the revision that is live on it."""

    def __init__(self) -> None:
        self.number = 0
        self.live = ""
        self.seconds = 1.0
        """What a transaction without a fault takes here."""

    def revision(self) -> str:
        """A name that no release had yet."""
        self.number += 1
        return f"r{self.number}"

    def reset(self) -> None:
        """The first release of ours is live, and nothing else of us is there."""
        self._clear()
        self.live = self.revision()
        begun = time.monotonic()
        done = points.deploy(site.candidate(self.live), start=True).wait()
        self.seconds = time.monotonic() - begun
        if done.get("result", {}).get("outcome") != "applied" or witness.served() != self.live:
            raise RuntimeError(f"the host could not be made ready: {done} {witness.served()}")

    def reset_by_hand(self) -> None:
        """Two hand-written files serve the site, and nothing of us is there."""
        self._clear()
        self.live = self.revision()
        for index, path in enumerate(HAND):
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(site.by_hand(site.PORTS[index], self.live, index == 0))
        master = processes.read(processes.PID)
        old = set(processes.taking(master))
        shell("nginx -s reload")
        # That the new workers answer is not enough: for a moment the old ones take connections beside them.
        processes.until(lambda: not old & set(processes.taking(master)), "the end of the old workers")
        if witness.served() != self.live:
            raise RuntimeError(f"the hand-written site is not served: {witness.served()}")

    def _clear(self) -> None:
        hidden = glob.glob("/etc/nginx/**/.*nginx-websocket*", recursive=True)
        for path in (site.PATH, site.LINK, *HAND, *hidden):
            if os.path.lexists(path):
                os.unlink(path)
        shell("systemctl stop 'nginx-websocket-*' 2>/dev/null", check=False)
        shell(f"rm -f /etc/systemd/system/nginx-websocket-* {BOOT_UNIT}")
        shutil.rmtree(STATE, ignore_errors=True)
        shell("systemctl is-active -q nginx || { systemctl reset-failed nginx; systemctl start nginx; }")

    def trial(
        self,
        fault: str,
        step: str,
        begin: Callable[[Site], points.Run],
        *,
        extra: str = "",
        meanwhile: Callable[[points.Run], None] = lambda _run: None,
        repair: Callable[[], None] = lambda: None,
        served: str = "",
        socket: str = "",
        also: Callable[[], str] = lambda: "",
        finish: Optional[Callable[[Site], points.Run]] = None,
        same: bool = False,
    ) -> Row:
        """One fault, what is served meanwhile, and the next run.

        Args:
            fault: what happens.
            step: where.
            begin: begins the run that it happens to.
            extra: configuration that the candidate has beside the site.
            meanwhile: happens while that run goes on.
            repair: takes the cause away, as somebody has to before the next run.
            served: ``n/a: why`` where the fault itself ends what serves.
            socket: ``n/a: why`` where the fault itself ends the socket.
            also: a further check of the end; "" or what is wrong.
            finish: the next run, when it is not the same deployment once more.
            same: nothing of what the site serves shall change.
        """
        old, new = self.live, self.live if same else self.revision()
        wanted = site.candidate(new, extra)
        open_socket = witness.Socket()
        with witness.Pages() as pages:
            run = begin(wanted)
            meanwhile(run)
            first = run.wait().get("result")
            wrong = self._judge(first, old, new, bool(served))
            repair()
            again = (finish or (lambda one: points.deploy(one, on_drift="overwrite", start=True)))(wanted)
            second: Dict[str, Any] = again.wait().get("result", {})
        kept = open_socket.close()
        self.live = on_disk()
        healed = self._healed(second, old if finish else new) or also()
        row = Row(
            fault,
            step,
            "killed" if first is None else str(first["outcome"]) + (", failed" if first["failed"] else ""),
            served or (f"no: {wrong}" if wrong else pages.verdict({old, new})),
            socket or kept,
            f"no: {healed}" if healed else "yes",
        )
        if not row.good() or self.live not in (old, new):
            self.reset()
        return row

    def _judge(self, result: Optional[Dict[str, Any]], old: str, new: str, dark: bool) -> str:
        """What is wrong right after the fault; "" when nothing is."""
        if not valid():
            return "nginx -t refuses the tree on the disk"
        disk = on_disk()
        if disk not in (old, new) and not os.path.lexists(BOOT_UNIT):
            return f"a restart would serve {disk}"
        if dark:
            return ""
        now = witness.settled() if result is None else witness.served()
        if now not in (old, new):
            return f"served is {now}"
        if result is None:
            return ""
        if not result["failed"] and (now, disk) != (new, new):
            return f"the run says {result['outcome']}, but served is {now} and the disk has {disk}"
        undone = result["failed"] and result["outcome"] in ("rolled back", "refused", "nothing to go back to")
        if undone and (now, disk) != (old, old):
            return f"the run says {result['outcome']}, but served is {now} and the disk has {disk}"
        return ""

    @staticmethod
    def _healed(result: Dict[str, Any], wanted: str) -> str:
        """What is wrong after the next run; "" when all is well."""
        if result.get("failed", True):
            return str(result.get("message", "the next run was killed"))
        if not valid():
            return "nginx -t refuses the tree on the disk"
        if (witness.served(), on_disk()) != (wanted, wanted):
            return f"served is {witness.served()}, the disk has {on_disk()}, wanted {wanted}"
        left = leftovers()
        return f"left behind: {', '.join(left)}" if left else ""
