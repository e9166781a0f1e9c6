"""Which nginx processes run on this host, and which of them are believed to be what they say.

A part of the program that is sent to the host (asking.py): standard library alone, Python 3.8 and newer.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from typing import Any, Dict, List, Tuple

from verify.host_report.rights import fault, ours, weak_step

PROC = "/proc"


def elsewhere(directory: str) -> bool:
    """Whether a process has another root directory, as those in containers of this host have."""
    try:
        there, here = os.stat(directory + "/root"), os.stat("/")
    except OSError:
        return False
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


def left_out(process: Dict[str, Any]) -> str:
    """Return why a process with a master's title does not count as one, else nothing.

    Everybody may give his process that title; the command line in it is only believed, and the executable
    only run, where nobody but root (or the user that asks) can have made them.  `host.genuine` has the same
    rule for the transaction; a test holds both to one table.
    """
    pid, uids = process["pid"], process["uids"]
    if not uids or not ours(*uids):
        return f"process {pid} has the title of an nginx master, but runs as user {uids[:1]}, not root"
    directory = f"{PROC}/{pid}"
    try:
        status = os.stat(directory + "/exe")
        why = f"{process['exe']} is setuid" if status.st_mode & stat.S_ISUID else ""
        why = why or fault(process["exe"], status, end=True)
    except PermissionError:
        why = f"{directory}/exe cannot be looked at"
    except OSError:
        why = ""
    paths = [os.path.dirname(process["exe"]) if process["deleted"] else process["exe"]]
    for named in (*prefix_of(process["title"])[1:], main_file(process["title"])):
        paths += [os.path.dirname(named), named]
    weak = filter(None, (weak_step(path) for path in paths if path.startswith("/")))
    why = why or next(weak, "")
    return f"process {pid} has the title of an nginx master, but nothing of it is run: {why}" if why else ""


def processes() -> List[Dict[str, Any]]:
    """Return every nginx process as /proc shows it: nginx writes its role and state into its title."""
    found = []
    for directory in glob.glob(PROC + "/[0-9]*"):
        try:
            with open(directory + "/cmdline", "rb") as stream:
                title = stream.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            if not title.startswith("nginx: ") or elsewhere(directory):
                continue
            with open(directory + "/stat", "rb") as stream:
                # The command name may hold spaces and brackets: fields count from the last ")".
                fields = stream.read().rsplit(b")", 1)[1].split()
            with open(directory + "/status", "rb") as stream:
                uids = [line.split()[1:5] for line in stream if line.startswith(b"Uid:")]
        except OSError:
            continue
        try:
            exe = os.readlink(directory + "/exe")
        except OSError:
            # In a container without CAP_SYS_PTRACE even root may not see this of another user's process.
            exe = ""
        found.append(
            {
                "pid": int(os.path.basename(directory)),
                "parent": int(fields[1]),
                "started": int(fields[19]),
                "title": title,
                "uids": [int(uid) for uid in uids[0]] if uids else [],
                "exe": exe[: -len(" (deleted)")] if exe.endswith(" (deleted)") else exe,
                "deleted": exe.endswith(" (deleted)"),
            }
        )
    return found


def masters_and_workers(
    binary: str, conf_path: str, strangers: List[str]
) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """Return the masters (of that binary and that main file, when they are given) and their workers.

    What only calls itself a master is left out; ``strangers`` gets a sentence for each.
    """
    everything = processes()
    titled = [p for p in everything if p["title"].startswith("nginx: master process")]
    reasons = {p["pid"]: left_out(p) for p in titled}
    strangers += filter(None, reasons.values())
    masters = [p for p in titled if not reasons[p["pid"]]]
    if binary:
        masters = [p for p in masters if p["exe"] == os.path.realpath(binary)]
    if conf_path and len(masters) > 1:
        # Without -c it is the binary's own file, which cannot be told from here.
        named = [p for p in masters if main_file(p["title"]) == conf_path]
        masters = named or [p for p in masters if not main_file(p["title"])] or masters
    pids = {p["pid"] for p in masters}
    workers = [
        {
            "pid": p["pid"],
            "master": p["parent"],
            "started": p["started"],
            "shutting_down": "is shutting down" in p["title"],
        }
        for p in everything
        if p["parent"] in pids and p["title"].startswith("nginx: worker process")
    ]
    return masters, workers


def prefix_of(title: str) -> List[str]:
    """Return the -p that a master was started with, as arguments: relative paths hang on it."""
    found = re.search(r" -[qtT]*p ?(\S+)", title)
    return ["-p", found.group(1)] if found else []


def main_file(title: str) -> str:
    """Return the main file that a master was started with by -c, else nothing."""
    found = re.search(r" -[qtT]*c ?(\S+)", title)
    return os.path.join(*prefix_of(title)[1:], found.group(1)) if found else ""
