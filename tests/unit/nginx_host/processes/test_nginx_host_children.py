"""Programs that root starts get nothing of a login: no directory of others in PATH, no library, no TMPDIR."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

from module_utils.nginx_websocket.host.processes import children
from module_utils.nginx_websocket.host.processes.children import environment, own_directory
from module_utils.nginx_websocket.host.processes.trust import weakness

PACKAGE = Path(children.__file__).resolve().parents[2]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory in which anybody can put a program."""
    found = tmp_path / "theirs"
    found.mkdir()
    found.chmod(0o777)
    return found


def test_no_program_of_somebody_else_is_found(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = theirs / "systemctl-of-nobody"
    program.write_text("#!/bin/sh\necho owned\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{theirs}:.::relative:/usr/bin")
    subprocess.run(["systemctl-of-nobody"], check=True, capture_output=True)
    with pytest.raises(FileNotFoundError):
        subprocess.run(["systemctl-of-nobody"], check=False, capture_output=True, env=environment())
    assert "/usr/bin" in environment()["PATH"].split(":")


@pytest.mark.parametrize("name", ["LD_PRELOAD", "OPENSSL_CONF", "NGINX", "PERL5LIB", "LANG", "LANGUAGE"])
def test_no_variable_of_a_login_is_handed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/home/somebody/x")
    assert environment().keys() == {"PATH", "LC_ALL"}


def test_a_path_without_anything_good_still_finds_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert "/bin" in environment()["PATH"].split(":")


def test_temporary_files_are_not_made_where_others_can_exchange_them(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(theirs))
    made = own_directory("test-")
    try:
        assert not made.startswith(str(theirs))
        assert weakness(made) is None
        assert os.listdir(theirs) == []
    finally:
        os.rmdir(made)


def test_every_program_that_is_started_gets_an_environment_of_its_own() -> None:
    bare = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("run", "Popen")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "subprocess"
        and not any(keyword.arg == "env" for keyword in node.keywords)
    ]
    assert bare == []
