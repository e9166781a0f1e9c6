"""What each module may answer, key by key: the ``RETURN`` of its documentation as shapes.

`FREE` parts are shown or stored, and no program of the controller computes with them. Tests compare this file
with the modules' documentation and with what the modules really return.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ansible.module_utils.parsing.convert_bool import boolean  # type: ignore[import-untyped]

from host_answers.report import REPORT
from host_answers.shapes import (
    MOST_BYTES,
    Base64,
    Choice,
    Data,
    Flag,
    Int,
    ListOf,
    Maybe,
    Misshapen,
    Named,
    Number,
    Record,
    Shape,
    Text,
    Word,
    record,
)

TEXT = Text()
TEXTS = ListOf(TEXT)
#: A text that holds whole files.
FILE = Text(most=MOST_BYTES)
NAMES = Named(Text(most=4096))
WORD = Word()
#: A path as it is on the host, whatever characters it has.
EXACT = Word(pattern="(?s).*")
FREE = Data()

FINDING = record(code=TEXT, message=TEXT, optional={"fix": TEXT})
ERROR = record(file=TEXT, line=Int(), level=TEXT, message=TEXT, context=TEXTS)
SOCKETS = Record({"before": Int(), "after": Int(), "lost": Int()}, or_empty=True)
OUTCOMES = Choice(
    frozenset(
        {
            "unchanged",
            "applied",
            "refused",
            "reload failed",
            "nothing to go back to",
            "rolled back",
            "rollback failed",
        }
    )
)

OUTCOME: Dict[str, Shape] = {
    "outcome": OUTCOMES,
    "releases": NAMES,
    "previous": NAMES,
    "backup": Maybe(Int(least=0)),
    "files": ListOf(NAMES),
    "replaced": TEXTS,
    "recovered": TEXT,
    "confirm_by": Text(most=100),
    "steps": ListOf(record(name=TEXT, seconds=Number())),
    "drift": ListOf(record(path=TEXT, diff=FILE)),
    "findings": ListOf(FINDING),
    "cured": ListOf(FINDING),
    "comparison": FREE,
    "errors": ListOf(ERROR),
    "warnings_of_nginx": TEXTS,
    "method": TEXT,
    "old_workers": Named(Maybe(Int())),
    "sockets": SOCKETS,
    "remedy": TEXTS,
}

BACKUP = record(
    number=Int(least=0),
    kind=TEXT,
    time=TEXT,
    by=TEXT,
    size=Int(),
    restores=Maybe(Int()),
    releases=NAMES,
    gives=NAMES,
    changed=ListOf(NAMES),
)

NGINX = record(
    found=Flag(),
    running=Flag(),
    message=TEXT,
    ambiguous=Flag(),
    chosen=Maybe(Int()),
    why=TEXT,
    warnings=TEXTS,
    masters=FREE,
    sites=ListOf(
        record(
            names=ListOf(Text(most=4096)),
            listen=TEXTS,
            file=EXACT,
            line=Int(),
            certificate=EXACT,
            certificate_key=EXACT,
        )
    ),
    optional={
        "binary": WORD,
        "product": TEXT,
        "version": Word(most=40, pattern=r"[0-9.]*"),
        "version_text": TEXT,
        "disk_version": Word(most=40, pattern=r"[0-9.]*"),
        "configure": TEXTS,
        "prefix": WORD,
        "conf_path": WORD,
        "pid_path": WORD,
        "error_logs": ListOf(WORD),
        "user": TEXT,
        "group": TEXT,
        "modules": TEXTS,
        "loaded_modules": TEXTS,
        "realip": Flag(),
        "http2_form": Choice(frozenset({"listen", "directive", "none"})),
        "openssl": TEXT,
        "pcre": TEXT,
        "pcre_library": TEXT,
        "layout": Maybe(FREE),
        "layout_error": TEXT,
        "conf_error": TEXT,
        "master": Maybe(FREE),
        "unit": WORD,
    },
)

BACKEND = record(
    port=Maybe(Int(least=0, most=65535)),
    address=Word(most=300, pattern=r"[0-9A-Za-z.:_/\[\]-]*"),
    answered=Flag(),
    upgrade=TEXT,
    why=TEXT,
    warning=TEXT,
    candidates=FREE,
)

CERTIFICATE = record(
    certificate=EXACT,
    key=EXACT,
    usable=Flag(),
    problem=TEXT,
    key_matches=Maybe(Flag()),
    subject=TEXT,
    issuer=TEXT,
    names=TEXTS,
    not_before=TEXT,
    not_after=TEXT,
    days_left=Maybe(Number()),
    self_signed=Flag(),
    missing_names=TEXTS,
)

DIAGNOSIS = record(
    url=TEXT,
    verdict=Choice(frozenset({"works", "fails", "cannot tell"})),
    sentence=TEXT,
    findings=ListOf(
        record(
            code=TEXT,
            is_cause=Flag(),
            title=TEXT,
            hint=TEXT,
            evidence=ListOf(record(kind=TEXT, text=TEXT, file=TEXT, line=Int())),
            fix=TEXT,
            diff=TEXT,
            commands=TEXTS,
            link=Word(most=500, pattern=r"(https://[!-~]*)?"),
        )
    ),
    route=FREE,
    way=ListOf(
        record(
            station=TEXT,
            text=TEXT,
            file=TEXT,
            line=Int(),
            state=Choice(frozenset({"ok", "bad", ""})),
            more=TEXTS,
        )
    ),
    excerpts=ListOf(
        record(file=TEXT, lines=ListOf(record(number=Int(), text=TEXT, code=TEXT, marked=Flag())))
    ),
    probes=FREE,
    nginx=FREE,
    notes=TEXTS,
    optional={
        "routes": ListOf(
            record(
                url=TEXT,
                location=TEXT,
                where=TEXT,
                server=TEXT,
                proxy_pass=TEXT,
                state=TEXT,
                reason=TEXT,
                code=TEXT,
            )
        )
    },
)

PATH = record(exists=Flag(), readable=Flag(), type=Text(most=20))

COMMAND: Dict[str, Shape] = {"rc": Int(), "stdout": FILE, "stderr": TEXT}

#: What a module may answer besides what it has in common with all others; nothing of it may be missing where
#: the module has not failed.
MODULES: Dict[str, Record] = {
    "nginx_facts": record(
        nginx=NGINX,
        backends=Named(BACKEND),
        certificates=ListOf(CERTIFICATE),
        paths=Named(PATH),
        deployed=Maybe(Record({**OUTCOME, "changed": Flag()})),
        report=Maybe(REPORT),
    ),
    "nginx_deploy": Record({**OUTCOME, "report": Maybe(REPORT)}),
    "nginx_rollback": Record(OUTCOME),
    "nginx_rollback list": record(backups=ListOf(BACKUP)),
    "nginx_fix": Record(
        {
            **OUTCOME,
            "urls": TEXTS,
            "causes": TEXTS,
            "edits": ListOf(record(file=TEXT, line=Int(), before=TEXTS, after=TEXTS)),
            "commands": TEXTS,
        }
    ),
    "nginx_confirm": record(outcome=OUTCOMES, backup=Maybe(Int(least=0))),
    "nginx_validate": record(
        valid=Flag(),
        errors=ListOf(ERROR),
        warnings_of_nginx=ListOf(ERROR),
        method=TEXT,
        nginx=record(binary=TEXT, version=TEXT, conf_path=TEXT),
        optional={"read": Named(Flag())},
    ),
    "nginx_diagnose": record(diagnosis=DIAGNOSIS),
    "websocket_probe": record(probe=FREE),
    "backend_service": record(outcome=OUTCOMES, release=TEXT, evidence=TEXTS),
    # Ansible's own, as far as the role needs them.
    "ansible.builtin.command": Record(COMMAND, optional=("rc", "stdout", "stderr")),
    "ansible.builtin.slurp": record(content=Base64(), encoding=TEXT),
}

ONE_DIFF = record(
    optional={"before": FILE, "after": FILE, "before_header": TEXT, "after_header": TEXT, "prepared": FILE}
)

#: What every module may answer.
COMMON: Dict[str, Shape] = {
    "changed": Flag(),
    "failed": Flag(),
    "skipped": Flag(),
    "msg": Text(most=MOST_BYTES // 8),
    "warnings": TEXTS,
    "diff": ListOf(ONE_DIFF),
    "exception": TEXT,
}


def shape_of(module: str, arguments: Mapping[str, Any]) -> Record:
    """Return what a module declares.

    Args:
        module: Its name, with or without a collection before it.
        arguments: Its arguments.

    Raises:
        KeyError: nothing is declared for a module of that name.
    """
    name = module if module in MODULES else module.rpartition(".")[2]
    if name == "nginx_rollback" and boolean(arguments.get("list", False), strict=False):
        name = "nginx_rollback list"
    return MODULES[name]


def cut(module: str, arguments: Mapping[str, Any], answer: object) -> Dict[str, Any]:
    """Return what a module declares of its answer.

    Args:
        module: The module's name.
        arguments: Its arguments.
        answer: What the host said, parsed.

    Raises:
        Misshapen: the answer has another shape.
    """
    if not isinstance(answer, dict):
        raise Misshapen("the whole: expected an object")
    answer = _plain(answer)
    common = Record(COMMON, tuple(COMMON)).cut(answer, "")
    own = shape_of(module, arguments)
    if common.get("failed") or common.get("skipped"):
        # It says why in words; what came of it until then may be anything that the module can answer.
        own = Record(own.fields, tuple(own.fields))
    found = {"changed": False, **common, **own.cut(answer, "")}
    if common.get("failed"):
        found["msg"] = common.get("msg") or "The module failed, and does not say why."
    return found


def _plain(answer: Dict[str, Any]) -> Dict[str, Any]:
    """Return the answer with warnings, differences and the exception in one form.

    Since ansible-core 2.19 a warning is an object with an event, and so is the exception of a module that
    broke down.
    """
    found = dict(answer)
    if isinstance(found.get("warnings"), list):
        found["warnings"] = [_message(warning) for warning in found["warnings"]]
    if isinstance(found.get("diff"), dict):
        found["diff"] = [found["diff"]]
    if found.get("failed") is True and "exception" in found:
        event = _event(found["exception"])
        if not found.get("msg"):
            found["msg"] = f"Module failed: {_message(found['exception'])}"
        found["exception"] = event.get("formatted_traceback") or _message(found["exception"])
    else:
        found.pop("exception", None)
    return found


def _event(value: object) -> Dict[str, Any]:
    event = value.get("event") if isinstance(value, dict) else None
    return event if isinstance(event, dict) else {}


def _message(value: object) -> object:
    return _event(value).get("msg") if isinstance(value, dict) else value
