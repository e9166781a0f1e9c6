"""For comparison: five faults and a playbook as people write it (``bench/fleet/plain.yml``).

It writes the live file, tests it, reloads, and asks for a page.
"""

from __future__ import annotations

import dataclasses
import subprocess
from typing import Iterator

from lab import hosts

from .bench import Row
from .from_outside import ROOT, ansible

NAME = "PLAIN PLAYBOOK"
SITE = "/etc/nginx/sites-available/plain.conf"
EXTRA = "/etc/nginx/conf.d/extra.conf"
TLS = "server { listen 8443 ssl; ssl_certificate /etc/none.pem; ssl_certificate_key /etc/none.pem; }"
DOUBLE = "server { listen 80; server_name plain.test; return 404; }"
ASK = (
    "curl -s -m 3 -o /dev/null -w '%{http_code}' -H 'Host: plain.test' -H 'Upgrade: websocket' "
    "-H 'Connection: Upgrade' -H 'Sec-WebSocket-Version: 13' "
    "-H 'Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==' "
    "http://127.0.0.1/api/mqtt/ws/hints/session-x"
)


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens before the playbook runs: something its file or its host brings with it."""

    name: str
    make: str


FAULTS = (
    Fault("broken candidate", f"echo 'nonsense on;' > {EXTRA}"),
    Fault(
        "port taken",
        f"(python3 -m http.server 8099 & echo $! > /run/thief) >/dev/null 2>&1; sleep 0.5; "
        f"echo 'server {{ listen 8099; }}' > {EXTRA}",
    ),
    Fault("certificate removed", f"echo '{TLS}' > {EXTRA}"),
    Fault("WebSocket does not open", f"echo '{DOUBLE}' > {EXTRA}"),
    Fault("file edited by a person", f"echo '# a person was here' >> {SITE}"),
)


def faults(host: hosts.Host) -> Iterator[Row]:
    """The five faults, one after the other, each from a host that is well."""

    def sh(command: str) -> str:
        return hosts.run(host, "sh", "-c", command, check=False).strip()

    def run(revision: int) -> bool:
        done = subprocess.run(
            ansible("bench/fleet/plain.yml", host, bench_revision=revision),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    sh("rm -f /etc/nginx/sites-enabled/fault.conf; systemctl restart nginx")
    if not run(1) or sh(ASK) != "101":
        raise RuntimeError("the plain playbook does not even work without a fault")
    for number, fault in enumerate(FAULTS, 2):
        sh(fault.make)
        green = run(number)
        valid = sh("nginx -t 2>/dev/null && echo yes") == "yes"
        again = run(number)
        healed = "yes"
        if "edited" in fault.name:
            if "a person was here" not in sh(f"cat {SITE} /etc/nginx/plain.conf.bak"):
                healed = "no: two green runs, and what the person wrote is lost"
        elif sh(ASK) != "101" or not again:
            healed = f"no: the next run is {'green' if again else 'red'}, a WebSocket gets {sh(ASK)}"
        elif sh("ss -ltnp | grep -c ':8099 .*nginx'") == "0" and "port" in fault.name:
            healed = "no: the next run is green, and nginx serves the old configuration on"
        yield Row(
            f"{NAME}: {fault.name}",
            "",
            "green" if green else "failed",
            "yes" if valid else "no: the disk does not pass nginx -t, a reboot serves nothing",
            "n/a: not looked at",
            healed,
        )
        sh(f"rm -f {EXTRA}; kill $(cat /run/thief) 2>/dev/null; nginx -s reload")
