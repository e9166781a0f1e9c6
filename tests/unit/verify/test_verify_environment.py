"""What the verification starts on a host as root gets nothing of the login's environment."""

import os

from verify.host_report import on_host


def test_a_program_of_somebody_else_is_not_found(tmp_path, monkeypatch):
    theirs = tmp_path / "systemctl"
    theirs.write_text("#!/bin/sh\necho ActiveState=theirs\n")
    theirs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "theirs" not in str(on_host.unit_state("nginx"))


def test_no_variable_of_a_login_is_handed_on(monkeypatch):
    for name in ("LD_PRELOAD_X", "OPENSSL_CONF", "TMPDIR", "LANG"):
        monkeypatch.setenv(name, "/nowhere")
    assert on_host.run(["env"])["out"].decode().count("/nowhere") == 0
