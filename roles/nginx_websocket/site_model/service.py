"""The backend's systemd unit: what its values may look like, and how they are written.

systemd splits ``ExecStart=`` into words much as a shell does, replaces ``%`` specifiers and ``$`` variables
in it, and reads backslashes as escapes inside quotes (systemd.service(5), systemd.syntax(7)): every word is
written so that the program gets exactly it.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Sequence

from .specification import Reader

VARIABLE = "nginx_websocket_backend_service"

#: What an application needs beside one descriptor a socket: files, databases, its own clients.
DESCRIPTORS = 65536

#: The name by which the warning about the log can be accepted.
LOG = "service-log"

_EVERYWHERE = re.compile(r"(?:^|[=\s])(?:0\.0\.0\.0|\[::\]|::|\*)(?::[0-9]+)?$")
_HOMES = ("/home/", "/root/", "/run/user/")


def complete(service: Mapping[str, Any], sockets: int, reader: Reader) -> Dict[str, Any]:
    """Return what the unit's template renders and what the module must know.

    Args:
        service: As the specification has read it.
        sockets: WebSockets that are open at once, 0 where nobody has said so.
        reader: Keeps what is refused.
    """
    command = service["command"] or []
    if not command:
        reader.refuse(
            f"{VARIABLE}.command", command, "a program and its arguments", "Give each its own entry."
        )
    elif not str(command[0]).startswith("/"):
        fix = "Write the program's absolute path, such as /opt/app/venv/bin/uvicorn."
        reader.refuse(f"{VARIABLE}.command[0]", command[0], "an absolute path", fix)
    for index, word in enumerate(command):
        if word is not None and _EVERYWHERE.search(word):
            expected = "the loopback address: nginx is the only one to reach it"
            fix = "Write 127.0.0.1 in its place."
            reader.refuse(f"{VARIABLE}.command[{index}]", word, expected, fix)
    paths = [service["working_directory"], *service["writable_paths"]]
    homes = [path for path in [*paths, *command[:1]] if str(path).startswith(_HOMES)]
    return {
        "name": service["name"],
        "user": service["user"],
        "group": service["group"],
        "working_directory": service["working_directory"],
        "environment_file": service["environment_file"],
        "paths": [path for path in (*paths, service["environment_file"]) if path],
        "port": service["port"],
        "start_timeout": service["start_timeout"],
        "loopback_only": service["loopback_only"],
        "after": ["network.target", *service["after"]],
        "exec_start": " ".join(_exec_word(str(word)) for word in command),
        "environment": [
            _quoted(f"{name}={value}".replace("%", "%%")) for name, value in service["environment"].items()
        ],
        "writable_paths": " ".join(_quoted(str(path).replace("%", "%%")) for path in paths),
        "protect_home": "read-only" if homes else "yes",
        "descriptors": max(DESCRIPTORS, sockets + DESCRIPTORS // 16),
    }


def tells_secrets(service: Mapping[str, Any], sites: Sequence[Mapping[str, Any]]) -> str:
    """Return a warning where the application's own log may hold what ``secret_path`` keeps out of nginx's.

    Args:
        service: As the specification has read it.
        sites: Completed sites.
    """
    secret = [route for site in sites for route in site["websockets"] if route["secret_path"]]
    if not secret:
        return ""
    words = [str(word) for word in service["command"]]
    if not any(word.rpartition("/")[2] == "uvicorn" for word in words[:3]):
        return (
            f"{secret[0]['path'] or secret[0]['regex']} has secret_path; what the application prints goes "
            f"into the journal of {service['name']} as it is, and cannot be masked there: see that it prints "
            f"no paths [{LOG}]"
        )
    level = [level for word, level in zip(words, [*words[1:], ""]) if word == "--log-level"]
    level += [word.partition("=")[2] for word in words if word.startswith("--log-level=")]
    level += [str(service["environment"].get("UVICORN_LOG_LEVEL", ""))]
    if set(level) & {"warning", "error", "critical"}:
        return ""
    return (
        f"uvicorn writes the path of every WebSocket into the journal of {service['name']}, secret_path or "
        "not, and --no-access-log does not change that. Add --log-level, warning to "
        f"{VARIABLE}.command [{LOG}]"
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _exec_word(word: str) -> str:
    written = word.replace("%", "%%").replace("$", "$$")
    return written if re.match(r"[A-Za-z0-9_./:=,@%$+-]+\Z", word) else _quoted(written)
