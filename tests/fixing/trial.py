"""One configuration, broken in one way on a real nginx, mended, asked, mended again and taken back."""

from __future__ import annotations

import difflib
import os
import subprocess
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.fix.fix import fix
from module_utils.nginx_websocket.fix.model import Fixed, Wish
from module_utils.nginx_websocket.transaction.live.instance import find_instance
from module_utils.nginx_websocket.transaction.rollback import rollback

from .answers import answers, opens, parted
from .application import Application
from .faults import FAULTS, Fault
from .files import ETC, clear, held, texts, write
from .nginx import Nginx
from .site import OTHER, SOCKET, Site
from .sites import SITES
from .written import load

STATE = "/var/lib/nginx_websocket"
ALL = [*SITES, *load()]


def run(site: Site, fault: Fault, checked: bool = True) -> Dict[str, Any]:
    """Break a site, mend it, and take it back.

    Args:
        site: as it works.
        fault: what is broken.
        checked: whether ``--check`` is asked before.

    Returns:
        ``wrong``: what should not be so, nothing for a pass; ``opened``: whether one run opened the socket;
        ``reason``: what it said; and more.
    """
    result: Dict[str, Any] = {"wrong": [], "opened": False, "reason": "", "fault": True}
    _applications(site)
    write(site, site.files)
    nginx = Nginx()
    if not opens(site):
        return {**result, "wrong": ["the configuration does not open before it is broken"]}
    good = answers(site)
    broken = fault.make(site)
    assert broken is not None
    refused = False
    if fault.stale:
        nginx.stop()
        write(site, broken)
        nginx.start()
        time.sleep(1.1)  # nginx's own files must be seen to be older than their edit, which counts in seconds
        write(site, site.files)
        before = good
    else:
        write(site, broken)
        refused = bool(subprocess.run(["nginx", "-t"], capture_output=True, check=False).returncode)
        if refused:
            # It runs with what it had before anybody wrote this.
            nginx.stop()
            clear()
            nginx.start()
            write(site, broken)
            before = good
        else:
            nginx.reload()
            before = answers(site)
    if opens(site):
        return {**result, "fault": False}
    stood = held()
    wish = Wish(managed=site.managed, add_names=fault.names)
    wrong: List[str] = result["wrong"]

    seen = _fix(site, wish, check=True) if checked else None
    if held() != stood:
        wrong.append("--check wrote something")
    if fault.names and "nginx_websocket_fix_names" not in _fix(site, Wish(managed=site.managed)).message:
        wrong.append("a name was not asked for")
    done = _fix(site, wish)
    result.update(opened=opens(site), reason=done.message, outcome=done.outcome, causes=done.causes)
    result["edits"] = [edit.text() for edit in done.edits]
    if result["opened"] and shut(site, fault):
        wrong.append("a guard or somebody's redirect was taken away")
    if not result["opened"]:
        if not done.failed:
            wrong.append(f"it says {done.outcome}, and the socket does not open: {done.message}")
        if held() != stood:
            wrong.append("refused, and the files are others")
        if not done.message:
            wrong.append("no reason was given")
        return result
    if seen is not None and bool(seen.failed) != bool(done.failed):
        wrong.append(f"--check said otherwise: {seen.message}")
    after = answers(site)
    wrong += parted(site, fault, before, after)
    wrong += _outside(texts(stood), done)
    lines = sum(len(edit.before) + len(edit.after) for edit in done.edits)
    if any("map $http_upgrade" in line for edit in done.edits for line in edit.after):
        lines -= 4  # so that plain requests of a general location stay as they are
    if lines > fault.lines + site.lines:
        wrong.append(f"{lines} lines for what {fault.lines} mend")
    mended = held()
    again = _fix(site, wish)
    if again.changed or again.failed or held() != mended:
        wrong.append(f"the second run: {again.outcome} {again.message}")
    if done.edits or done.backup is not None:
        back = rollback(nginx=find_instance(), state_dir=STATE)
        if refused:
            # What nginx does not take comes back only to somebody who says so, and without a reload.
            if not back.failed or held() != mended:
                wrong.append("rollback to what nginx refuses was not refused")
            back = rollback(nginx=find_instance(), state_dir=STATE, allow_invalid=True)
            if not opens(site):
                wrong.append("nginx was reloaded with files that it refuses")
        if back.failed or held() != stood:
            wrong.append(f"rollback left other bytes: {back.message}")
    return result


def _fix(site: Site, wish: Wish, *, check: bool = False) -> Fixed:
    # The certificate is nobody's: what is in question is the way to the application.
    question = Question(site.url, cafile=f"{ETC}/tls/cert.pem")
    return fix(question, nginx=find_instance(), wish=wish, check=check, state_dir=STATE)


def _applications(site: Site) -> None:
    Application(site.backend, site.knows)
    Application(f"127.0.0.1:{OTHER}")
    if site.backend != f"127.0.0.1:{SOCKET}":
        Application(f"127.0.0.1:{SOCKET}")


def _outside(files: Dict[str, bytes], done: Fixed) -> List[str]:
    """Bytes that differ and stand in no edit that was told; line ends that differ from the file's own."""
    wrong = []
    told = {(edit.file, line) for edit in done.edits for line in (*edit.before, *edit.after)}
    now = texts(held())
    for path in sorted(set(files) | set(now)):
        old, new = files.get(path), now.get(path)
        if old == new:
            continue
        if old is None or new is None:
            wrong.append(f"{path} came or went")
            continue
        # Of a long line, the part that changes is told.
        part = any(
            file == os.path.realpath(path) and text and text and "…" in (text[0], text[-1])
            for file, text in told
        )
        for line in difflib.ndiff(old.decode().split("\n"), new.decode().split("\n")):
            if line[0] in "+-" and not part and (os.path.realpath(path), line[2:].rstrip("\r")) not in told:
                wrong.append(f"{path}: not told: {line!r}")
            if line[0] == "+" and b"\r\n" in old and not line.endswith("\r"):
                wrong.append(f"{path}: a line without CR: {line!r}")
    return wrong[:4]


def find(name: str) -> Tuple[Site, Fault]:
    """The case of a name, ``SITE FAULT``."""
    site, _, fault = name.partition(" ")
    found = next(one for one in ALL if one.name == site)
    return found, _faults(found)[fault]


def names(words: Optional[List[str]] = None) -> List[str]:
    """All cases whose name holds one of the words."""
    found = [
        f"{site.name} {key}"
        for site in ALL
        for key, fault in _faults(site).items()
        if fault.make(site) not in (None, site.files)
    ]
    return [name for name in found if not words or any(word in name for word in words)]


def shut(site: Site, fault: Fault) -> bool:
    """Whether no edit may open the socket: a password or somebody's redirect stands before it."""
    return fault.told or any(_faults(site).get(name) is fault for name in site.shut)


def _faults(site: Site) -> Mapping[str, Fault]:
    return FAULTS if site.faults is None else site.faults
