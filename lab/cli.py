"""The lab's command line."""

from __future__ import annotations

import argparse
import sys
from typing import List, Optional

from . import docker, images
from .console import say
from .state import LabError


def main(argv: Optional[List[str]] = None) -> int:
    """Run one of the lab's commands; returns the exit status."""
    parser = argparse.ArgumentParser(prog="lab/lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("images", help="build the images that are missing or out of date")
    command.add_argument("--suite", action="append", choices=[*images.SUITES, "all"], help="default: bookworm")
    command.add_argument("--browser", action="store_true", help="the browser image too")
    arguments = parser.parse_args(argv)
    try:
        docker.engine()
        suites = arguments.suite or ["bookworm"]
        suites = list(images.SUITES) if "all" in suites else suites
        for name in images.ensure(suites, arguments.browser):
            print(name)
    except LabError as error:
        say(f"lab: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
