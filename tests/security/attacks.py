"""What a host in somebody else's hands answers: each attack turns a true answer into another one.

This file runs on the lab host, too (`python.py` there), so it needs the standard library alone.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import zlib
from typing import Any, Callable, Dict, Iterable, Iterator, List

MIB = 2**20

#: On the controller this directory must not come into being. The host replaces the word by the real path.
MARK = "@MARK@"
RUNS = f"touch {MARK}"
TEMPLATE = "{{ lookup('ansible.builtin.pipe', '" + RUNS + "') }}"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m\r\x08\u202e"
HTML = (
    f"\"><script src=//evil></script><img src=x onerror=alert(1)><meta http-equiv=refresh content='0;{MARK}'>"
)

#: A true answer in, what goes out instead, piece by piece.
Attack = Callable[[Dict[str, Any]], Iterable[bytes]]
ATTACKS: Dict[str, Attack] = {}
#: Attacks after which the host must be judged failed: what it answers has another shape than was declared.
#: With the others nothing may happen but what a true answer brings.
FALSE = set()
#: Attacks on the verification's own question only.
REPORTS = set()
#: Attacks by a key that only modules answer with: of a report nothing is left of them, and it is true.
MODULES = set()


def attack(*, false: bool, report: bool = False, module: bool = False) -> Callable[[Attack], Attack]:
    """Register an attack under its function's name."""

    def register(function: Attack) -> Attack:
        name = function.__name__.replace("_", "-")
        ATTACKS[name] = function
        if false:
            FALSE.add(name)
        if report:
            REPORTS.add(name)
        if module:
            MODULES.add(name)
        return function

    return register


def said(answer: object) -> List[bytes]:
    """An answer as JSON."""
    return [json.dumps(answer).encode()]


def every(answer: Any, change: Callable[[Any], Any]) -> Any:
    """The answer with each of its values changed that is neither an object nor a list."""
    if isinstance(answer, dict):
        return {key: every(value, change) for key, value in answer.items()}
    if isinstance(answer, list):
        return [every(value, change) for value in answer]
    return change(answer)


def texts(answer: Any, text: str) -> Any:
    """The answer with something appended to every text that people read."""
    shown = (
        "msg",
        "message",
        "sentence",
        "title",
        "text",
        "fix",
        "why",
        "error",
        "body",
        "messages",
        "recovered",
    )

    def below(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: below(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [below(inner, key) for inner in value]
        return value + text if isinstance(value, str) and key in shown else value

    return {**below(answer, ""), "warnings": [text], "msg": text}


def fresh(answer: Dict[str, Any], text: bytes, alone: bool) -> Dict[str, Any]:
    """A recorded answer as one to this question: whoever lies can read its name.

    Args:
        answer: As it was recorded.
        text: What was asked.
        alone: Leave the verification's part out, so that its question is put by itself.
    """
    nonce = re.search(rb"nonce\W{1,10}([0-9a-f]{32})", text)
    if nonce and "nonce" in answer:
        answer = {**answer, "nonce": nonce.group(1).decode()}
    if answer.get("report"):
        answer = {**answer, "report": None if alone else fresh(answer["report"], text, alone)}
    return answer


def first_of(answer: Dict[str, Any]) -> str:
    """A key that the answer cannot do without."""
    known = ("nginx", "outcome", "diagnosis", "releases", "backups", "stdout", "content")
    return next(key for key in known if key in answer)


# -- variables and commands ----------------------------------------------------------------------


@attack(false=False)
def facts_run_a_command(answer):
    facts = {"__nginx_websocket_suite": ["sh", "-c", RUNS], "nginx_websocket_suite": RUNS}
    return said({**answer, "ansible_facts": facts})


@attack(false=False)
def facts_name_files(answer):
    facts = {"json": f"{MARK}/json", "html": f"{MARK}/html", "dump": "/etc/passwd", "cafile": "/etc/shadow"}
    return said({**answer, "ansible_facts": facts})


@attack(false=False)
def facts_turn_the_connection(answer):
    facts = {
        "ansible_connection": "local",
        "ansible_ssh_common_args": f"-o ProxyCommand='{RUNS}'",
        "ansible_ssh_executable": f"/bin/sh -c '{RUNS}'",
        "ansible_python_interpreter": RUNS,
        "ansible_playbook_python": RUNS,
        "ansible_become_exe": RUNS,
        "ansible_shell_executable": RUNS,
        "discovered_interpreter_python": RUNS,
    }
    return said({**answer, "ansible_facts": facts})


@attack(false=False)
def facts_set_our_variables(answer):
    facts = {
        "nginx_websocket_verify_ca_file": f"{MARK}/ca",
        "nginx_websocket_soak": 600,
        "nginx_websocket_sites": [{"name": TEMPLATE}],
        "nginx_websocket_confirm_window": 0,
        "__nginx_websocket_deploy": {"outcome": "unchanged", "target": TEMPLATE},
        "__nginx_websocket_checked": {"install": True, "prerequisites": True, "service": None},
        "__diagnose_here": MARK,
        "role_path": MARK,
        "ansible_local": {"nginx_websocket": TEMPLATE},
    }
    return said({**answer, "ansible_facts": facts, "_ansible_facts_cacheable": True})


@attack(false=False)
def facts_of_another_type(answer):
    return said({**answer, "ansible_facts": [RUNS, None]})


@attack(false=False)
def templates_in_every_text(answer):
    return said(texts(answer, TEMPLATE))


@attack(false=False)
def templates_that_claim_trust(answer):
    trusted = {"__ansible_type": "TrustedAsTemplate", "value": TEMPLATE}
    return said(
        {
            **answer,
            "trusted": trusted,
            "__ansible_unsafe": TEMPLATE,
            "__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256",
        }
    )


@attack(false=True, module=True)
def a_type_of_ansible_in_place_of_a_text(answer):
    return said({**answer, "msg": {"__ansible_type": "_AnsibleTaggedStr", "value": TEMPLATE, "tags": []}})


@attack(false=False)
def a_host_is_added(answer):
    host = {"host_name": "evil", "groups": ["nginx_websocket"], "host_vars": {"ansible_connection": "local"}}
    return said({**answer, "add_host": host, "changed": True})


@attack(false=False)
def a_group_is_added(answer):
    return said({**answer, "add_group": "nginx_websocket", "parent_groups": ["all"]})


@attack(false=False)
def keys_of_ansibles_own(answer):
    keys = {
        "_ansible_delegated_vars": {"ansible_delegated_host": "localhost", "ansible_host": "localhost"},
        "_ansible_notify": [RUNS],
        "_ansible_no_log": True,
        "_ansible_verbose_always": True,
        "_ansible_ignore_errors": True,
        "_ansible_item_result": True,
        "_ansible_suppress_tmpdir_delete": True,
        "_ansible_parsed": False,
        "ansible_stats": {"data": {RUNS: 1}, "aggregate": True},
        "include": f"{MARK}.yml",
        "include_args": {},
        "ansible_job_id": RUNS,
        "failed_when_result": False,
        "skip_reason": RUNS,
        "invocation": {"module_args": {"dest": MARK}},
    }
    return said({**answer, **keys})


@attack(false=False)
def results_of_a_loop(answer):
    return said({**answer, "results": [{"ansible_facts": {"json": MARK}, "add_host": {"host_name": "evil"}}]})


@attack(false=False)
def deprecations_without_shape(answer):
    return said({**answer, "deprecations": [None, {"msg": ESCAPES, "collection_name": RUNS}, 7]})


@attack(false=True)
def unreachable_by_its_own_word(answer):
    return said({"unreachable": True, "ignored": True})


# -- types ---------------------------------------------------------------------------------------


@attack(false=True, module=True)
def warnings_of_another_type(answer):
    return said({**answer, "warnings": {"a": 1}})


@attack(false=True, module=True)
def warnings_of_other_things(answer):
    return said({**answer, "warnings": [None, {"event": 1}]})


@attack(false=True, module=True)
def a_difference_of_another_type(answer):
    return said({**answer, "diff": f"--- {MARK}"})


@attack(false=True, module=True)
def failed_is_a_word(answer):
    return said({**answer, "failed": "no"})


@attack(false=True, module=True)
def changed_is_a_list(answer):
    return said({**answer, "changed": []})


@attack(false=True, module=True)
def a_message_is_an_object(answer):
    return said({**answer, "msg": {"a": RUNS}})


@attack(false=True)
def failed_for_no_reason(answer):
    return said({"failed": True, "exception": {"event": []}})


@attack(false=True)
def null_everywhere(answer):
    return said(every(answer, lambda value: None))


@attack(false=True)
def null_at_the_top(answer):
    return said(dict.fromkeys(answer))


@attack(false=True)
def nothing_in_it(answer):
    return said({})


@attack(false=True)
def a_key_is_missing(answer):
    left = dict(answer)
    del left[first_of(answer)]
    return said(left)


@attack(false=True)
def a_list(answer):
    return said([answer])


@attack(false=True)
def a_number(answer):
    return said(17)


@attack(false=True)
def numbers_in_place_of_texts(answer):
    return said(every(answer, lambda value: 0 if isinstance(value, str) else value))


@attack(false=True)
def texts_in_place_of_everything(answer):
    return said(every(answer, lambda value: MARK))


@attack(false=True)
def lists_in_place_of_objects(answer):
    return said({**answer, first_of(answer): [1, 2, 3]})


@attack(false=True)
def paths_everywhere(answer):
    return said(every(answer, lambda value: f"../../../..{MARK}" if isinstance(value, str) else value))


# -- JSON ----------------------------------------------------------------------------------------


@attack(false=True)
def deep_nesting(answer):
    return [b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"]


@attack(false=True)
def deeper_than_declared(answer):
    deep: Any = 1
    for _ in range(60):
        deep = {"a": [deep]}
    return said({**answer, first_of(answer): deep})


@attack(false=True)
def keys_twice(answer):
    return [json.dumps(answer).encode()[:-1] + b', "changed": false, "changed": true}']


@attack(false=True)
def not_a_number(answer):
    return [json.dumps({**answer, "x": float("nan")}).encode()]


@attack(false=True)
def beyond_infinity(answer):
    return [json.dumps(answer).encode()[:-1] + b', "x": 1e999}']


@attack(false=True)
def a_number_of_many_digits(answer):
    return [json.dumps(answer).encode()[:-1] + b', "x": ' + b"9" * 1_000_000 + b"}"]


@attack(false=False)
def halves_of_surrogate_pairs(answer):
    return said(texts(answer, "\ud83d \udcff"))


@attack(false=False)
def bytes_that_are_no_text(answer):
    return [json.dumps({**answer, "msg": "@"}).encode().replace(b'"@"', b'"\xff\xfe\xc3\x28 \xed\xa0\x80"')]


@attack(false=False)
def words_before(answer):
    return [b"Welcome!\n\x1b[2J[not json]\n", *said(answer)]


@attack(false=False)
def words_after(answer):
    return [*said(answer), b"\nBye \x1b[2J\n"]


@attack(false=True)
def two_answers(answer):
    return [*said(answer), b"\n", *said({"ansible_facts": {"json": MARK}})]


@attack(false=True)
def cut_off(answer):
    return [json.dumps(answer).encode()[:-40]]


@attack(false=True)
def silence(answer):
    return []


@attack(false=True)
def noise(answer):
    return [bytes(range(256)) * 4096]


@attack(false=True)
def another_encoding(answer):
    return [json.dumps(answer).encode("utf-16")]


@attack(false=True)
def a_byte_order_mark(answer):
    return [b"\xef\xbb\xbf" + json.dumps(answer).encode()]


@attack(false=True)
def python_in_place_of_json(answer):
    return [repr(answer).encode()]


# -- what is shown -------------------------------------------------------------------------------


@attack(false=False)
def escapes_in_every_text(answer):
    return said(texts(answer, ESCAPES))


@attack(false=False)
def html_in_every_text(answer):
    return said(texts(answer, HTML))


@attack(false=False)
def a_page_of_warnings(answer):
    return said({**answer, "warnings": ["\n" * 50 + "PLAY RECAP ****\nall is well"] * 100})


# -- size ----------------------------------------------------------------------------------------


@attack(false=False)
def a_long_text(answer):
    return said({**answer, "msg": "\U0001f4a3" * (MIB // 2)})


@attack(false=True)
def a_text_without_end(answer):
    def endless() -> Iterator[bytes]:
        yield b'{"changed": false, "msg": "'
        for _ in range(2048):
            yield b"x" * MIB

    return endless()


@attack(false=True)
def lines_without_end(answer):
    return (b"\n" * MIB for _ in range(2048))


@attack(false=True)
def many_small_lists(answer):
    return [b'{"x": [', b"[]," * (7 * MIB // 3), b"1]}"]


@attack(false=True)
def many_small_objects(answer):
    return [b'{"x": [', b'{"":1},' * MIB, b"1]}"]


@attack(false=True)
def many_keys(answer):
    return said({**answer, "x": {str(number): None for number in range(500_000)}})


@attack(false=True)
def an_error_without_end(answer):
    for _ in range(1024):
        sys.stderr.write("x" * MIB)
    return said(answer)


# -- the verification's question -----------------------------------------------------------------


def bomb(size: int) -> str:
    """So many zeros, compressed, as base64."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(b"\0" * MIB) for _ in range(size // MIB)]
    return base64.b64encode(b"".join([*pieces, packer.flush()])).decode()


@attack(false=True, report=True)
def an_answer_to_an_earlier_question(answer):
    return said({**answer, "nonce": "0" * 32})


@attack(false=True, report=True)
def an_answer_about_another_release(answer):
    return said({**answer, "releases": [{**one, "release": "0" * 32} for one in answer["releases"]]})


@attack(false=True, report=True)
def a_bomb(answer):
    return said({**answer, "dump": bomb(512 * MIB)})


@attack(false=True, report=True)
def many_directives(answer):
    text = b"# configuration file /etc/nginx/nginx.conf:\n" + b"a;" * (8 * MIB)
    return said({**answer, "dump": base64.b64encode(zlib.compress(text)).decode()})


@attack(false=True, report=True)
def many_blocks(answer):
    text = b"# configuration file /etc/nginx/nginx.conf:\n" + b"a{" * 100_000 + b"}" * 100_000
    return said({**answer, "dump": base64.b64encode(zlib.compress(text)).decode()})


@attack(false=True, report=True)
def a_dump_that_is_none(answer):
    return said({**answer, "dump": "not base64 \u2028"})


@attack(false=True, report=True)
def a_dump_that_is_not_compressed(answer):
    return said({**answer, "dump": base64.b64encode(b"x" * 1000).decode()})


@attack(false=True, report=True)
def questions_left_out(answer):
    return said({**answer, "releases": []})


@attack(false=True, report=True)
def answers_to_other_questions(answer):
    return said({**answer, "releases": [{**one, "port": 1} for one in answer["releases"]]})


@attack(false=True, report=True)
def a_mode_that_is_none(answer):
    return said({**answer, "state_dir": {**answer["state_dir"], "mode": "rwx"}})
