"""The docker command line, with errors that name the command and what it said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Sequence

from ..state import LabError


class DockerError(LabError):
    """A docker command failed; `output` holds what it printed."""

    def __init__(self, message: str, output: str = "") -> None:
        """Keep the output beside the message."""
        super().__init__(message)
        self.output = output


def environment() -> Dict[str, str]:
    """Return the environment for docker: the classic builder, which every engine since 1.x has.

    BuildKit would need the buildx plugin, which Debian's docker.io lacks, and cannot see local base images
    when its builder runs in a container of its own.
    """
    return {**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_CLI_HINTS": "false"}


def docker(
    *arguments: str, check: bool = True, data: Optional[bytes] = None, timeout: Optional[float] = None
) -> subprocess.CompletedProcess[bytes]:
    """Run one docker command and return it with its output captured.

    Args:
        arguments: everything after `docker`.
        check: raise when it fails.
        data: bytes for its standard input.
        timeout: seconds until it is ended.

    Raises:
        DockerError: docker is missing, failed (with `check`), or took longer than `timeout`.
    """
    try:
        done = subprocess.run(
            ["docker", *arguments],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            timeout=timeout,
            env=environment(),
            check=False,
        )
    except FileNotFoundError:
        raise DockerError("the docker command is missing: run `make setup`") from None
    except subprocess.TimeoutExpired:
        raise DockerError(f"`docker {' '.join(arguments)}` gave no answer within {timeout:g} s") from None
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise DockerError(f"`docker {' '.join(arguments)}` failed ({done.returncode}): {said}", said)
    return done


def text(*arguments: str, timeout: Optional[float] = None) -> str:
    """Run one docker command and return its standard output, stripped."""
    return docker(*arguments, timeout=timeout).stdout.decode("utf-8", "replace").strip()


def inspect(kind: str, names: Sequence[str]) -> List[Dict[str, Any]]:
    """Return what docker knows of the named images or containers; unknown names are left out.

    Args:
        kind: "image" or "container".
        names: their names or ids.
    """
    if not names:
        return []
    done = docker(kind, "inspect", *names, check=False)
    found: List[Dict[str, Any]] = json.loads(done.stdout.decode() or "[]")
    return found


def engine() -> Dict[str, Any]:
    """Return `docker info` of a usable engine.

    Raises:
        DockerError: no engine answers, or this user may not use it.
    """
    if shutil.which("docker") is None:
        raise DockerError("the docker command is missing: run `make setup`")
    done = docker("info", "--format", "{{json .}}", check=False, timeout=30)
    facts: Dict[str, Any] = json.loads(done.stdout.decode() or "{}")
    if done.returncode != 0 or facts.get("ServerErrors") or not facts.get("ServerVersion"):
        said = "; ".join(facts.get("ServerErrors") or []) or done.stderr.decode("utf-8", "replace").strip()
        raise DockerError(
            f"no docker engine is usable: {said}\nrun `make setup` as root, or join the docker group"
        )
    return facts
