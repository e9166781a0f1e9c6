"""How the controller reaches the lab's hosts: a key of its own, and host keys known beforehand."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import List

from ..state import LabError, directory, lock
from .tree import DEPLOY, Tree

USER = "deploy"
# The image's own drop-in makes a key of every kind; RSA's takes longer than all the rest of the boot.
KEY_IS_THERE = "[Service]\nExecStartPre=\nExecStartPre=/usr/sbin/sshd -t\n"


def identity() -> Path:
    """Return the path of the lab's private key, made once for each checkout."""
    key = directory("ssh") / "id_ed25519"
    with lock("ssh"):
        if not key.exists():
            _keygen(key, "nginx-websocket lab")
    return key


def host_key(name: str) -> Path:
    """Return the path of a host's private key, made once for each host name, and let known_hosts hold it."""
    key = directory("ssh", "hosts", name) / "ssh_host_ed25519_key"
    with lock("ssh"):
        if not key.exists():
            _keygen(key, name)
        lines = []
        for public in sorted((directory("ssh") / "hosts").glob("*/ssh_host_ed25519_key.pub")):
            kind, value = public.read_text().split()[:2]
            lines.append(f"{public.parent.name} {kind} {value}\n")
        fresh = known_hosts().with_suffix(".new")
        fresh.write_text("".join(lines))
        fresh.replace(known_hosts())
    return key


def known_hosts() -> Path:
    """Return the path of the lab's known_hosts file; it names hosts, not addresses."""
    return directory("ssh") / "known_hosts"


def add_keys(tree: Tree, name: str) -> None:
    """Add a host's own key and the controller's public key to the host's tree."""
    key = host_key(name)
    tree.file("/etc/ssh/ssh_host_ed25519_key", key.read_bytes(), 0o600)
    tree.file("/etc/ssh/ssh_host_ed25519_key.pub", key.with_suffix(".pub").read_bytes())
    tree.file("/etc/systemd/system/ssh.service.d/key-is-there.conf", KEY_IS_THERE)
    tree.directory("/home/deploy", 0o700, DEPLOY)
    tree.directory("/home/deploy/.ssh", 0o700, DEPLOY)
    authorized = identity().with_suffix(".pub").read_bytes()
    tree.file("/home/deploy/.ssh/authorized_keys", authorized, 0o600, DEPLOY)


def options(name: str) -> List[str]:
    """Return ssh's options for a host: its name stands for its address, which changes from start to start."""
    return [
        *("-o", f"HostKeyAlias={name}"),
        *("-o", f"UserKnownHostsFile={_quoted(str(known_hosts()))}"),
        *("-o", "IdentitiesOnly=yes"),
    ]


def common_arguments(name: str) -> str:
    """Return the options as one string for `ansible_ssh_common_args`."""
    return " ".join(shlex.quote(option) for option in options(name))


def _quoted(path: str) -> str:
    """Return a path as ssh's configuration wants it: in quotes where it holds a space."""
    return f'"{path}"' if " " in path else path


def _keygen(path: Path, comment: str) -> None:
    """Make an ed25519 key pair without a passphrase."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError:
        raise LabError("the ssh-keygen command is missing: run `make setup`") from None
    if done.returncode != 0:
        raise LabError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
