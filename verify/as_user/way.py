"""How the controller gets to a host's nginx: straight, or through the connection that Ansible has.

Found out before anything is touched: a release that nobody can look at would have to be undone. All that is
run or dialled here comes from the inventory and the controller's own ssh configuration, never from the host.
"""

from __future__ import annotations

import errno
import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

#: Where a site is dialled on the host itself, unless it listens on an address of its own.
LOOPBACK = "127.0.0.1"
#: What a way through another program has in place of the site's address, its port, and the host's Python.
ADDRESS, PORT, PYTHON = "{address}", "{port}", "{python}"
RELAY = Path(__file__).with_name("relay.py")
#: Connection plugins whose program carries standard input and output into a container.
ENGINES = {
    "docker": "docker",
    "community.docker.docker": "docker",
    "community.docker.docker_api": "docker",
    "containers.podman.podman": "podman",
    "podman": "podman",
}
#: Seconds for ssh to read its own configuration.
READING = 10.0

REFUSED, NONE = "refused", "none"


class NoWay(Exception):
    """The controller cannot look at the host's sites; the text says why, and what to do."""


@dataclass(frozen=True)
class Way:
    """How the sites of a host are seen.

    Attributes:
        address: Address that users, and this controller, reach.
        through: The command that carries one connection instead, with `ADDRESS` and `PORT` in it, or all of
            them (`verify.as_user.relay`), without; empty where the address is dialled.
        told: What a reader of the result must know about it.
    """

    address: str
    through: Tuple[str, ...] = ()
    told: str = ""

    def as_data(self) -> Dict[str, Any]:
        """Return it as plain data."""
        return {"address": self.address, "through": list(self.through), "told": self.told}


def ssh_of(connection: Any) -> Dict[str, Any]:  # noqa: ANN401  Ansible has no types
    """Return the settings of Ansible's ssh connection, command line included.

    The suite and `find` give them to ssh again, so that they find the connection which is open.
    """
    option = connection.get_option
    directory = str(Path(str(option("control_path_dir") or "")).expanduser())
    arguments = (option(name) for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"))
    key = option("private_key_file")
    return {
        "address": option("host"),
        "user": option("remote_user") or "",
        "port": option("port") or 0,
        "key": str(Path(key).expanduser()) if key else "",
        "control_path": (option("control_path") or "").replace("%(directory)s", directory).replace("%%", "%"),
        "args": " ".join(argument for argument in arguments if argument),
    }


def ports_of(sites: Sequence[Mapping[str, Any]]) -> List[int]:
    """Return the ports on which completed sites are seen."""
    ports: List[int] = []
    for site in sites:
        http, tls = site.get("http") or {}, site.get("tls") or {}
        if tls.get("enabled", True):
            ports.append(int(tls.get("port", 443)))
        if http.get("mode") != "none":
            ports.append(int(http.get("port", 80)))
    return list(dict.fromkeys(ports))


def find(
    transport: str,
    address: str,
    ports: Sequence[int],
    timeout: float,
    *,
    wished: str = "",
    ssh: Optional[Mapping[str, Any]] = None,
) -> Way:
    """Find the way to a host's sites.

    Args:
        transport: Name of Ansible's connection plugin.
        address: What Ansible dials: a name of ssh's configuration, a container, an address.
        ports: Ports of the sites.
        timeout: Seconds for a connection.
        wished: Address that the user has named; no other one is tried then.
        ssh: Settings of ssh, as `ssh_of` returns them, where that is the transport.

    Raises:
        NoWay: there is none.
    """
    if wished:
        state, why = dialled(wished, ports, timeout)
        if state == NONE:
            raise NoWay(f"{_BLIND}: nginx_websocket_verify_address is {wished}, but {why}. {_HOW}")
        return Way(wished)
    configured = _configuration(ssh) if ssh else {}
    address = configured.get("hostname") or address
    jumps = any(configured.get(name, "none") != "none" for name in ("proxyjump", "proxycommand"))
    state, why = dialled(address, ports, timeout)
    # What refuses at an address that ssh itself reaches only by way of another host may be anything.
    if not state or (state == REFUSED and not jumps):
        return Way(address)
    where = f"nothing of {address} can be reached from this controller ({why})"
    if transport == "local":
        return Way(LOOPBACK)
    if ssh:
        command = ("ssh", *_options(ssh), "-W", f"[{ADDRESS}]:{PORT}", "--", str(ssh["address"]))
        _try(command, where, ports, timeout)
        return Way(address, command, f"{where}: the sites were looked at through ssh, not from outside")
    if transport in ENGINES:
        into = (ENGINES[transport], "exec", "-i", "--", address)
        _try((*into, "sh", "-c", ":"), where, ports, timeout)
        command = (*into, PYTHON, "-c", RELAY.read_text(encoding="utf-8"))
        return Way(address, command, f"{where}: the sites were looked at from within, not from outside")
    raise NoWay(f"{_BLIND}: {where}, and Ansible comes by {transport}. {_HOW}")


def dialled(address: str, ports: Sequence[int], timeout: float) -> Tuple[str, str]:
    """Dial an address from here.

    Returns:
        Nothing where a port takes the connection; `REFUSED` where the host answers that nobody listens there
        (yet); `NONE`, and why, where it does not answer.
    """
    state, why = NONE, "it was not dialled"
    for port in ports or (443,):
        try:
            socket.create_connection((address, port), timeout / max(len(ports), 1)).close()
        except (OSError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
                state = REFUSED
            why = f"port {port}: {_reason(error)}"
            if isinstance(error, (socket.gaierror, UnicodeError)):
                return NONE, f"{address} is no name or address here: {_reason(error)}"
        else:
            return "", ""
    return state, why


def _reason(error: Exception) -> str:
    if isinstance(error, socket.timeout):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)


def _options(ssh: Mapping[str, Any]) -> List[str]:
    """Return ssh's options: first what Ansible gives, which wins over what the configuration says."""
    options = ["-o", "BatchMode=yes", *shlex.split(ssh["args"])]
    if ssh["key"]:
        options += ["-i", ssh["key"]]
    if ssh["control_path"]:
        options += ["-o", f"ControlPath={ssh['control_path']}"]
    if ssh["user"]:
        options += ["-o", f"User={ssh['user']}"]
    return [*options, "-o", f"Port={ssh['port']}"] if ssh["port"] else options


def _configuration(ssh: Mapping[str, Any]) -> Dict[str, str]:
    """Return what ssh makes of a host's name; empty where it cannot say."""
    try:
        done = subprocess.run(
            ["ssh", "-G", *_options(ssh), "--", str(ssh["address"])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=READING,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.splitlines() if not done.returncode else []
    return dict(line.split(" ", 1) for line in lines if " " in line)


def carried(command: Sequence[str], address: str, port: int) -> List[str]:
    """Return the command of a way for one address and port."""
    return [part.replace(ADDRESS, address).replace(PORT, str(port)) for part in command]


def _try(command: Sequence[str], where: str, ports: Sequence[int], timeout: float) -> None:
    """Go the way once, to see that ssh and the host's sshd, or the engine, do so; who listens is all one."""
    program = command[0]
    try:
        done = subprocess.run(
            carried(command, LOOPBACK, ports[0] if ports else 443),
            input=b"GET / HTTP/1.0\r\n\r\n",
            capture_output=True,
            timeout=max(timeout, READING),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return
    except OSError as error:
        raise NoWay(f"{_BLIND}: {where}, and {program} cannot be run: {error}. {_HOW}") from None
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode and "connect failed" not in said:
        last = said.splitlines()[-1] if said else f"exit code {done.returncode}"
        told = "".join(character for character in last if character.isprintable())[:300]
        allowed = " sshd must allow it (AllowTcpForwarding local)." if program == "ssh" else ""
        raise NoWay(f"{_BLIND}: {where}, and {program} carries no connection there: {told}.{allowed} {_HOW}")


_BLIND = "The verification would see nothing of this host"
_HOW = (
    "Name an address of the host in nginx_websocket_verify_address, or leave the verification out: "
    "nginx_websocket_verify: false."
)
