"""What a host says about itself in the verification: verify/host_report/on_host.py's answer as a shape."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from host_answers.shapes import (
    Base64,
    Flag,
    Int,
    ListOf,
    Maybe,
    Misshapen,
    Named,
    Record,
    Shape,
    Text,
    Word,
    record,
)

TEXT = Text()
#: Characters of the configuration, compressed and written as base64.
MOST_DUMP = 3 * 2**20
#: What names a question; the host sends it back with the answer.
QUESTION = {
    "releases": ("site", "host", "address", "port", "tls", "proxy_protocol"),
    "backends": ("site", "route", "target", "host", "origin", "address", "port"),
}

FILE = record(
    path=TEXT,
    exists=Flag(),
    optional={
        "link": TEXT,
        "real": TEXT,
        "dangling": Flag(),
        "mode": Word(most=4, pattern="[0-7]{4}"),
        "uid": Int(),
        "directory": Flag(),
        "releases": ListOf(TEXT),
        "site": TEXT,
        "edited": Flag(),
    },
)
ANSWER = record(status=Maybe(Int()), body=TEXT, error=TEXT, optional={"opened": Flag()})
PLACE: Dict[str, Shape] = {"site": TEXT, "host": TEXT, "address": TEXT, "port": Int()}

REPORT = record(
    nonce=TEXT,
    uid=Int(),
    masters=ListOf(record(pid=Int(), title=TEXT, exe=TEXT)),
    workers=ListOf(record(pid=Int(), master=Int(), started=Int(), shutting_down=Flag())),
    strangers=ListOf(TEXT),
    unit=Maybe(Named(TEXT)),
    test=record(rc=Maybe(Int()), messages=TEXT),
    dump=Base64(most=MOST_DUMP),
    releases=ListOf(
        Record(
            {
                **PLACE,
                "release": TEXT,
                "tls": Flag(),
                "sni": TEXT,
                "proxy_protocol": Flag(),
                "file": Maybe(FILE),
                "answer": ANSWER,
            }
        )
    ),
    backends=ListOf(Record({**PLACE, "route": TEXT, "target": TEXT, "origin": TEXT, "answer": ANSWER})),
    state_dir=FILE,
)


def cut_report(told: object, asked: Mapping[str, Any]) -> Dict[str, Any]:
    """Return what is declared of a host's report.

    Args:
        told: What the host said, parsed.
        asked: What it was asked: `verify.targets.question`.

    Raises:
        Misshapen: the report has another shape, or answers other questions than were asked.
    """
    report: Dict[str, Any] = REPORT.cut(told, "")
    if report["nonce"] != asked.get("nonce"):
        raise Misshapen("nonce: expected the answer to this question, got one to another")
    for kind, keys in QUESTION.items():
        wanted = [[ask.get(key) for key in keys] for ask in asked.get(kind, [])]
        answered: List[List[Any]] = [[one[key] for key in keys] for one in report[kind]]
        if wanted != answered:
            raise Misshapen(f"{kind}: expected answers to {len(wanted)} questions, got others")
    for one, ask in zip(report["releases"], asked.get("releases", [])):
        if ask.get("release") and one["release"] != ask["release"]:
            raise Misshapen("releases: expected the release that was asked for, got another")
        if one["file"] and one["file"]["exists"] and not {"mode", "uid", "edited"} <= one["file"].keys():
            raise Misshapen("releases: expected mode, uid and edited of each file that is there")
    return report
