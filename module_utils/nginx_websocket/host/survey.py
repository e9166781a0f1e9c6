"""The question that a deployment begins with: which nginx is meant here, and what is it like?"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List, Optional

from .binary import NginxError, find_binary
from .describe import Nginx, describe
from .listeners import listeners, ports_of
from .masters import Choice, Master, choose, masters
from .processes.proc import Proc
from .sites import ServerBlock, server_blocks

#: Where distributions have it, and where everybody looks first.
USUAL = "/etc/nginx/nginx.conf"


@dataclasses.dataclass
class Survey:
    """What this host has by way of nginx."""

    found: bool
    """Whether there is an nginx at all, running or installed."""
    masters: List[Master]
    choice: Choice
    """The master that is meant, and why."""
    nginx: Optional[Nginx]
    """The nginx that is meant; None when there is none, or when several run and none stands out."""
    message: str
    """One sentence for a person."""
    warnings: List[str]
    servers: List[ServerBlock]
    """The servers in the configuration on disk."""

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON: the nginx's own keys at the top."""
        data: Dict[str, Any] = {"running": bool(self.masters)}
        if self.nginx:
            data.update(self.nginx.to_dict())
        data.update(
            found=self.found,
            ambiguous=self.choice.ambiguous,
            chosen=self.choice.master.pid if self.choice.master else None,
            why=self.choice.why,
            message=self.message,
            warnings=self.warnings,
            masters=[master.to_dict() for master in self.masters],
            sites=[server.to_dict() for server in self.servers],
        )
        return data


def survey(
    *,
    binary: str = "",
    conf_path: str = "",
    site_dir: str = "",
    enabled_dir: str = "",
    proc: Optional[Proc] = None,
) -> Survey:
    """Find the nginx that is meant and describe it.

    Args:
        binary: only this executable is meant; empty for any.
        conf_path: only the nginx with this main configuration file is meant.
        site_dir: wish for the layout, see `find_layout`.
        enabled_dir: likewise.
        proc: the /proc to read.

    Returns:
        The `Survey`; a host without nginx is a result (``found`` is False), not an exception.
    """
    proc = proc or Proc()
    strangers: List[str] = []
    running = masters(proc, strangers=strangers)
    ports = ports_of(listeners(unix=False, proc=proc)) if len(running) > 1 else {}
    choice = choose(running, binary=binary, conf_path=conf_path, listening=ports, strangers=strangers)
    result = Survey(bool(running), running, choice, None, "", [], [])
    if choice.distrusted:
        result.found, result.message = False, choice.why
        return result
    if choice.ambiguous:
        result.message = f"{choice.why}. Say which one is meant, by its binary or its configuration file."
        return result
    path = ""
    if choice.master is None:
        path = binary or find_binary()
        if not path or (binary and not os.path.exists(binary)):
            result.message = (
                f"no nginx here: {binary} does not exist"
                if binary
                else "no nginx on this host: no master runs, and no binary is in PATH or a well-known place; "
                "install it (apt install nginx), or name its binary"
            )
            return result
    try:
        nginx = describe(
            choice.master or path, conf_path=conf_path, site_dir=site_dir, enabled_dir=enabled_dir, proc=proc
        )
    except NginxError as error:
        result.message = str(error)
        return result
    if nginx.unsafe:
        result.found, result.message = False, nginx.unsafe
        return result
    result.found, result.nginx = True, nginx
    version = ".".join(str(number) for number in nginx.version)
    if nginx.master:
        by = nginx.master.unit or nginx.master.origin
        result.message = (
            f"{nginx.binary.product} {version} runs as pid {nginx.master.pid} ({by}), reads {nginx.conf_path}"
        )
    else:
        result.message = (
            f"{nginx.binary.product} {version} is installed as {path} but does not run: {choice.why}"
        )
    result.warnings = [*_warnings(nginx, running), *(strangers if nginx.master else ())]
    if nginx.configuration:
        result.servers = server_blocks(nginx.configuration)
    return result


def _warnings(nginx: Nginx, running: List[Master]) -> List[str]:
    """What is odd enough to be said even when all goes well."""
    said = []
    if nginx.conf_error:
        said.append(f"the configuration on disk cannot be read whole: {nginx.conf_error}")
    elif nginx.layout_error:
        said.append(nginx.layout_error)
    said += [
        f"{found.sentence()} (whoever writes it can have nginx, which root starts, read and write any file)"
        for found in nginx.writable
    ]
    if nginx.master and nginx.master.exe_deleted:
        disk = (
            ".".join(str(number) for number in nginx.disk_version) if nginx.disk_version else "no usable file"
        )
        said.append(
            f"{nginx.binary.path} was replaced while nginx ran: the running master is "
            f"{'.'.join(str(number) for number in nginx.version)}, on disk is {disk}"
        )
    if nginx.master and nginx.conf_path != USUAL:
        said.append(_unusual(nginx))
    others = [master for master in running if not nginx.master or master.pid != nginx.master.pid]
    if nginx.master and others:
        listed = ", ".join(f"pid {master.pid} {master.exe} {master.conf_path}".strip() for master in others)
        said.append(f"other nginx masters run on this host: {listed}")
    return said


def _unusual(nginx: Nginx) -> str:
    """Say which tree counts, where a person would look into another one first."""
    assert nginx.master is not None
    by = nginx.master.unit or nginx.master.origin
    which = f"{nginx.binary.path} (pid {nginx.master.pid}, {by})"
    said = f"the running nginx is {which} and reads {nginx.conf_path}"
    if nginx.layout:
        said += f"; site files belong into {nginx.layout.site_dir}"
    directory = os.path.dirname(USUAL)
    read = nginx.configuration.files if nginx.configuration else ()
    if os.path.exists(USUAL) and not any(file.startswith(directory + "/sites-") for file in read):
        said += f"; {directory} is there too, but site files below it have no effect"
    return said
