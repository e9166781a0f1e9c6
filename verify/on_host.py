"""What the managed host says about itself, gathered in one command.

The suite sends this file and rights.py to each host once (asking.py) and reads one JSON document back. They
change nothing, need the standard library alone and run on Python 3.8 and newer. They share no code with the
transaction on purpose: this is the second, independent witness.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import time
import zlib
from typing import Any, Dict, List, Optional, Tuple

from verify.rights import fault, ours, strangers_code, weak_step

RELEASE_LOCATION = re.compile(rb"/\.well-known/nginx-websocket/([0-9a-f]{32})\b")
# The first line of the role's template, templates/site.conf.j2.
HEADING = re.compile(rb"# (\S+), release [0-9a-f]{32}$")
PROC = "/proc"
#: Bytes that are read of a site's file.
SITE_BYTES = 16 * 2**20
DUMP_HEADER = re.compile(rb"^# configuration file (/.+):\n", re.MULTILINE)


def run(argv: List[str], timeout: float = 60.0) -> Dict[str, Any]:
    """Run a command with fixed locale and return its exit code and output, never raising."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"rc": -1, "out": b"", "err": str(error)}
    return {"rc": done.returncode, "out": done.stdout, "err": done.stderr.decode("utf-8", "replace")}


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


def tested(master: Dict[str, Any], conf_path: str) -> Dict[str, Any]:
    """Return what ``nginx -T`` says, where it executes nothing that others can write.

    Args:
        master: the process whose binary and prefix are meant.
        conf_path: the main file; "" for the one that the master has.
    """
    exe, prefix = master["exe"], prefix_of(master["title"])
    weak = weak_step(exe)
    if not weak:
        built = run([exe, "-V"])["err"]
        option = dict(re.findall(r"--(prefix|conf-path)=(\S+)", built))
        root = (prefix[1:] or [option.get("prefix", "/usr/local/nginx")])[0]
        conf_path = conf_path or main_file(master["title"])
        main = os.path.join(root, conf_path or option.get("conf-path", "conf/nginx.conf"))
        weak = strangers_code(main, root, built)
    if weak:
        return {"rc": -1, "out": b"", "err": f"nothing is run: {weak}"}
    return run([exe, "-T", *prefix, *(["-c", conf_path] if conf_path else [])])


def unit_state(unit: str) -> Optional[Dict[str, str]]:
    """Return what systemd says of the unit, None where there is no systemd."""
    shown = run(["systemctl", "show", unit, "--property=ActiveState,UnitFileState,MainPID"], timeout=10)
    if shown["rc"] != 0:
        return None
    lines = shown["out"].decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def file_state(path: str) -> Dict[str, Any]:
    """Return type, owner and mode of a path and, for a symlink, of the file behind it."""
    state: Dict[str, Any] = {"path": path, "exists": os.path.lexists(path)}
    if not state["exists"]:
        return state
    if os.path.islink(path):
        state["link"] = os.readlink(path)
        state["real"] = os.path.realpath(path)
    try:
        status = os.stat(path)
    except OSError:
        state["dangling"] = True
        return state
    state["mode"] = format(status.st_mode & 0o7777, "04o")
    state["uid"] = status.st_uid
    state["directory"] = os.path.isdir(path)
    return state


def release_files(dump: bytes) -> List[Dict[str, Any]]:
    """Return the loaded files that hold release locations, each with its state and the releases it names.

    The dump is split at its header lines; a comment that only looks like one names no existing file. A
    release id is the digest of the content in which the id itself is written as @RELEASE@, so an edit shows.
    """
    headers = [m for m in DUMP_HEADER.finditer(dump) if os.path.isfile(m.group(1))]
    found = []
    for header, following in zip(headers, [*headers[1:], None]):
        body = dump[header.end() : following.start() if following else len(dump)]
        releases = sorted({m.group(1) for m in RELEASE_LOCATION.finditer(body)})
        if not releases:
            continue
        state = file_state(os.fsdecode(header.group(1)))
        state["releases"] = [release.decode() for release in releases]
        content = small_file(header.group(1))
        heading = HEADING.match(content.split(b"\n", 1)[0].rstrip())
        state["site"] = heading.group(1).decode("utf-8", "replace") if heading else ""
        template = content.replace(releases[0], b"@RELEASE@")
        state["edited"] = hashlib.sha256(template).hexdigest()[:32] != state["releases"][0]
        found.append(state)
    return found


def small_file(path: bytes) -> bytes:
    """Return what a file holds, at most SITE_BYTES: a header can be forged, and name what has no end.

    Whoever may write a file of the configuration may have nginx print a line that looks like a header.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        return stream.read(min(os.fstat(stream.fileno()).st_size, SITE_BYTES))


def file_of(ask: Dict[str, Any], files: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """Return the loaded file of the site that is asked about, whatever it is called.

    A file that was taken over keeps its name, so the release that is expected, the given path and the heading
    say more than the name does; of two files with the same heading the one that serves is meant.
    """
    found = []
    for number, state in enumerate(files):
        paths = {state["path"], state.get("real", state["path"])}
        names = {os.path.basename(path) for path in paths}
        signs = (
            bool(ask.get("release")) and ask["release"] in state["releases"],
            ask["file"] in paths,
            state["site"] == ask["site"],
            not ask["file"] and not state["site"] and bool(names & {ask["site"], ask["site"] + ".conf"}),
        )
        if any(signs):
            found.append((signs, -number, state))
    return max(found, key=lambda item: item[:2])[2] if found else None


def connect(
    address: str, port: int, tls: bool, name: str, proxy_protocol: bool, timeout: float
) -> socket.socket:
    """Connect to this host itself; its certificates are judged from outside, so not here."""
    if address.startswith("/"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock
    sock = socket.create_connection((address, port), timeout=timeout)
    if proxy_protocol:
        # It names the host itself as the client, which alone may ask for the release.
        host, here = sock.getpeername()[0], sock.getsockname()[1]
        family = "TCP6" if ":" in host else "TCP4"
        sock.sendall(f"PROXY {family} {host} {host} {here} {port}\r\n".encode("ascii"))
    if not tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(sock, server_hostname=name or None)


def exchange(ask: Dict[str, Any], lines: List[str], timeout: float) -> Dict[str, Any]:
    """Send one request and return status line, and the beginning of the body, or the error."""
    head = "\r\n".join([*lines, "", ""]).encode("ascii", "replace")
    received = b""
    ends = time.monotonic() + timeout
    try:
        with connect(
            ask["address"],
            ask["port"],
            ask.get("tls", False),
            ask.get("sni", ""),
            ask.get("proxy_protocol", False),
            timeout,
        ) as sock:
            sock.sendall(head)
            while len(received) < 16384:
                # One deadline for all of it: an application that drips would hold up the whole batch.
                sock.settimeout(max(0.001, ends - time.monotonic()))
                chunk = sock.recv(min(4096, 16384 - len(received)))
                if time.monotonic() > ends:
                    raise TimeoutError("timed out")
                if not chunk:
                    break
                received += chunk
                if received.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in received:
                    break
    except OSError as reason:
        if b"\r\n\r\n" not in received:
            return {"status": None, "body": "", "error": str(reason) or type(reason).__name__}
    parts = received.split(b"\r\n", 1)[0].split(b" ")
    status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None
    body = received.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in received else b""
    error = "" if status else "closed without an answer"
    return {"status": status, "body": body[:200].decode("utf-8", "replace"), "error": error}


def ask_release(ask: Dict[str, Any], files: List[Dict[str, Any]], timeout: float) -> Dict[str, Any]:
    """Ask the running nginx for a release location, as only the host itself may.

    The release is the one that is expected or, when none is, the one in the site's file.
    """
    state = file_of(ask, files)
    release = ask["release"] or (state["releases"][0] if state else "")
    told = dict(ask, release=release, file=state)
    if not release:
        return dict(
            told, answer={"status": None, "body": "", "error": "no loaded file holds a release of this site"}
        )
    lines = [
        f"GET /.well-known/nginx-websocket/{release} HTTP/1.1",
        "Host: " + ask["host"],
        "Connection: close",
    ]
    return dict(told, answer=exchange(ask, lines, timeout))


def ask_backend(ask: Dict[str, Any], timeout: float) -> Dict[str, Any]:
    """Send an opening handshake (RFC 6455 section 4.1) straight to the backend, past nginx."""
    lines = [
        "GET {} HTTP/1.1".format(ask["target"]),
        "Host: " + ask["host"],
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
    ]
    if ask.get("origin"):
        lines.append("Origin: " + ask["origin"])
    answer = exchange(ask, lines, timeout)
    answer["opened"] = answer["status"] == 101
    return dict(ask, answer=answer)


def ask_backends(asks: List[Dict[str, Any]], timeout: float) -> List[Dict[str, Any]]:
    """Ask all backends; several servers at the same time, since those that are dead would add up."""
    if len({(ask["address"], ask["port"]) for ask in asks}) < 2:
        return [ask_backend(ask, timeout) for ask in asks]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(lambda ask: ask_backend(ask, timeout), asks))


def discreet(messages: str, conf_path: Optional[str]) -> str:
    """Return nginx's messages without the words of files that are private and none of nginx's own.

    Whoever may write an included file can name any other in it; nginx tells what it finds there.
    """
    ours = os.path.dirname(os.path.realpath(conf_path or "/etc/nginx/nginx.conf")) + "/"
    lines = messages.splitlines()
    for number, line in enumerate(lines):
        place = re.search(r" in (/.*):\d+$", line)
        path = os.path.realpath(place.group(1)) if place else ""
        if path and not path.startswith(ours) and os.path.exists(path) and not os.stat(path).st_mode & 0o004:
            lines[number] = re.sub(r'"[^"]*"', '"…"', line)
    return "\n".join(lines)


def main(question: Dict[str, Any]) -> Dict[str, Any]:
    """Answer the suite's question about this host.

    Args:
        question: ``nginx`` (binary, conf_path, unit; each may be empty), ``state_dir``, ``releases`` and
            ``backends`` (what to ask, see `ask_release` and `ask_backend`), ``timeout`` in seconds.

    Returns:
        The report; every key is always there.
    """
    timeout = float(question.get("timeout", 5.0))
    nginx = question.get("nginx", {})
    strangers: List[str] = []
    masters, workers = masters_and_workers(nginx.get("binary", ""), nginx.get("conf_path", ""), strangers)
    test: Dict[str, Any] = {"rc": None, "out": b"", "err": "no nginx master process runs"}
    if masters:
        # Only while nginx runs: with nginx stopped, -t leaves an empty pid file behind.
        test = tested(masters[0], nginx.get("conf_path") or "")
    files = release_files(test["out"])
    return {
        "uid": os.geteuid(),
        "masters": masters,
        "workers": workers,
        "strangers": strangers,
        "unit": unit_state(nginx.get("unit") or "nginx"),
        "test": {
            "rc": test["rc"],
            "messages": discreet(test["err"].strip()[-4000:], nginx.get("conf_path")),
        },
        "dump": base64.b64encode(zlib.compress(test["out"])).decode(),
        "files": files,
        "releases": [ask_release(ask, files, timeout) for ask in question.get("releases", [])],
        "backends": ask_backends(question.get("backends", []), timeout),
        "state_dir": file_state(question.get("state_dir", "/var/lib/nginx_websocket")),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
