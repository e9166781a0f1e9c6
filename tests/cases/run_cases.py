"""Runs the diagnosis on recorded cases, each against a real nginx, and prints a table.

    python3 -m tests.cases.run_cases [--nginx PATH] [--json] [--jobs N] [WORD...]

A case is run when its folder's name contains one of the words (all without words).  As root every case gets
namespaces of its own (network, processes, mounts), so that cases run beside each other and beside the
host's nginx.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from typing import Any, Dict, List, Tuple

from module_utils.nginx_websocket.diagnosis.asking.browsers_view import handshake
from module_utils.nginx_websocket.diagnosis.engine import Report, diagnose
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests import namespaces
from tests.cases.replay import (
    DATA,
    Replay,
    case_names,
    expected_cause,
    in_directory,
    load_case,
    nginx_version,
)

# A second address of the loopback stands for that of a network card. A case may write its own /etc/hosts.
_SETUP = (
    "ip address add 192.0.2.10/24 dev lo && mount -t tmpfs none /mnt && "
    "cp /etc/hosts /mnt/hosts && mount --bind /mnt/hosts /etc/hosts"
)


def question_of(case: Dict[str, Any], replay: Replay, bare: bool = False, ask: int = 0) -> Question:
    """What a user would ask who has this client; bare, one who tells nothing but the URL.

    A case with ``ask`` says itself what was asked, in one way or in several; ``ask`` is the number of one.
    """
    if bare:
        return Question(url=case["url"])
    if "ask" in case:
        asked = dict(case["ask"][ask])
        cafile = asked.get("cafile", "").replace("PREFIX", replay.prefix)
        return Question(
            url=case["url"],
            origin=asked.get("origin"),
            host=asked.get("host", ""),
            headers=list(asked.get("headers", {}).items()),
            subprotocols=asked.get("subprotocols", ()),
            hold=float(asked.get("hold", 0)),
            ping_interval=float(asked.get("ping_interval", 0)),
            cafile=cafile or None,
        )
    client = replay.client()
    cafile = os.path.join(replay.prefix, "certs/ca.pem")
    return Question(
        url=case["url"],
        origin=client.get("origin"),
        host=client.get("host", ""),
        headers=[tuple(line.split(": ", 1)) for line in client.get("headers", ())]
        + ([("Upgrade", client["upgrade"])] if "upgrade" in client else [])
        + ([("Cookie", "big=" + "y" * client["cookie_bytes"])] if "cookie_bytes" in client else []),
        subprotocols=client.get("subprotocols", ()),
        alpn=client.get("alpn", ()),
        hold=client.get("hold", 0.0) if client.get("hold", 0.0) > 5 else 0.0,
        connections=client.get("connections", 0),
        other_ports=client.get("other_ports", False),
        cafile=cafile if os.path.exists(cafile) else None,
    )


def apply_diff(diff: str) -> None:
    """Change the files of unified diffs without context, as ``patch`` would; all are of the same files."""
    hunks: Dict[str, List[Tuple[int, int, str]]] = {}
    for part in re.split(r"^(?=--- )", diff, flags=re.M):
        head = re.match(r"--- (\S+)\n\+\+\+ \S+\n", part)
        for hunk in re.split(r"^(?=@@ )", part[head.end() :], flags=re.M) if head is not None else ():
            place = re.match(r"@@ -(\d+),(\d+) \+\d+,\d+ @@\n", hunk)
            if head is not None and place is not None:
                found = int(place.group(1)), int(place.group(2)), hunk[place.end() :]
                hunks.setdefault(head.group(1), []).append(found)
    for path, found_here in hunks.items():
        shift = 0
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        for start, count, text in sorted(found_here, key=lambda hunk: hunk[0] - bool(hunk[1])):
            changed = text.splitlines()
            first = (start - 1 if count else start) + shift
            removed = [line[1:] for line in changed if line.startswith("-")]
            added = [line[1:] for line in changed if line.startswith("+")]
            assert lines[first : first + count] == removed, (lines[first : first + count], removed)
            lines[first : first + count] = added
            shift += len(added) - count
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))


def cure(replay: Replay, question: Question, diff: str) -> str:
    """Apply the diff to the case, reload, and ask again: the new verdict with its first cause."""
    apply_diff(diff)
    replay.reload(1.0)
    report = diagnose(question)
    causes = [finding.code for finding in report.findings if finding.is_cause]
    return " ".join([report.verdict, *causes[:1]])


def shown_true(name: str, nginx: str, data: str) -> str:
    """Start a case with its own ``cure`` in place, and ask as its client does: what came of it.

    Each step of a cure is [file, old text, new text], or ["-", what, value] for what no file holds: ``start``
    a backend at an address, give the backends another ``mode``, ``drop`` a key of theirs, send a ``cookie``,
    open another ``url``, start with other ``certs`` and without the steps.
    """
    case = load_case(name, data)
    lab = case["lab"]
    extra: List[str] = []
    with in_directory(os.path.join(tempfile.gettempdir(), f"truth-{name}")) as work:
        folder = os.path.join(work, "case")
        shutil.copytree(case["folder"], folder)
        case["folder"] = folder
        for file, what, value in case.get("cure", ()):
            if file != "-":
                path = os.path.join(folder, file)
                with open(path, encoding="utf-8") as stream:
                    text = stream.read()
                with open(path, "w", encoding="utf-8") as stream:
                    stream.write(text.replace(what, value))
            elif what == "start":
                address = value if ":" in value else "127.0.0.1:" + value
                lab["backends"].append({"mode": "echo", "addr": address})
            elif what == "mode":
                lab["backends"][0]["mode"] = value
            elif what == "drop":
                lab["backends"][0].pop(value)
            elif what == "cookie":
                extra.append("Cookie: " + value)
            elif what == "url":
                case["url"] = value
            elif what == "certs":
                lab["certs"], lab["steps"] = value, []
        with Replay(case, os.path.join(work, "run"), nginx) as replay:
            asked = replay.client()
            seen = handshake(
                Question(
                    url=case["url"],
                    origin=asked.get("origin"),
                    host=asked.get("host", ""),
                    headers=[
                        (line.split(": ", 1)[0], line.split(": ", 1)[1])
                        for line in [*asked.get("headers", ()), *extra]
                    ],
                    subprotocols=asked.get("subprotocols", ()),
                    verify=False,
                ),
                None,
                hold=0.3,
            )
    if seen.opened and seen.closed_after is None:
        return "opens"
    return f"{seen.status} {seen.error} {seen.body}"


def run_case(name: str, nginx: str, data: str = DATA, bare: bool = False) -> Dict[str, Any]:
    """Replay one case, diagnose it, compare."""
    name, _, number = name.partition("#")
    case = load_case(name, data)
    ask = int(number or 1) - 1
    version = nginx_version(nginx)
    with in_directory(os.path.join(tempfile.gettempdir(), f"case-{name}-{ask}")) as work, Replay(
        case, work, nginx
    ) as replay:
        report: Report = diagnose(
            question_of(case, replay, bare, ask),
            binary=nginx,
            conf_path=os.path.join(replay.prefix, "nginx.conf") if replay.config_error else "",
            prefix=replay.prefix if replay.config_error else "",
        )
        result = report.as_data()
        first = result["findings"][0] if result["findings"] else {"diff": "", "is_cause": False}
        cured = ""
        if first["is_cause"] and first["diff"] and not replay.config_error:
            # Behind one cause there may be another: their diffs are judged together.
            diffs = "".join(item["diff"] for item in result["findings"] if item["is_cause"])
            cured = cure(replay, question_of(case, replay, bare, ask), diffs)
    causes = [finding["code"] for finding in result["findings"] if finding["is_cause"]]
    expected = expected_cause(case, version)
    first = result["findings"][0]["code"] if result["findings"] else ""
    fits = first in (expected, *case.get("also", ()))
    right = result["verdict"] == "works" and not causes if expected == "ok" else fits
    return {
        "name": name + (f"#{number}" if number else ""),
        "title": case["title"],
        "version": version,
        "expected": expected,
        "first": first,
        "verdict": result["verdict"],
        "causes": causes,
        "right": right,
        "cured": cured,
        "report": result,
    }


def asked_names(data: str) -> List[str]:
    """The cases of a folder; one that is asked in several ways also as ``name#2`` and so on."""
    found = []
    for name in case_names(data):
        if not all(map(os.path.exists, modules_of(os.path.join(data, name, "nginx.conf")))):
            continue  # stream, headers-more and their like are packages of their own
        found.append(name)
        found += [f"{name}#{number + 2}" for number in range(len(load_case(name, data).get("ask", [0])) - 1)]
    return found


def modules_of(path: str) -> List[str]:
    """The modules that a case's configuration loads."""
    with open(path, encoding="utf-8") as file:
        return re.findall(r"^load_module (\S+);", file.read(), re.M)


def run_apart(name: str, nginx: str, data: str, bare: bool = False) -> Dict[str, Any]:
    """The same in namespaces of its own."""
    result = namespaces.run(lambda: run_case(name, nginx, data, bare), _SETUP)
    if not isinstance(result, str):
        found: Dict[str, Any] = result
        return found
    return {
        "name": name,
        "title": "",
        "version": "",
        "expected": "",
        "first": "",
        "verdict": "error",
        "causes": [],
        "right": False,
        "report": {"error": result[-3000:]},
    }


def table(results: List[Dict[str, Any]]) -> str:
    """The results as people read them."""
    lines = [f"{'':5} {'case':46} {'recorded':30} {'verdict':12} first finding"]
    for result in results:
        cause = " (cause)" if result["first"] in result["causes"] else ""
        right = "right" if result["right"] else "WRONG"
        lines.append(
            f"{right} {result['name']:46} {result['expected']:30} {result['verdict']:12} "
            f"{result['first'] or '-'}{cause}"
            + (f"; with the fix: {result['cured']}" if result.get("cured") else "")
        )
    count = sum(result["right"] for result in results)
    version = next((result["version"] for result in results if result["version"]), "?")
    lines.append(f"nginx {version}: {count} of {len(results)} cases right")
    return "\n".join(lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--no-slow", action="store_true", help="leave out the cases that take more than a minute"
    )
    parser.add_argument("--modules", action="store_true", help="only cases whose nginx loads a module")
    parser.add_argument(
        "--bare", action="store_true", help="ask with the URL alone, as a user who knows no more"
    )
    parser.add_argument("--truth", metavar="NAME", help="start one case with its cure and say what opens")
    options = parser.parse_args()
    if options.truth:
        print(shown_true(options.truth, options.nginx, options.data))
        return 0
    names = [
        name
        for name in asked_names(options.data)
        if (not options.words or any(word in name for word in options.words))
        and (not options.modules or modules_of(os.path.join(options.data, name.split("#")[0], "nginx.conf")))
    ]
    slow = {name for name in names if load_case(name.split("#")[0], options.data)["lab"].get("slow")}
    if options.no_slow:
        names = [name for name in names if name not in slow]
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        # What waits for a minute waits beside all the others, not after them.
        running = {
            name: pool.apply_async(run_apart, (name, options.nginx, options.data, options.bare))
            for name in sorted(names, key=lambda name: name not in slow)
        }
        results = [running[name].get() for name in names]
    print(json.dumps(results) if options.json else table(results))
    return 0 if all(result["right"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
