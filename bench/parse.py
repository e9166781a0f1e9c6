#!/usr/bin/env python3
"""CPU time and memory of reading 1,000 server blocks (1.1 MB): `nginx -t` against load().

Runs where nginx is installed, with the standard library alone.  Each round runs both, one after the
other, in processes of their own; CPU time is user plus system time of that process.

    python3 bench/parse.py [--rounds 9] [--servers 1000] [--nginx /usr/sbin/nginx]
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
from typing import List, Tuple

ROOT = pathlib.Path(__file__).resolve().parent.parent

READ = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.dump import load_dump
before = resource.getrusage(resource.RUSAGE_SELF)
configuration = load(sys.argv[2]) if sys.argv[3] == "load" else load_dump(open(sys.argv[2], "rb").read())
after = resource.getrusage(resource.RUSAGE_SELF)
json.dump({"seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
           "whole": after.ru_utime + after.ru_stime, "peak": after.ru_maxrss / 1024,
           "directives": sum(1 for _ in configuration.walk())}, sys.stdout)
"""

SERVER = """\
# site {n}: written by hand, with the comments that such files have; it is served to its own users alone
# and to nobody else
upstream backend_{n} {{
    server 127.0.0.1:{port} max_fails=3 fail_timeout=30s;
    keepalive 16;
}}
server {{
    listen 127.0.0.1:18080;
    server_name site{n}.example.test www.site{n}.example.test;
    access_log off;
    client_max_body_size 20m;
    add_header X-Content-Type-Options "nosniff" always;
    location /api/ {{
        proxy_pass http://backend_{n};
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_read_timeout 60s;
    }}
    # sockets
    location ~ "^/ws/[a-z]{{2,8}}/" {{
        proxy_pass http://backend_{n};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }}
    location ~* \\.(?:css|js|png)$ {{ expires 1y; }}
    location / {{
        root /var/www/site{n};
        try_files $uri $uri/ /index.html;
    }}
}}
"""


def generate(directory: pathlib.Path, servers: int) -> pathlib.Path:
    main = directory / "nginx.conf"
    sites = directory / "sites-enabled"
    sites.mkdir()
    for n in range(servers):
        (sites / f"site{n:05d}").write_text(SERVER.format(n=n, port=20000 + n % 40000))
    main.write_text(
        f"pid {directory}/nginx.pid;\nerror_log stderr;\nevents {{ worker_connections 512; }}\n"
        "http {\n    server_names_hash_max_size 65536;\n    access_log off;\n"
        + "".join(
            f"    {kind}_temp_path {directory}/tmp;\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + "    include sites-enabled/*;\n}\n"
    )
    return main


def run(command: List[str]) -> Tuple[float, float, bytes]:
    """Run a command, give (CPU seconds, peak MiB, standard output); it has to succeed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status) if sys.version_info >= (3, 9) else status
        out.seek(0)
        err.seek(0)
        if process.returncode:
            sys.exit(f"{command[0]} failed: {err.read().decode(errors='replace')[-2000:]}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read()


def row(name: str, values: List[float], unit: str, digits: int = 3) -> None:
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{name:44s} {middle:9.{digits}f} {low:9.{digits}f} {high:9.{digits}f}  {unit}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--servers", type=int, default=1000)
    options.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        conf = generate(directory, args.servers)
        dump = directory / "dump"
        dump.write_bytes(run([args.nginx, "-T", "-c", str(conf)])[2])
        size = sum(file.stat().st_size for file in (directory / "sites-enabled").iterdir())
        nginx, reads, wholes, dumps, peaks, nginx_peaks = [], [], [], [], [], []
        for _ in range(args.rounds):
            seconds, peak, _ = run([args.nginx, "-t", "-c", str(conf)])
            nginx.append(seconds)
            nginx_peaks.append(peak)
            seconds, peak, out = run([sys.executable, "-c", READ, str(ROOT), str(conf), "load"])
            result = json.loads(out)
            reads.append(result["seconds"])
            wholes.append(seconds)
            peaks.append(peak)
            _, _, out = run([sys.executable, "-c", READ, str(ROOT), str(dump), "dump"])
            dumps.append(json.loads(out)["seconds"])
        print(
            f"{args.servers} servers, {size / 1e6:.2f} MB, {result['directives']} directives, "
            f"{args.rounds} rounds, Python {sys.version.split()[0]}"
        )
        print(f"{'':44s} {'median':>9s} {'min':>9s} {'max':>9s}")
        row("nginx -t, CPU", nginx, "s")
        row("load(), CPU", reads, "s")
        row("load_dump(), CPU", dumps, "s")
        row("whole Python process with load(), CPU", wholes, "s")
        row("load() / nginx -t", [a / b for a, b in zip(reads, nginx)], "", 2)
        row("peak memory of nginx -t", nginx_peaks, "MiB", 1)
        row("peak memory of the Python process", peaks, "MiB", 1)


if __name__ == "__main__":
    main()
