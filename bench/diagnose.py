#!/usr/bin/env python3
"""CPU time and memory of the static part of a diagnosis on 1,000 server blocks (1.1 MB), beside `nginx -t`.

The static part is a whole `diagnose_dump`: reading, routing, rules, risks, and the data of the report, in a
process of its own.  Runs where nginx is installed, with the standard library alone.

    python3 bench/diagnose.py [--rounds 9] [--servers 1000] [--nginx /usr/sbin/nginx]
"""

import argparse
import json
import pathlib
import shutil
import statistics
import sys
import tempfile

from parse import ROOT, generate, row, run

DIAGNOSE = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from module_utils.nginx_websocket.diagnosis.engine import diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
started = resource.getrusage(resource.RUSAGE_SELF)
report = diagnose_dump(Question(sys.argv[3], host=sys.argv[4]), open(sys.argv[2], "rb").read())
data = json.dumps(report.as_data())
ended = resource.getrusage(resource.RUSAGE_SELF)
json.dump({"seconds": ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime,
           "whole": ended.ru_utime + ended.ru_stime, "peak": ended.ru_maxrss / 1024,
           "verdict": report.verdict,
           "first": report.findings[0].code, "size": len(data)}, sys.stdout)
"""
ASKED = (("a WebSocket route", "/ws/chat/1", "cannot tell"), ("a route without headers", "/api/x", "fails"))


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
        host = f"site{args.servers // 2}.example.test"
        nginx, peaks = [], []
        ours = {words: [] for words, _, _ in ASKED}
        wholes = {words: [] for words, _, _ in ASKED}
        for _ in range(args.rounds):
            nginx.append(run([args.nginx, "-t", "-c", str(conf)])[0])
            for words, path, verdict in ASKED:
                _, peak, out = run(
                    [
                        sys.executable,
                        "-c",
                        DIAGNOSE,
                        str(ROOT),
                        str(dump),
                        f"ws://127.0.0.1:18080{path}",
                        host,
                    ]
                )
                result = json.loads(out)
                if result["verdict"] != verdict:
                    sys.exit(f"{path}: the verdict is {result['verdict']}, not {verdict}")
                ours[words].append(result["seconds"])
                wholes[words].append(result["whole"])
                peaks.append(peak)
        print(f"{args.servers} servers, {args.rounds} rounds, Python {sys.version.split()[0]}")
        print(f"{'':44s} {'median':>9s} {'min':>9s} {'max':>9s}")
        row("nginx -t, CPU", nginx, "s")
        for words, values in ours.items():
            row(f"{words}, CPU", values, "s")
            row("  as a multiple of nginx -t", [a / b for a, b in zip(values, nginx)], "", 2)
            row("  with Python's start and imports, CPU", wholes[words], "s")
        row("memory, peak", peaks, "MiB", 1)
        worst = max(statistics.median(values) for values in ours.values()) / statistics.median(nginx)
        print(f"limit: twice nginx -t and 100 MiB; reached: {worst:.2f} times, {max(peaks):.0f} MiB")


if __name__ == "__main__":
    main()
