"""Let real nginx test files, one after the other: JSON lines in, JSON lines out.  Runs inside a lab image.

Each line in is a site's file; each line out is what ``nginx -t`` says of it, empty when it is content.
"""

import json
import os
import subprocess
import sys

MAIN = "events {} error_log /dev/null; pid /tmp/judge.pid; http { include /tmp/judge.site; }\n"
PAIR = "/etc/ssl/lab/site"


def prepare() -> None:
    """Make what the sites of the tests name."""
    os.makedirs("/etc/ssl/lab", exist_ok=True)
    os.makedirs("/etc/letsencrypt", exist_ok=True)
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=judge"]
    subprocess.run(
        [*request, "-keyout", f"{PAIR}.key", "-out", f"{PAIR}.pem"], check=True, stderr=subprocess.DEVNULL
    )
    for path in ("/etc/letsencrypt/options-ssl-nginx.conf",):
        with open(path, "a", encoding="utf-8"):
            pass
    subprocess.run(
        ["openssl", "dhparam", "-dsaparam", "-out", "/etc/letsencrypt/ssl-dhparams.pem", "2048"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        os.symlink(f"{PAIR}.pem", "/etc/ssl/certs/ca-certificates.crt")
    with open("/tmp/judge.conf", "w", encoding="utf-8") as stream:
        stream.write(MAIN)


def main() -> None:
    """Answer every line."""
    prepare()
    for line in sys.stdin:
        with open("/tmp/judge.site", "w", encoding="utf-8") as stream:
            stream.write(json.loads(line))
        done = subprocess.run(
            ["nginx", "-t", "-q", "-c", "/tmp/judge.conf"], capture_output=True, text=True, check=False
        )
        said = [one for one in done.stderr.splitlines() if "[emerg]" in one or "[crit]" in one]
        print(json.dumps(said[0] if said else "" if done.returncode == 0 else done.stderr), flush=True)


if __name__ == "__main__":
    main()
