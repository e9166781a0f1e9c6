"""An nginx in a container, without an engine: own mounts, root and network, and a relay called docker-proxy.

    python3 -m tests.cases.in_container        (as root, with rights for namespaces and network)

Prints what the diagnosis says from outside, as JSON: without the headers of an upgrade, with its own diff
applied, and with a backend that listens on the host's loopback address alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from module_utils.nginx_websocket.diagnosis.engine import diagnose
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.cases.lab_backend import lab_backend

BOX, ADDRESS, PORT = "box", "10.77.0.2", 18080
URL = f"ws://127.0.0.1:{PORT}/ws/x"
SITE = """\
server {
    listen 80;
    location /ws/ {
        proxy_pass http://127.0.0.1:8000;
        include /etc/nginx/headers.conf;
    }
    location /files/ {
        root /srv;
        try_files $uri =404;
    }
}
"""
HOSTS_OWN = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;\n"
"""What stands on the host under the name of the container's file: it must not be read."""
START = """
set -e
cd {root}
for name in usr lib lib64 bin sbin dev; do
    if [ -h /$name ]; then
        cp -a /$name $name
    elif [ -d /$name ]; then
        mkdir -p $name
        mount --rbind /$name $name
    fi
done
mkdir -p etc run tmp proc var/log/nginx var/lib/nginx old srv
cp -a /etc/. etc/
rm -f etc/nginx/sites-enabled/* etc/nginx/headers.conf
ln -s /etc/nginx/real.conf etc/nginx/headers.conf
echo 'proxy_set_header Host $host;' > etc/nginx/real.conf
mount --bind {site} etc/nginx/conf.d
mount --rbind /proc proc
pivot_root . old
cd /
umount -l old
exec nginx -g 'daemon off;'
"""
RELAY = """
import socket, threading
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    finally:
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
with socket.create_server(("0.0.0.0", {port})) as server:
    while True:
        client = server.accept()[0]
        try:
            inner = socket.create_connection(("{address}", 80), 3)
        except OSError:
            client.close()
            continue
        for pair in ((client, inner), (inner, client)):
            threading.Thread(target=pump, args=pair, daemon=True).start()
"""
BACKEND = """
import signal
from tests.cases.lab_backend import lab_backend
backend = lab_backend({!r}, "")
signal.pause()
"""


def until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for a condition."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(str(condition))
        time.sleep(0.05)


def connects(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


def asked() -> Dict[str, Any]:
    """What the diagnosis says."""
    return diagnose(Question(URL)).as_data()


def main() -> int:
    """Build it, ask, and print the answers."""
    work = Path(tempfile.mkdtemp())
    root, site = work / "root", work / "site"
    root.mkdir()
    site.mkdir()
    (site / "site.conf").write_text(SITE, encoding="utf-8")
    Path("/etc/nginx/headers.conf").write_text(HOSTS_OWN, encoding="utf-8")
    for command in (
        f"ip netns add {BOX}",
        f"ip link add outer type veth peer name inner netns {BOX}",
        "ip address add 10.77.0.1/24 dev outer",
        "ip link set outer up",
        "ip link set lo up",
        f"ip -n {BOX} address add {ADDRESS}/24 dev inner",
        f"ip -n {BOX} link set inner up",
        f"ip -n {BOX} link set lo up",
        f"mount --bind {root} {root}",
    ):
        subprocess.run(command.split(), check=True, stdin=subprocess.DEVNULL)
    relay = "/usr/local/bin/docker-proxy"
    shutil.copy(os.path.realpath(sys.executable), relay)
    words = f"-proto tcp -host-ip 0.0.0.0 -host-port {PORT} -container-ip {ADDRESS} -container-port 80"
    within = ["ip", "netns", "exec", BOX]
    start = START.format(root=root, site=site)
    spec = {"mode": "echo", "addr": "127.0.0.1:8000"}
    programs: List[List[str]] = [
        [*within, "unshare", "--mount", "--propagation", "private", "sh", "-c", start],
        [relay, "-c", RELAY.format(port=PORT, address=ADDRESS), *words.split()],
        [*within, sys.executable, "-c", BACKEND.format(spec)],
    ]
    running = [subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=sys.stderr) for program in programs]
    try:
        until(lambda: connects(ADDRESS, 80) and connects("127.0.0.1", PORT))
        answers = {"before": asked()}
        diff = answers["before"]["findings"][0]["diff"]
        lines = (site / "site.conf").read_text(encoding="utf-8").split("\n")
        place = re.search(r"^@@ -(\d+),", diff, re.M)
        added = [line[1:] for line in diff.splitlines() if re.match(r"\+(?!\+\+)", line)]
        removed = [line[1:] for line in diff.splitlines() if re.match(r"-(?!--)", line)]
        if place is not None:
            first = int(place.group(1)) - (1 if removed else 0)
            lines[first : first + len(removed)] = added
        (site / "site.conf").write_text("\n".join(lines), encoding="utf-8")
        workers = answers["before"]["nginx"]["pid"]
        reload(workers)
        answers["after"] = asked()
        running[2].terminate()
        running[2].wait()
        backend = lab_backend(spec, "")
        answers["loopback"] = asked()
        backend.close()
        print(json.dumps(answers))
    finally:
        for process in running:
            process.terminate()
    return 0


def reload(master: int) -> None:
    """Have nginx read its files again, and wait until only new workers serve."""
    before = children(master)
    os.kill(master, signal.SIGHUP)
    until(lambda: children(master) and not set(before) & set(children(master)))


def children(pid: int) -> List[str]:
    """Process ids of the workers."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()


if __name__ == "__main__":
    sys.exit(main())
