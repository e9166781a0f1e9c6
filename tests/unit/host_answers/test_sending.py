"""A module that is sent without Ansible's own code does what it does with it."""

from __future__ import annotations

import ast
import io
import json
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from host_answers import sending
from module_utils.nginx_websocket.arguments import options, standalone, verification

ROOT = Path(__file__).resolve().parents[3]
OURS = "ansible.module_utils.nginx_websocket"
SPEC = {
    **options.MEANT,
    **options.JOURNAL,
    "sites": {"type": "list", "elements": "dict", "default": [], "options": options.SITE},
    "on_drift": {"type": "str", "choices": ["fail", "keep"], "default": "fail"},
    "start": {"type": "bool", "default": False},
    "configured": {"type": "int"},
    "verification": verification.OPTION,
}
ROUTE = {"url": "wss://a.test/ws", "subprotocols": ["a"]}
SITE = {"name": "a.test", "server_names": ["a.test"], "routes": [ROUTE]}
GOOD = [
    {},
    {"sites": [SITE, {**SITE, "routes": []}], "binary": "~/nginx", "keep": "3", "lock_timeout": 5},
    {"start": True, "on_drift": "keep", "configured": 8000, "conf_path": "$HOME/nginx.conf"},
    {"verification": {"starter": "x", "program": {"a": 1}, "question": {}, "patience": 3}},
]
BAD = [
    {"unknown": 1},
    {"sites": [{"name": "a.test"}]},
    {"sites": [{**SITE, "unknown": 1}]},
    {"on_drift": "other"},
    {"keep": "many"},
    {"keep": [1]},
    {"sites": {"a": 1}},
]


def answer(module: str, params: dict, *, check_mode: bool = True) -> dict:
    """What a module answers, sent to this machine's own Python."""
    data = sending.payload(module, params, check_mode=check_mode, diff=False)
    argv = [sys.executable, "-I", "-c", sending.STARTER]
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    assert done.stderr == b""
    return json.loads(done.stdout)


@pytest.mark.parametrize("given", GOOD)
def test_arguments_are_what_ansible_makes_of_them(given):
    expected = ArgumentSpecValidator(SPEC).validate(given)
    assert expected.error_messages == []
    assert standalone.completed(SPEC, given) == expected.validated_parameters


@pytest.mark.parametrize("given", BAD)
def test_arguments_that_ansible_refuses_are_refused(given):
    assert ArgumentSpecValidator(SPEC).validate(given).error_messages
    with pytest.raises(ValueError, match=r"\w"):
        standalone.completed(SPEC, given)


def imported(name: str, files: dict) -> set:
    """Files of the archive that a file of it imports, wherever the import stands."""
    found = set()
    package = OURS.replace(".", "/")
    here = name.split("/")[:-1]
    for node in ast.walk(ast.parse(files[name])):
        if isinstance(node, ast.Import):
            paths = [alias.name.replace(".", "/") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            whole = "/".join([*base, *((node.module or "").split(".") if node.module else [])])
            paths = [whole, *(f"{whole}/{alias.name}" for alias in node.names)]
        else:
            continue
        for path in paths:
            if path.startswith(package):
                found.update((f"{path}.py", f"{path}/__init__.py"))
    return found


@pytest.mark.parametrize("module", sending.MODULES)
def test_nothing_that_it_imports_is_left_out(module):
    with zipfile.ZipFile(io.BytesIO(sending.archive(module))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    every = {
        "ansible/" + path.relative_to(ROOT).as_posix()
        for path in (ROOT / "module_utils/nginx_websocket").rglob("*.py")
    }
    waiting, seen = [f"{module}.py"], set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += sorted(imported(name, files) & every)
    assert len(seen) > 50 and seen <= set(files)


def test_an_answer_and_a_failure():
    assert answer("nginx_confirm", {"backup": 1, "state_dir": "/nowhere"})["failed"] is True
    assert "unknown" in answer("nginx_confirm", {"backup": 1, "unknown": 2})["msg"]


@pytest.mark.parametrize(
    ("module", "params"),
    [
        ("nginx_diagnose", {"url": "ws://a.test/", "subprotocols": "mqtt,stomp"}),
        ("nginx_diagnose", {"url": "ws://a.test/", "headers": "X-A=1"}),
        ("nginx_diagnose", {"url": "ws://a.test/", "other_ports": "yes"}),
        ("nginx_fix", {"url": "ws://a.test/", "hold": 1}),
    ],
)
def test_arguments_that_ansible_may_turn_are_said_to_be_unfit(module, params):
    assert answer(module, params)["unfit"] is True


def test_an_answer_about_the_url_is_final():
    told = answer("nginx_diagnose", {"url": "ftp://a.test/", "timeout": "3"})
    assert told["failed"] is True and "unfit" not in told and told["msg"].startswith("url ftp://a.test/")


def test_facts_come_as_by_ansible(tmp_path):
    """With Ansible's own class and with ours, the same module says the same."""
    params = {"paths": ["/", "/nowhere"], "binary": "/nowhere/nginx"}
    found = answer("nginx_facts", params)
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import ansible.module_utils as there; "
        "there.__path__.append(sys.argv[1] + '/module_utils'); import ansible.module_utils.basic as basic; "
        "basic._ANSIBLE_ARGS = json.dumps({'ANSIBLE_MODULE_ARGS': json.loads(sys.argv[2])}).encode(); "
        "basic._ANSIBLE_PROFILE = 'legacy'; import runpy; runpy.run_path(sys.argv[3], run_name='__main__')"
    )
    argv = [
        sys.executable,
        "-c",
        program,
        str(ROOT),
        json.dumps(params),
        str(ROOT / "library/nginx_facts.py"),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    expected = json.loads(done.stdout)
    expected.pop("invocation")
    assert found == expected and found["paths"]["/"]["type"] == "directory"


def test_a_module_that_breaks_down_says_so(monkeypatch):
    whole = sending.archive("nginx_confirm")
    data = io.BytesIO(whole)
    with zipfile.ZipFile(data, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("nginx_confirm.py", "raise KeyError('here')\n")
    monkeypatch.setattr(sending, "archive", lambda _module: data.getvalue())
    told = answer("nginx_confirm", {})
    assert (told["failed"], told["msg"]) == (True, "Module failed: KeyError: 'here'")
    assert "nginx_confirm.py" in told["exception"]


def test_the_stand_in_has_nothing_of_ours_around_it():
    """It is a file of the zip beside our package, so it cannot import from it."""
    assert "AnsibleModule" in runpy.run_path(str(sending.PACKAGE / "arguments/standalone.py"))


def test_the_guard_is_made_of_the_same_files(monkeypatch):
    """The archive with which a host goes back by itself is read off the modules that were sent."""
    program = (
        f"import sys\nfrom {OURS}.transaction.safety.guard import payload\n"
        f"sys.stdout.buffer.write(payload('{OURS}.transaction.auto_rollback'))\n"
    )
    data = io.BytesIO(sending.archive("nginx_deploy"))
    with zipfile.ZipFile(data, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("nginx_deploy.py", program)
    monkeypatch.setattr(sending, "archive", lambda _module: data.getvalue())
    sent = sending.payload("nginx_deploy", {}, check_mode=False, diff=False)
    argv = [sys.executable, "-I", "-c", sending.STARTER]
    done = subprocess.run(argv, input=sent, capture_output=True, check=True)
    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != "__main__.py"}
    named = {name: content for name, content in files.items() if name.count("/") > 2}
    assert len(named) > 50 and {name: (ROOT / name).read_bytes() for name in named} == named
