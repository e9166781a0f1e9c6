"""Python in a container of a host image: this checkout beside real nginx, with rights for namespaces."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.containers import images

ROOT = Path(__file__).resolve().parents[2]
#: Each case is a process of its own: what the first has compiled, the others read.
FLAGS = """
    --rm --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined
    --security-opt apparmor=unconfined --label nginx-websocket-lab --workdir /src --tmpfs /tmp
    --env PYTHONPYCACHEPREFIX=/tmp/compiled
"""


def python_beside_nginx(suite: str, *arguments: str, modules: bool = False) -> str:
    """Run Python as root in a container of a suite's host image, from the checkout, which it cannot change.

    Args:
        suite: a Debian release.
        arguments: of Python.
        modules: whether nginx has the modules that are packages of their own, ``stream`` for one.

    Returns:
        Its standard output; whether it ended well is for the caller to see there.

    Raises:
        AssertionError: it said nothing; the message holds its standard error.
    """
    image = images.modules_image(suite) if modules else images.host_image(suite)
    command = ["docker", "run", *FLAGS.split(), "--volume", f"{ROOT}:/src:ro", image]
    done = subprocess.run(
        [*command, "python3", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout
