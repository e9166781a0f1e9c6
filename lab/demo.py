"""Two stories on one screen: a page whose WebSocket fails, and one command that mends the file in place;
then the same host with a site of the role.

Nothing is told that is not looked at: the demo fails as soon as the host, the browser or Ansible show
something else than the story says.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

from . import browser, hosts, scenes
from .containers import images
from .state import CHECKOUT, LabError, directory

HOST = "demo"
SESSION = "session-874q8t"
PAGE = f"https://lammp.test/play/{SESSION}"
TOPIC = f"maze/hint/{SESSION}"
HINT = "Turn left at the fountain: the key lies under the third lantern."
URL = f"wss://lammp.test/api/mqtt/ws/hints/{SESSION}"
FILE = "/etc/nginx/sites-available/lammp.test"
LINES = 3
"""So many lines is all that the hand-written file needs."""
FIX = ["ansible-playbook", "-i", "inventory/lab", "playbooks/fix.yml", "-e", f"url={URL}"]
BACK = ["ansible-playbook", "-i", "inventory/lab", "playbooks/rollback.yml"]
PLAYBOOK = ["ansible-playbook", "-i", "inventory/lab", "site.yml"]
RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$")
STARS = re.compile(r" \*{3,}(?=\x1b|$)")  # Ansible fills the width of a terminal
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def show() -> None:
    """Tell the story from its start, on a host made anew.

    Raises:
        LabError: a step of the story did not happen; the message says which and what was seen instead.
    """
    _heading("0", "a host as such hosts are: nginx, certbot's certificate, a FastAPI backend, Mosquitto")
    host = hosts.up([HOST], "bookworm", ["broken"], recreate=True)[0]
    images.browser_image()
    names = scenes.addresses(host.address)
    _before(names)
    found = hosts.run(host, "cat", FILE)
    _fix(host)
    _after(host, names, "3", "fixed.png")
    _back(host, found)
    _deploy(host)
    _after(host, names, "6", "after.png")
    _again(host)
    _next_steps()


def _before(names: Dict[str, str]) -> None:
    """Show that the page's WebSocket fails, in the browser's own words."""
    _heading("1", f"before: Chromium opens {PAGE}")
    report = browser.visit(PAGE, names, screenshot="before.png")
    errors = [entry for entry in map(_console, report["console"]) if "WebSocket" in entry]
    if report["status"] != "failed" or not errors:
        raise LabError(f"the broken host is not broken: {_seen(report)}")
    for error in errors:
        _say(f"console  {_red(error)}")
    _say(f"page     status light: {_red(report['status'])} ({_relative(report['screenshot'])})")


def _fix(host: hosts.Host) -> None:
    """Mend the hand-written file in place, and show what changed in it."""
    command = _limited(FIX, host)
    _heading("2", f"the fix, in the file as it is: $ {' '.join(command)}")
    old = hosts.run(host, "cat", FILE)
    recap = _recap(_ansible(command, "demo-fix", visible=True), host)
    new = hosts.run(host, "cat", FILE)
    found = [
        line
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1)
        if not line.startswith(("---", "+++"))
    ]
    if recap.get("changed", 0) < 1 or sum(line[0] in "+-" for line in found) != LINES:
        raise LabError(f"the fix was to change {LINES} lines of {FILE}: {recap}\n" + "\n".join(found))
    _say("")
    _say(f"All that changed in {FILE}:")
    for line in found:
        _say(_green(line) if line.startswith("+") else line)


def _back(host: hosts.Host, found: str) -> None:
    """Show that the fix is taken back byte for byte."""
    command = _limited(BACK, host)
    _heading("4", f"taken back, byte for byte: $ {' '.join(command)}")
    lines = _ansible(command, "demo-back", visible=False)
    if hosts.run(host, "cat", FILE) != found:
        raise LabError(f"{FILE} is not as it was found")
    _say(next(line for line in lines if RECAP.match(line)))


def _deploy(host: hosts.Host) -> None:
    """Run the playbook; its own words are the story here."""
    command = _limited(PLAYBOOK, host)
    _heading("5", f"or a site of the role, with all that it promises: $ {' '.join(command)}")
    lines = _ansible(command, "demo-first", visible=True)
    recap = _recap(lines, host)
    if recap.get("changed", 0) < 1:
        raise LabError(f"the playbook changed nothing on a host without the role's site: {recap}")


def _after(host: hosts.Host, names: Dict[str, str], number: str, screenshot: str) -> None:
    """Show that the same page works, and that a hint gets from the broker into it."""
    _heading(number, f"after: the same page, and a hint published to the MQTT topic {TOPIC}")
    publish = ["mosquitto_pub", "-h", "127.0.0.1", "-q", "1", "-t", TOPIC, "-m", json.dumps({"hint": HINT})]
    published: List[str] = []

    def on_event(event: Dict[str, Any]) -> None:
        # The hint goes out once the page says that its socket is open: hints are not kept for later.
        if event["event"] == "status" and event["status"] == "open" and not published:
            published.append(hosts.run(host, *publish))

    report = browser.visit(PAGE, names, until="open", hint=HINT, screenshot=screenshot, on_event=on_event)
    opened = [socket for socket in report["sockets"] if socket["status"] == 101]
    errors = [entry for entry in map(_console, report["console"]) if "WebSocket" in entry]
    if report["status"] != "open" or not opened or errors:
        raise LabError(f"the WebSocket still fails: {_seen(report)}")
    if not any(HINT in shown for shown in report["hints"]):
        raise LabError(
            f"the socket is open, but the hint did not appear in the page within 20 s: {report['hints']}"
        )
    _say(f"network  {opened[0]['url']} → {_green('101 ' + str(opened[0].get('reason', '')))}")
    _say(f"page     status light: {_green(report['status'])} ({_relative(report['screenshot'])})")
    _say(f"page     hint: {_green(report['hints'][-1])}")


def _again(host: hosts.Host) -> None:
    """Show that a second run finds nothing to do."""
    _heading("7", "the same command again")
    lines = _ansible(_limited(PLAYBOOK, host), "demo-second", visible=False)
    recap = _recap(lines, host)
    if recap.get("changed") != 0:
        raise LabError(f"a second run must change nothing, but: {recap}\n" + "\n".join(lines[-40:]))
    _say(next(line for line in lines if RECAP.match(line)))


def _next_steps() -> None:
    """Say what there is to look at."""
    _say("")
    _say("The host goes on running. Look around:")
    _say(
        "  make shell                       log in: /etc/nginx/sites-enabled/lammp.test, journalctl -u nginx"
    )
    _say("  .venv/bin/ansible-playbook -i inventory/lab site.yml --check --diff")
    _say("  make demo-down                   remove it; make demo tells the story again from its start")


def _limited(command: List[str], host: hosts.Host) -> List[str]:
    """Return the command; other hosts of the lab that happen to run are left out."""
    others = [other for other in hosts.hosts() if other.name != host.name]
    return [*command, *(["--limit", host.name] if others else [])]


def _ansible(command: List[str], log: str, visible: bool) -> List[str]:
    """Run Ansible from this checkout's virtualenv; return its lines, without colours.

    Args:
        command: the command line.
        log: name of the log file that keeps the whole output.
        visible: pass its lines on as they come.

    Raises:
        LabError: it failed; the message holds its output when that was not visible.
    """
    colour = sys.stdout.isatty()
    bin_directory = CHECKOUT / ".venv" / "bin"
    env = {
        **os.environ,
        "PATH": f"{bin_directory}:{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "1" if visible and colour else "0",
        # Only what happened is of interest here; the whole output of a run is one command away.
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0",
        "PYTHONUNBUFFERED": "1",
    }
    env.pop("ANSIBLE_NOCOLOR", None)
    path = directory("log") / f"{log}.log"
    lines: List[str] = []
    with path.open("w") as handle, subprocess.Popen(
        [str(bin_directory / command[0]), *command[1:]],
        cwd=CHECKOUT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            plain = COLOUR.sub("", line).rstrip("\n")
            handle.write(plain + "\n")
            lines.append(plain)
            if visible and plain.strip():
                _say(STARS.sub("", line.rstrip("\n")))
    if process.returncode != 0:
        shown = "" if visible else "\n" + "\n".join(lines[-40:])
        raise LabError(
            f"`{' '.join(command)}` ended with status {process.returncode} (all of it: {path}){shown}"
        )
    return lines


def _recap(lines: List[str], host: hosts.Host) -> Dict[str, int]:
    """Return the host's counters from Ansible's recap."""
    for line in reversed(lines):
        found = RECAP.match(line)
        if found and found.group(1) == host.name:
            pairs = (pair.split("=") for pair in found.group(2).split())
            return {name: int(value) for name, value in pairs}
    raise LabError(f"Ansible's recap does not name the host {host.name}")


def _seen(report: Dict[str, Any]) -> str:
    """Say what the browser saw, for an error."""
    page = report.get("failure") or f"the page says {report['status']!r}"
    console = "; ".join(map(_console, report["console"])) or "nothing"
    return f"{page}; sockets: {report['sockets']}; console: {console}"


def _console(entry: Dict[str, str]) -> str:
    """Return a console entry as a person sees it: `index-….js:30 WebSocket connection to …`."""
    source, line, message = ([*entry["message"].split(" ", 2), "", ""])[:3]
    return f"{source.rsplit('/', 1)[-1]}:{line} {message}" if source.startswith("http") else entry["message"]


def _relative(path: str) -> str:
    return os.path.relpath(path, Path.cwd())


def _heading(number: str, text: str) -> None:
    print(f"\n{_bold(number + '  ' + text)}", flush=True)


def _say(text: str) -> None:
    print(f"   {text}" if text else "", flush=True)


def _paint(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() else text


def _bold(text: str) -> str:
    return _paint("1", text)


def _red(text: str) -> str:
    return _paint("31", text)


def _green(text: str) -> str:
    return _paint("32", text)
