"""The faults that only somebody outside the host can bring about: reboots and lost controllers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, List

from lab import hosts
from lab.containers import docker

from . import site, witness
from .bench import Row

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CODE = "/opt/nginx-websocket-faults"
GONE = "n/a: the reboot ends everything that runs"
_PATIENCE = 60.0

# Runs a deployment in the host, and stops for good at one of its points; says so before.
STOP = """\
import signal, sys
sys.path.insert(0, {code!r})
from tests.faults import bench, points, site
here = bench.Bench()
if {by_hand!r}:
    here.reset_by_hand()
else:
    here.reset()
def halt():
    print(here.live, flush=True)
    signal.pause()
points.deploy(
    site.candidate("new"), confirm_window=600.0 if {window!r} else 0.0,
    when=lambda _number, name: name.startswith({point!r}), then=halt,
).wait()
print(here.live if {window!r} else "the point was never reached", flush=True)
"""
NEXT = """\
import json, sys
sys.path.insert(0, {code!r})
from tests.faults import bench, points, site, witness
done = points.deploy(site.candidate("next"), start=True).wait()["result"]
wrong = bench.Bench._healed(done, "next")
print(json.dumps([done["recovered"], wrong]))
"""
STATE = """\
import json, sys
sys.path.insert(0, {code!r})
from tests.faults import bench, witness
print(json.dumps([bench.valid(), bench.on_disk(), witness.served()]))
"""


def python(host: hosts.Host, script: str, **values: object) -> str:
    """Run Python in the host and return what it printed last."""
    lines = hosts.run(
        host, "python3", "-B", "-", data=script.format(code=CODE, **values).encode()
    ).splitlines()
    return lines[-1] if lines else ""


def reboot(host: hosts.Host) -> hosts.Host:
    """Pull the plug, and wait until the host is up again."""
    docker.docker("kill", host.container)
    docker.docker("start", host.container)
    again = hosts.get(host.name)
    hosts.wait_ready(again)
    return again


def reboots(host: hosts.Host, short: bool) -> Iterator[Row]:
    """The plug is pulled at a step; what the host serves when it is up again is whole."""
    moments = [
        ("takeover of two files", "activate: unlink", True, False),
        ("in the window", "", False, True),
        ("update", "reload", False, False),
        ("update", "activate: rename fault.conf", False, False),
        ("takeover of two files", "activate: symlink", True, False),
        ("takeover of two files", "reload", True, False),
        ("takeover of two files", "prove", True, False),
    ]
    for what, point, by_hand, window in moments[:2] if short else moments:
        script = STOP.format(code=CODE, point=point or "never", by_hand=by_hand, window=window)
        running = subprocess.Popen(
            ["docker", "exec", "-i", host.container, "python3", "-B", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert running.stdout is not None
        old = running.stdout.readline().strip()
        host = reboot(host)
        running.wait()
        valid, disk, served = json.loads(python(host, STATE))
        whole = valid and disk == served and served in (old, "new")
        recovered, wrong = json.loads(python(host, NEXT))
        yield Row(
            f"reboot ({what})",
            point or "after the proof",
            f"serves {'the old' if served == old else 'the new'} release"
            + ("; says so" if recovered else ""),
            "yes" if whole else f"no: after the reboot {served}, the disk has {disk}",
            GONE,
            f"no: {wrong}" if wrong else "yes",
        )


def ansible(playbook: str, host: hosts.Host, **variables: object) -> List[str]:
    """The command that runs a playbook on this host."""
    extra = ["-e", json.dumps(variables)] if variables else []
    return [str(BIN / "ansible-playbook"), "-i", "inventory/lab", playbook, "-l", host.name, *extra]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something to happen.

    Raises:
        RuntimeError: it did not.
    """
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not happen within {_PATIENCE:g} s")
        time.sleep(0.1)


def controllers(host: hosts.Host) -> Iterator[Row]:
    """The controller is killed between the deployment and its verification, by way of all of Ansible."""
    python(
        host,
        "import sys; sys.path.insert(0, {code!r})\nfrom tests.faults import bench\nbench.Bench().reset()",
    )
    journal = "cat /var/lib/nginx_websocket/journal.json 2>/dev/null"
    old = witness.served(host.address)
    pattern = "nginx-websocket-undo.timer"
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder) / "candidate.conf"
        content.write_text(site.content("lost"))
        play = Path(folder) / "deploy.yml"
        play.write_text(PLAY.format(path=content, name=site.NAME, url=f"ws://{site.NAME}{site.WEBSOCKET}"))
        open_socket = witness.Socket(host.address)
        with witness.Pages(host.address) as pages:
            lost = subprocess.Popen(
                ansible(str(play), host),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                until(
                    lambda: "unconfirmed" in hosts.run(host, "sh", "-c", journal, check=False), "the window"
                )
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(lost.pid, signal.SIGKILL)
                lost.wait()
            went_live = witness.served(host.address) == "lost"
            until(lambda: witness.served(host.address) == old, "going back")
            show = f"systemctl list-units --all --plain --no-legend {pattern}"
            until(lambda: not hosts.run(host, "sh", "-c", show).strip(), "the end of the timer")
        kept = open_socket.close()
        recovered, wrong = json.loads(python(host, NEXT))
    said = "went back by itself; says so" if recovered and went_live else "no: nothing is known of it"
    yield Row(
        "controller killed in the window",
        "before the confirmation",
        said,
        pages.verdict({old, "lost"}),
        kept,
        f"no: {wrong}" if wrong else "yes",
    )


PLAY = """\
---
- name: Deploy, and wait for somebody who never comes
  hosts: nginx_websocket
  become: true
  gather_facts: false
  tasks:
    - name: Deploy
      nginx_deploy:
        confirm_window: 2
        proof_timeout: 10
        sites:
          - name: fault
            content: "{{{{ lookup('ansible.builtin.file', '{path}') ~ '\\n' }}}}"
            server_names: [{name}]
            routes: [{{ url: "{url}", backend: "http://127.0.0.1:8000" }}]

    - name: Verify for a long time
      ansible.builtin.command: sleep 120
      changed_when: false
"""
