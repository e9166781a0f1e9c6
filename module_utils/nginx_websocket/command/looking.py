"""``diagnose``, ``routes`` and ``probe``: they change nothing."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from typing import Any, Dict, List, Tuple

from ..report.medium import json_text, terminal
from ..report.text import diagnosis_text
from .shown import show, width

WORKS, FAILS, CANNOT_TELL, WRONG_USE = 0, 1, 2, 3
_CODES = {"works": WORKS, "fails": FAILS, "cannot tell": CANNOT_TELL}


class WrongUse(Exception):
    """The command line asks for something that cannot be; the message says what and how it is said."""


def here() -> str:
    """The name of this host, for the first line of a report."""
    return socket.gethostname() or "this host"


def diagnose(given: argparse.Namespace) -> int:
    """Why a WebSocket does not open.

    Returns:
        0 it works, 1 it fails, 2 it cannot be told.
    """
    from ..diagnosis.engine import diagnose as ask
    from ..diagnosis.engine import diagnose_dump

    question = question_of(given)
    if given.dump:
        report = diagnose_dump(
            question, _dump(given.dump), version=_version(given.nginx_version), name=given.dump
        )
    else:
        try:
            report = ask(question, binary=given.binary, conf_path=given.conf)
        except ValueError as error:
            raise WrongUse(str(error)) from error
    data, host = report.as_data(), given.dump or here()
    if given.html:
        from .page import write_page

        try:
            write_page(given.html, data, host)
        except OSError as error:
            raise WrongUse(f"--html {given.html} cannot be written: {error.strerror}") from error
    return _told(data, given, host)


def routes(given: argparse.Namespace) -> int:
    """Every WebSocket route of this host, and whether it opens."""
    from ..diagnosis.websocket_routes import routes_report

    return _told(routes_report(binary=given.binary, conf_path=given.conf), given, here())


def probe(given: argparse.Namespace) -> int:
    """One handshake with ping and pong: what was sent, and what came."""
    from ..exchange.endpoint import parse_address
    from ..exchange.expectation import unmet
    from ..exchange.masking import masked_url
    from ..exchange.probe import probe as ask

    try:
        result = ask(
            given.url,
            address=parse_address(given.address) if given.address else None,
            origin=given.origin,
            headers=_headers(given.header),
            subprotocols=given.subprotocol,
            timeout=given.timeout,
            cafile=given.cafile,
            verify=not given.insecure,
        )
    except ValueError as error:
        raise WrongUse(f"{masked_url(given.url)}: {error}") from error
    problem = unmet(result, "pong")
    if given.json:
        show(json_text(result.to_dict()))
    else:
        show(terminal(problem.replace("; ", "\n  ") if problem else result.summary(), lines=True) + "\n")
    return FAILS if problem else WORKS


def _told(data: Dict[str, Any], given: argparse.Namespace, host: str) -> int:
    show(json_text(data) if given.json else diagnosis_text(data, terminal(host), width(sys.stdout)))
    return _CODES[data["verdict"]]


def question_of(given: argparse.Namespace) -> Any:  # noqa: ANN401  a Question, whose module costs time
    """The question that the command line asks.

    Raises:
        WrongUse: it cannot be asked.
    """
    from ..diagnosis.evidence.facts import Question

    question = Question(
        url=given.url,
        origin=given.origin,
        headers=_headers(given.header),
        subprotocols=given.subprotocol,
        ping_interval=given.ping_interval,
        hold=getattr(given, "hold", 0.0),
        cafile=given.cafile,
        timeout=given.timeout,
        address=given.address,
    )
    try:
        question.endpoint  # noqa: B018  judged before anything is asked
    except ValueError as error:
        from ..exchange.masking import masked_url

        raise WrongUse(f"{masked_url(given.url)}: {error}") from error
    if given.cafile and not os.path.exists(given.cafile):
        raise WrongUse(f"--cafile {given.cafile}: there is no such file")
    return question


def _headers(given: List[str]) -> List[Tuple[str, str]]:
    found = []
    for header in given:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise WrongUse(f"--header {name.strip()!r} is no header: write it as 'Name: value'")
        found.append((name.strip(), value.strip()))
    return found


def _dump(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        with open(name, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise WrongUse(f"--dump {name} cannot be read: {error.strerror}") from error


def _version(text: str) -> Tuple[int, ...]:
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        raise WrongUse(f"--nginx-version {text!r} is no version: expected numbers such as 1.22.1")
    return tuple(int(part) for part in parts[:3])
