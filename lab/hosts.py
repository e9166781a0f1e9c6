"""The lab's hosts: containers that boot systemd, made from a host image and a scene."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Sequence

from . import scenes
from .console import say, step
from .containers import docker, images, network
from .files import ssh
from .state import CHECKOUT_ID, LabError, lock

LABEL = images.REPOSITORY
CHECKOUT_LABEL = f"{LABEL}.checkout"
SUITE_LABEL = f"{LABEL}.suite"
SCENE_LABEL = f"{LABEL}.scene"
KIND_LABEL = f"{LABEL}.kind"  # host or browser

BOOT = 90.0  # seconds until a host must be up
POLL = 0.05
AT_ONCE = 4
INOTIFY_PER_HOST = 8
INOTIFY_INSTANCES = "/proc/sys/fs/inotify/max_user_instances"

# Asked inside the host: the backend has loaded its libraries, listens, and hears the broker.
BACKEND_READY = """\
import json, os, subprocess, sys, time, urllib.request
show = ""
if os.path.isdir("/run/systemd/system"):
    show = subprocess.check_output(["systemctl", "show", "-P", "Environment", "lammp-backend"], text=True)
port = dict(pair.split("=", 1) for pair in show.split()).get("LAMMP_PORT", "8000")
end = time.monotonic() + float(sys.argv[1])
error = None
while time.monotonic() < end:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5) as answer:
            if json.load(answer)["mqtt"]:
                sys.exit(0)
            error = "it does not hear the broker"
    except OSError as failed:
        error = failed
    time.sleep(0.05)
sys.exit(f"the backend on port {port} is not ready: {error}")
"""


@dataclass(frozen=True)
class Host:
    """A container of this checkout."""

    name: str
    kind: str
    container: str
    identity: str
    image: str
    suite: str
    scenes: Sequence[str]
    running: bool
    address: str
    address6: str = ""  # only in the scene `ipv6`, where the engine can give one


def container_name(name: str) -> str:
    """Return the container's name: two checkouts may both have a host `demo`."""
    return f"nwl-{CHECKOUT_ID}-{name}"


def listing() -> List[Host]:
    """Return all containers of this checkout, by name."""
    filters = ["--filter", f"label={LABEL}", "--filter", f"label={CHECKOUT_LABEL}={CHECKOUT_ID}"]
    found = docker.text("ps", "--all", "--quiet", "--no-trunc", *filters).split()
    return sorted((_host(data) for data in docker.inspect("container", found)), key=lambda host: host.name)


def hosts(running: bool = True) -> List[Host]:
    """Return the hosts of this checkout, without the browser.

    Args:
        running: only those that run.
    """
    return [host for host in listing() if host.kind == "host" and (host.running or not running)]


def get(name: str) -> Host:
    """Return a running host by its name.

    Raises:
        LabError: there is none, or it does not run.
    """
    for host in hosts(running=False):
        if host.name == name:
            if not host.running:
                raise LabError(f"host {name!r} does not run: start it again with `lab/lab up {name}`")
            return host
    start = "make demo" if name == "demo" else f"lab/lab up {name}"
    raise LabError(f"there is no host {name!r}: start it with `{start}`")


def up(names: Sequence[str], suite: str, wanted: Iterable[str], recreate: bool = False) -> List[Host]:
    """Start hosts and wait until they are ready; one that runs already in the same state is left alone.

    Args:
        names: the hosts' names.
        suite: the Debian release.
        wanted: scene names.
        recreate: start over even when the host runs in the same state.

    Raises:
        LabError: a name is not a host name, or a host did not come up; the message holds what it said.
    """
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,40}[a-z0-9])?", name):
            raise LabError(f"host name: {name!r}, expected lower-case letters, digits, dots and hyphens")
    chosen = scenes.check(wanted)
    image = images.openrc_image(suite) if scenes.OPENRC in chosen else images.host_image(suite)
    existing = {host.name: host for host in listing()}
    missing = []
    for name in names:
        host = existing.get(name)
        if host and not recreate and host.running and _same(host, image, suite, chosen):
            continue
        missing.append(name)
    if missing:
        _allow_inotify(len(missing))
        files = {name: _files(name, chosen) for name in missing}
        what = ", ".join(missing) if len(missing) < 6 else f"{len(missing)} hosts"
        with step(f"start {what} ({suite}, {'+'.join(chosen)})"), ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: _start(name, image, suite, chosen, files[name]), missing))
    return [get(name) for name in names]


def down(names: Sequence[str], everything: bool = False) -> List[str]:
    """Remove containers of this checkout; returns the names of those that were there.

    Args:
        names: the containers' lab names.
        everything: all of this checkout, the browser too.
    """
    gone = [host for host in listing() if everything or host.name in names]
    if gone:
        docker.docker("rm", "--force", "--volumes", *(host.identity for host in gone))
    if any(scenes.IPV6 in host.scenes for host in gone):
        with lock("network"):
            if not any(scenes.IPV6 in host.scenes for host in listing()):
                network.remove()
    return [host.name for host in gone]


def run(host: Host, *command: str, data: bytes = b"", check: bool = True) -> str:
    """Run a command as root inside a host; returns its standard output.

    Raises:
        DockerError: it failed (with `check`).
    """
    done = docker.docker("exec", "--interactive", host.container, *command, data=data, check=check)
    return done.stdout.decode("utf-8", "replace")


def _host(data: Dict[str, Any]) -> Host:
    """Read one container of docker's listing."""
    labels = data["Config"]["Labels"]
    networks = data["NetworkSettings"].get("Networks") or {}
    return Host(
        name=labels[LABEL],
        kind=labels.get(KIND_LABEL, "host"),
        container=data["Name"].lstrip("/"),
        identity=data["Id"],
        image=data["Image"],
        suite=labels.get(SUITE_LABEL, ""),
        scenes=tuple(labels.get(SCENE_LABEL, "").split("+")),
        running=bool(data["State"]["Running"]),
        address=next((one["IPAddress"] for one in networks.values() if one["IPAddress"]), ""),
        address6=next(
            (one["GlobalIPv6Address"] for one in networks.values() if one["GlobalIPv6Address"]), ""
        ),
    )


def _same(host: Host, image: str, suite: str, chosen: Sequence[str]) -> bool:
    """Say whether a container was made from the image as it is now, in the same scenes."""
    current = docker.inspect("image", [image])[0]["Id"]
    return host.image == current and host.suite == suite and list(host.scenes) == list(chosen)


def _files(name: str, chosen: Sequence[str]) -> bytes:
    """Return everything that a host gets before its first boot, as a tar archive."""
    tree = scenes.build(chosen)
    ssh.add_keys(tree, name)
    return tree.tar()


def _cgroup_flags() -> List[str]:
    """Return the flags that let systemd manage the container's cgroup, for version 1 and 2 alike.

    systemd must be able to write the tree, and to find there the path that /proc/self/cgroup names: with the
    host's namespace and the host's tree both hold.
    """
    flags = ["--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    if any("apparmor" in option for option in docker.engine().get("SecurityOptions") or []):
        flags += ["--security-opt", "apparmor=unconfined"]
    return flags


def _start(name: str, image: str, suite: str, chosen: Sequence[str], files: bytes) -> None:
    """Create a host's container, put its files in, boot it, and wait until it is ready."""
    container = container_name(name)
    docker.docker("rm", "--force", "--volumes", container, check=False)
    labels = {LABEL: name, CHECKOUT_LABEL: CHECKOUT_ID, SUITE_LABEL: suite, SCENE_LABEL: "+".join(chosen)}
    labels[KIND_LABEL] = "host"
    command = ["create", "--name", container, "--hostname", name]
    for key, value in labels.items():
        command += ["--label", f"{key}={value}"]
    # Mount namespaces (systemd's sandboxes, staged validation) need CAP_SYS_ADMIN and the mount call.
    command += ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]
    command += [] if scenes.OPENRC in chosen else _cgroup_flags()
    if scenes.PTRACE in chosen:
        command += ["--cap-add", "SYS_PTRACE"]
    # The engine switches IPv6 off inside a container whose network has none.
    ipv6 = scenes.IPV6 in chosen and network.kernel_has_ipv6()
    command += [*(network.SYSCTL if ipv6 else []), "--tmpfs", "/run", "--tmpfs", "/run/lock", image]
    docker.docker(*command)
    docker.docker("cp", "-", f"{container}:/", data=files)
    if ipv6:
        network.start(container)
    else:
        docker.docker("start", container)
    wait_ready(get(name))


def wait_ready(host: Host, timeout: float = BOOT) -> None:
    """Wait until a host has booted, sshd answers, and the backend, if any, answers and hears the broker.

    Raises:
        LabError: it did not; the message holds the failed units and their last log lines.
    """
    deadline = time.monotonic() + timeout
    if scenes.OPENRC in host.scenes:
        _wait_openrc(host, deadline)
    else:
        _wait_systemd(host, timeout, deadline)
    _wait_ssh(host, deadline)
    if "backend-down" not in host.scenes:
        left = max(1.0, deadline - time.monotonic())
        run(host, "python3", "-", f"{left:.0f}", data=BACKEND_READY.encode())


def _wait_openrc(host: Host, deadline: float) -> None:
    """Wait until OpenRC has started every service of its default runlevel."""
    said = ""
    while time.monotonic() < deadline:
        done = docker.docker("exec", host.container, "rc-status", "--nocolor", "default", check=False)
        said = done.stdout.decode("utf-8", "replace")
        states = re.findall(r"\[ +(\w+) +\]", said)
        if "nginx" in said and states and set(states) == {"started"}:
            return
        time.sleep(POLL)
    raise LabError(f"host {host.name} did not boot in time:\n{said}")


def _wait_systemd(host: Host, timeout: float, deadline: float) -> None:
    """Wait until systemd has booted, and nothing has failed."""
    state = ""
    while state not in ("running", "degraded"):
        done = docker.docker("exec", host.container, "systemctl", "is-system-running", "--wait", check=False)
        state = done.stdout.decode().strip()
        if time.monotonic() > deadline or not get(host.name).running:
            said = state or done.stderr.decode().strip()
            raise LabError(f"host {host.name} did not boot within {timeout:g} s: {said}")
        if not state:
            time.sleep(POLL)
    if state == "degraded":
        failed = run(host, "systemctl", "--failed", "--no-legend", "--plain", check=False).strip()
        log = run(host, "journalctl", "--no-pager", "--priority=warning", "--lines=15", check=False).strip()
        raise LabError(f"host {host.name} booted with failed units:\n{failed}\n{log}")


def _wait_ssh(host: Host, deadline: float) -> None:
    """Wait until the host's sshd greets."""
    error: object = "no greeting"
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            try:
                with socket.create_connection((host.address, 22), timeout=5) as connection:
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError as failed:
                error = failed
        time.sleep(POLL)
    raise LabError(f"sshd of host {host.name} ({host.address}) does not answer: {error}")


def _allow_inotify(more: int) -> None:
    """Raise the kernel's number of inotify instances where many systemds need it and we may."""
    running = len(docker.text("ps", "--quiet").split())
    need = (running + more) * INOTIFY_PER_HOST
    with open(INOTIFY_INSTANCES) as handle:
        allowed = int(handle.read())
    if need <= allowed:
        return
    try:
        with open(INOTIFY_INSTANCES, "w") as handle:
            handle.write(str(max(need, 1024)))
    except OSError:
        if os.geteuid() != 0:
            say(f"    many hosts need more inotify instances: sysctl fs.inotify.max_user_instances={need}")


def as_json(found: Iterable[Host]) -> str:
    """Return hosts as JSON, for scripts."""
    return json.dumps([host.__dict__ for host in found], indent=2)
