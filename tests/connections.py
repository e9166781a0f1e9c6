#!/usr/bin/env python3
"""Deploy and verify through connections and privileges that need more than ansible-core: `make connections`.

Docker and Podman by their connection plugins, doas by its become plugin: these come in collections, which are
taken from PyPI's package `ansible` into .cache/connections/. sudo-rs comes from the host's Debian. One lab
host is reached in each way in turn, and one container of Podman's, made of the same image. Where podman, or a
package of the host, cannot be had, that is told and left out. Ends with 1 when one failed, or none could run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab import hosts, scenes  # noqa: E402
from lab.containers import docker, images  # noqa: E402
from lab.files import ssh  # noqa: E402

BIN = Path(sys.executable).parent
COLLECTIONS = ROOT / ".cache" / "connections"
WANTED = (
    *("community/docker", "community/library_inventory_filtering_v1", "community/general"),
    "containers/podman",
)
HOST = "connections"
SUITE = "trixie"
PASSWORD = "a password with spaces & signs"
USER = "ops"
Variables = Dict[str, Any]
#: Waits until systemd can be asked, and then until it has started everything.
BOOTED = "until systemctl is-system-running --wait 2>&1 | grep -qE 'running|degraded'; do sleep 0.2; done"


class LeftOut(Exception):
    """This way cannot be tried here; the text says what is missing."""


def collections() -> None:
    """Get the collections, when they are not there."""
    if (COLLECTIONS / "ready").exists():
        return
    shutil.rmtree(COLLECTIONS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as directory:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory]
        subprocess.run([*pip, "--only-binary", ":all:", "ansible"], check=True)
        with zipfile.ZipFile(next(Path(directory).glob("ansible-*.whl"))) as wheel:
            starts = tuple(f"ansible_collections/{name}/" for name in WANTED)
            wheel.extractall(COLLECTIONS, [name for name in wheel.namelist() if name.startswith(starts)])
    (COLLECTIONS / "ready").touch()


def by_ssh(host: hosts.Host, method: str, program: str) -> Variables:
    """Reach the host by ssh as a user who needs a password, and become root by a program."""
    return {
        "ansible_host": host.address,
        "ansible_user": USER,
        "ansible_ssh_private_key_file": str(ssh.identity()),
        "ansible_ssh_common_args": ssh.common_arguments(host.name),
        "ansible_control_path": f"%(directory)s/{host.name}-{program}",
        "ansible_become_method": method,
        "ansible_become_exe": program,
        "ansible_become_password": PASSWORD,
    }


def installed(host: hosts.Host, package: str) -> None:
    """Install a package on the host.

    Raises:
        LeftOut: the host cannot get it.
    """
    get = "DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -q -y"
    try:
        hosts.run(host, "sh", "-c", f"({get} update && {get} install {package}) >&2")
    except docker.DockerError:
        raise LeftOut(f"the host can get no package {package}") from None


def doas(host: hosts.Host) -> Variables:
    """OpenDoas, which asks the user for the user's password."""
    installed(host, "opendoas")
    hosts.run(host, "sh", "-c", f"echo 'permit {USER} as root' > /etc/doas.conf")
    return by_ssh(host, "community.general.doas", "doas")


def sudo_rs(host: hosts.Host) -> Variables:
    """sudo-rs, without a password: Ansible does not know its prompt again (docs/faq.md)."""
    installed(host, "sudo-rs")
    hosts.run(host, "sh", "-c", f"echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}")
    variables = by_ssh(host, "sudo", "sudo-rs")
    del variables["ansible_become_password"]
    return variables


def in_docker(host: hosts.Host) -> Variables:
    """The lab's host by what it is: a container."""
    return inside("community.docker.docker", host.container)


def in_podman(host: hosts.Host) -> Variables:
    """A container of Podman's, of the lab host's image and with its files."""
    if not shutil.which("podman"):
        raise LeftOut("podman is missing: as root, `apt-get install podman`")
    image = images.host_image(SUITE)
    with tempfile.TemporaryDirectory() as directory:
        packed = str(Path(directory) / "image.tar")
        docker.docker("save", "--output", packed, image)
        podman("load", "--quiet", "--input", packed)
    # As lab.hosts starts its own; no control groups of Podman's, which may not write version 1's everywhere.
    flags = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--cgroups", "disabled"]
    flags += ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    flags += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
    podman("rm", "--force", "--ignore", host.container)
    podman("create", "--name", host.container, *flags, "--systemd", "always", f"localhost/{image}")
    podman("cp", "-", f"{host.container}:/", data=scenes.build(["broken"]).tar())
    podman("start", host.container)
    podman("exec", host.container, "sh", "-c", BOOTED)
    podman("exec", "-i", host.container, "python3", "-", "60", data=hosts.BACKEND_READY.encode())
    return inside("containers.podman.podman", host.container)


def podman(*arguments: str, data: bytes = b"") -> None:
    """Run one command of Podman's.

    Raises:
        RuntimeError: it failed; the text holds what it said.
    """
    done = subprocess.run(["podman", *arguments], input=data, capture_output=True, check=False)
    if done.returncode:
        told = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise RuntimeError(f"podman {' '.join(arguments)} ended with {done.returncode}: {told}")


def inside(connection: str, container: str) -> Variables:
    """Reach a container, where the user is root already."""
    return {"ansible_connection": connection, "ansible_host": container, "ansible_become": False}


#: Each prepares the host and says how it is reached.
WAYS: List[Tuple[str, Callable[[hosts.Host], Variables]]] = [
    ("docker, community.docker.docker", in_docker),
    ("ssh and doas with a password", doas),
    ("ssh and sudo-rs", sudo_rs),
    ("podman, containers.podman.podman", in_podman),
]


def judge(way: Variables, directory: Path) -> str:
    """Deploy or find the release, verify it, and diagnose; return what is wrong, or nothing."""
    done = run(["ansible-inventory", "-i", "inventory/lab", "--host", HOST])
    sites = {
        name: value for name, value in json.loads(done.stdout).items() if not name.startswith("ansible_")
    }
    variables = {**sites, "ansible_python_interpreter": "/usr/bin/python3", **way}
    inventory, summary = directory / "hosts.json", directory / "summary.json"
    inventory.write_text(json.dumps({"nginx_websocket": {"hosts": {HOST: variables}}}))
    summary.unlink(missing_ok=True)
    play = ["ansible-playbook", "-i", str(inventory)]
    done = run([*play, "site.yml", "-e", f"nginx_websocket_summary_json={summary}"])
    told = done.stdout + done.stderr
    if done.returncode or "checks passed" not in told or not summary.exists():
        return told
    if PASSWORD in told + summary.read_text(encoding="utf-8"):
        return "the password was printed"
    url = "wss://lammp.test/api/mqtt/ws/hints/probe"
    done = run([*play, "playbooks/diagnose.yml", "-e", f"url={url}"])
    # The host itself does not know the lab's authority: what nginx there answers counts.
    opened = "through nginx on this host: 101, open, pong" in done.stdout
    return "" if done.returncode == 0 and opened else done.stdout + done.stderr


def run(command: List[str]) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs, with the collections."""
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def main() -> int:
    """Run all; return the exit code."""
    collections()
    (host,) = hosts.up([HOST], SUITE, ["broken"], recreate=True)
    failed, passed = 0, 0
    try:
        hosts.run(
            host,
            "sh",
            "-c",
            f"useradd --create-home --shell /bin/bash {USER} && cp -r /home/deploy/.ssh /home/{USER}/ && "
            f"chown -R {USER} /home/{USER}/.ssh",
        )
        hosts.run(host, "chpasswd", data=f"{USER}:{PASSWORD}\n".encode())
        for name, prepare in WAYS:
            begun = time.monotonic()
            try:
                with tempfile.TemporaryDirectory() as directory:
                    wrong = judge(prepare(host), Path(directory))
            except LeftOut as missing:
                print(f"   left out: {name}: {missing}", flush=True)
                continue
            except RuntimeError as error:
                wrong = str(error)
            print(
                f"   {'FAILED' if wrong else 'passed'}: {name}, {time.monotonic() - begun:.0f} s", flush=True
            )
            if wrong:
                print(wrong, flush=True)
            failed += bool(wrong)
            passed += not wrong
    finally:
        hosts.down([HOST])
        if shutil.which("podman"):
            podman("rm", "--force", "--ignore", host.container)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
