"""The lab's command line: hosts in containers, a browser, and the demo."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import List, Optional

from . import browser, demo, hosts, inventory, scenes
from .console import say
from .containers import docker, engine, images
from .files import ssh
from .state import LabError


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    whole = argparse.ArgumentParser(prog="lab/lab", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "images", help="build images that are missing or out of date (default: bookworm)"
    )
    command.add_argument("--suite", action="append", choices=[*images.SUITES, "all"])
    command.add_argument("--browser", action="store_true", help="the browser image too")

    command = commands.add_parser("up", help="start hosts and wait until they are ready")
    command.add_argument("name", nargs="+")
    command.add_argument("--suite", default="bookworm", choices=images.SUITES)
    scene = "what is on the host, may be repeated: " + ", ".join(scenes.SCENES)
    command.add_argument("--scene", action="append", default=[], help=scene)
    command.add_argument("--recreate", action="store_true", help="start over even when it runs already")

    command = commands.add_parser("down", help="remove containers of this checkout")
    command.add_argument("name", nargs="*")
    command.add_argument("--all", action="store_true", help="all of them, the browser too")
    command.add_argument(
        "--engine", action="store_true", help="the docker engine too, if it was started for them"
    )

    command = commands.add_parser("inventory", help="the running hosts as an Ansible inventory (JSON)")
    command.add_argument("--list", action="store_true")
    command.add_argument("--host", metavar="NAME")

    command = commands.add_parser("exec", help="run a command as root inside a host")
    command.add_argument("name")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")

    command = commands.add_parser("shell", help="log in to a host over SSH, as Ansible does")
    command.add_argument("name", nargs="?", help="default: the only host, or `demo`")
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")

    command = commands.add_parser("browser", help="open a page in headless Chromium and report what happened")
    command.add_argument("url", nargs="+")
    command.add_argument(
        "--on", metavar="NAME", help="the host behind the lab's names; default: the only one"
    )
    command.add_argument("--until", default="", metavar="STATES", help="wait for the light: open, failed")
    command.add_argument("--hint", default="", metavar="TEXT", help="wait for this hint in the page")
    command.add_argument("--screenshot", default="page.png", metavar="FILE", help="below out/")
    command.add_argument("--timeout", type=float, default=20.0, metavar="SECONDS")

    commands.add_parser("demo", help="show the whole story on a host of its own")
    commands.add_parser("status", help="show the containers of this checkout")
    return whole


def main(argv: Optional[List[str]] = None) -> int:
    """Run one of the lab's commands; returns the exit status."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.command != "down":
            docker.engine()
        status = COMMANDS[arguments.command](arguments)
    except LabError as error:
        say(f"lab: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _images(arguments: argparse.Namespace) -> int:
    suites = arguments.suite or ["bookworm"]
    for name in images.ensure(list(images.SUITES) if "all" in suites else suites, arguments.browser):
        print(name)
    return 0


def _up(arguments: argparse.Namespace) -> int:
    wanted = [name for given in arguments.scene for name in given.split(",")]
    for host in hosts.up(arguments.name, arguments.suite, wanted, arguments.recreate):
        _show(host)
    return 0


def _down(arguments: argparse.Namespace) -> int:
    if not arguments.name and not arguments.all:
        raise LabError("down: name the hosts, or say --all")
    if arguments.engine and not engine.answers():
        print("no docker engine runs, so no container does")
        return 0
    gone = hosts.down(arguments.name, arguments.all)
    absent = sorted(set(arguments.name) - set(gone))
    print(f"removed: {', '.join(gone) or 'nothing'}")
    if absent:
        print(f"not there: {', '.join(absent)}")
    if arguments.engine and engine.stop_if_ours():
        print("stopped the docker engine, which had been started for the lab")
    return 0


def _inventory(arguments: argparse.Namespace) -> int:
    if arguments.host:
        print(json.dumps(inventory.variables(hosts.get(arguments.host)), indent=2))
    else:
        print(json.dumps(inventory.inventory(hosts.hosts()), indent=2))
    return 0


def _exec(arguments: argparse.Namespace) -> int:
    host = hosts.get(arguments.name)
    flags = ["--interactive", *(["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else [])]
    sys.stdout.flush()
    os.execvp("docker", ["docker", "exec", *flags, host.container, *(arguments.words or ["bash"])])


def _shell(arguments: argparse.Namespace) -> int:
    host = _only(arguments.name)
    command = ["ssh", "-i", str(ssh.identity()), *ssh.options(host.name), f"{ssh.USER}@{host.address}"]
    if not arguments.words:
        say(f"you are {ssh.USER} on {host.name}: `sudo -i` makes you root, `exit` leads back")
    os.execvp("ssh", [*command, *arguments.words])


def _browser(arguments: argparse.Namespace) -> int:
    names = scenes.addresses(_only(arguments.on).address)
    reached = True
    for number, url in enumerate(arguments.url):
        shot = arguments.screenshot if not number else f"{number + 1}-{arguments.screenshot}"
        report = browser.visit(
            url,
            names,
            until=arguments.until,
            hint=arguments.hint,
            screenshot=shot,
            timeout=arguments.timeout,
        )
        print(json.dumps(report, indent=2))
        reached = reached and bool(report["reached"])
    return 0 if reached else 3


def _demo(_arguments: argparse.Namespace) -> int:
    demo.show()
    return 0


def _status(_arguments: argparse.Namespace) -> int:
    found = hosts.listing()
    for host in found:
        _show(host)
    if not found:
        print("nothing runs: `lab/lab up NAME` starts a host, `make demo` shows the story")
    return 0


COMMANDS = {
    "images": _images,
    "up": _up,
    "down": _down,
    "inventory": _inventory,
    "exec": _exec,
    "shell": _shell,
    "browser": _browser,
    "demo": _demo,
    "status": _status,
}


def _only(name: Optional[str]) -> hosts.Host:
    """Return the named host; without a name the demo's, or the only one."""
    if name:
        return hosts.get(name)
    running = hosts.hosts()
    for host in running:
        if host.name == "demo" or len(running) == 1:
            return host
    if running:
        raise LabError(f"which host? One of {', '.join(host.name for host in running)}")
    return hosts.get("demo")


def _show(host: hosts.Host) -> None:
    """Print one line about a container."""
    about = f"{host.suite} {'+'.join(host.scenes)}" if host.kind == "host" else "chromium"
    print(f"{host.name:<16} {host.address or 'stopped':<16} {about:<32} {host.container}")


if __name__ == "__main__":
    sys.exit(main())
