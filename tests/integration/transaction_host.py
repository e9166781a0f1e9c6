"""A lab host on which transactions are tried out, and put back between tests."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[2]
SUITE = os.environ.get("NGINX_WEBSOCKET_TEST_SUITE", "bookworm")
PACKAGE = "/opt/nginx-websocket-test"
NAMES = ("lammp.test",)
URL = "ws://lammp.test/api/mqtt/ws/hints/session-874q8t"
BACKEND = "http://127.0.0.1:8000"

# Runs on the host: the package as it is, without Ansible around it, so that a test can reach into it.
DRIVER = """\
import json, os, sys
sys.path.insert(0, {package!r})
sys.dont_write_bytecode = True
from importlib import import_module
from module_utils.nginx_websocket.transaction.live.instance import find_instance
from module_utils.nginx_websocket.transaction.site.model import RouteCheck, Site
given = json.load(sys.stdin)
verb = given.pop("verb")
run = getattr(import_module("module_utils.nginx_websocket.transaction." + verb), verb)
exec(given.pop("before"), {{"os": os}})
arguments = given.pop("arguments")
for one in given.pop("sites", []):
    routes = tuple(RouteCheck(**route) for route in one.pop("routes", []))
    one["content"] = one["content"].encode()
    one["server_names"] = tuple(one["server_names"])
    arguments.setdefault("sites", []).append(Site(routes=routes, **one))
if verb != "confirm":
    arguments["nginx"] = find_instance()
outcome = run(**arguments)
result = outcome.as_dict()
result.update(failed=outcome.failed, message=outcome.message)
print("\\n" + json.dumps(result))
"""


def site(
    name: str = "lammp",
    names: tuple = NAMES,
    *,
    listen: str = "80",
    tail: str = "",
    ws: str = "",
    routes: bool = True,
    top: str = "",
    marked: bool = True,
    **more: Any,
) -> Dict[str, Any]:
    """A candidate as a careful person would write it, with what a test wants different."""
    guard = "if ($remote_addr != $server_addr) { return 404; } default_type text/plain;"
    mark = f"location = /.well-known/nginx-websocket/@RELEASE@ {{ {guard} return 200 @RELEASE@; }}"
    ws = ws or (
        "location ~ ^/api/mqtt/ws/ { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1; "
        "proxy_set_header Host $host; proxy_set_header Upgrade $http_upgrade; "
        f"proxy_set_header Connection ${name}_connection; }}"
    )
    content = (
        f"# site {name}, release @RELEASE@\n{top}\n"
        f"map $http_upgrade ${name}_connection {{ default upgrade; '' ''; }}\n"
        f"server {{\n    listen {listen};\n    server_name {' '.join(names)};\n"
        f"    {mark if marked else ''}\n    {ws}\n    location / {{ return 200 {name}; }}\n}}\n{tail}\n"
    )
    wanted = [{"url": URL, "backend": BACKEND}] if routes else []
    return {"name": name, "content": content, "server_names": list(names), "routes": wanted, **more}


def _without_caches(item: tarfile.TarInfo) -> Optional[tarfile.TarInfo]:
    return None if "__pycache__" in item.name else item


class TransactionHost:
    """A host, the package on it, and its state before any transaction."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.sh = lab.sh
        self.write = lab.write
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(
                ROOT / "module_utils", "module_utils", filter=lambda i: None if "__pycache__" in i.name else i
            )
        lab.sh(f"mkdir -p {PACKAGE}")
        lab.run("tar", "-x", "-C", PACKAGE, data=packed.getvalue())
        lab.write(f"{PACKAGE}/driver.py", DRIVER.format(package=PACKAGE))
        lab.sh("mkdir -p -m 0700 /var/lib/nginx_websocket")
        self.remember("fresh")

    def remember(self, state: str) -> None:
        """Keep the files as they are, to come back to them."""
        self.sh(f"tar -c -f /opt/{state}.tar -C / etc/nginx var/lib/nginx_websocket")

    def reset(self, state: str = "fresh") -> None:
        """Bring the host back to a remembered state: at first nginx as Debian ships it, no state of ours."""
        self.sh(
            f"set -e; rm -rf /var/lib/nginx_websocket /etc/nginx; tar -x -f /opt/{state}.tar -C /; "
            "rmdir /var/lib/nginx_websocket 2>/dev/null || true; "
            "systemctl start lammp-backend; "
            "for pid in $(cat /run/thieves 2>/dev/null); do kill $pid 2>/dev/null || true; done; "
            "rm -f /run/thieves; "
            "systemctl is-active -q nginx || systemctl start nginx; nginx -s reload; sleep 0.2"
        )

    def begin(
        self, verb: str, *, before: str = "", sites: Optional[List[Dict[str, Any]]] = None, **arguments: Any
    ) -> Tuple[Optional[Dict[str, Any]], int, str]:
        """Run a verb of the package on the host; returns (outcome or None, exit code, standard error)."""
        given = {"verb": verb, "before": before, "arguments": arguments, "sites": sites or []}
        script = f"python3 {PACKAGE}/driver.py > /run/driver.out 2> /run/driver.err; echo $?"
        code = int(self.lab.run("sh", "-c", script, data=json.dumps(given).encode()).strip())
        if code:
            return None, code, self.sh("cat /run/driver.err")
        return json.loads(self.sh("tail -n 1 /run/driver.out")), 0, ""

    def deploy(self, *sites: Dict[str, Any], before: str = "", **arguments: Any) -> Dict[str, Any]:
        """Deploy on the host and return the outcome; the driver itself must not fail."""
        outcome, code, errors = self.begin(
            "deploy", before=before, sites=list(sites) or [site()], **arguments
        )
        assert outcome is not None, f"the driver ended with {code}:\n{errors}"
        return outcome

    def rollback(self, to: str = "previous", **arguments: Any) -> Dict[str, Any]:
        """Roll back on the host and return the outcome."""
        outcome, code, errors = self.begin("rollback", to=to, **arguments)
        assert outcome is not None, f"the driver ended with {code}:\n{errors}"
        return outcome

    def killed(self, before: str, *sites: Dict[str, Any], verb: str = "deploy") -> None:
        """Run a deployment that ``before`` makes die of SIGKILL somewhere."""
        outcome, code, errors = self.begin(verb, before=before, sites=list(sites) or [site()])
        assert outcome is None and code == 137, f"not killed: {outcome} {code} {errors}"

    def everything(self) -> str:
        """All of nginx's tree and of our state, as text."""
        return self.lab.digest("/etc/nginx", "/var/lib/nginx_websocket", "/run/nginx.pid")

    def tree(self) -> str:
        """All of nginx's tree, as text."""
        return self.lab.digest("/etc/nginx")

    def valid(self) -> bool:
        """Whether the tree on the disk passes nginx -t."""
        return self.sh("nginx -t 2>/dev/null && echo yes || true").strip() == "yes"

    def serves(self, path: str = "/", host: str = "lammp.test", port: int = 80) -> str:
        """Status and body that the running nginx answers."""
        return self.sh(
            f"curl -s -m 5 -o /run/body -w '%{{http_code}} ' -H 'Host: {host}' "
            f"http://127.0.0.1:{port}{path}; cat /run/body",
            check=False,
        ).strip()

    def take_port(self, port: int) -> None:
        """Let another process listen on a port until the next reset."""
        self.sh(
            f"nohup python3 -m http.server {port} >/dev/null 2>&1 & echo $! >> /run/thieves; "
            f"for i in $(seq 100); do ss -ltn | grep -q ':{port} ' && exit 0; sleep 0.05; done; exit 1"
        )
