"""playbooks/diagnose.yml where the question itself is wrong: the message says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


def said(*variables):
    extra = [word for variable in variables for word in ("-e", variable)]
    done = subprocess.run(
        [str(PLAYBOOK), "-i", "here,", "-c", "local", "playbooks/diagnose.yml", *extra],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_DEPRECATION_WARNINGS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode
    return " ".join((done.stdout + done.stderr).split())


def test_a_dump_without_url_is_asked_for_the_url(tmp_path):
    dump = tmp_path / "nginx-T.txt"
    dump.write_text("# configuration file /n.conf:\nevents {}\n", encoding="ascii")
    output = said(f"dump={dump}")
    assert "url is missing: a dump answers for one URL" in output
    assert "missing parameter" not in output


def test_a_cafile_that_is_not_there_is_told_with_where_it_is_read():
    output = said(
        "url=wss://127.0.0.1:1/ws/",
        "cafile=/nonexistent/ca.pem",
        "__diagnose_become=false",
        f"ansible_python_interpreter={sys.executable}",
    )
    assert "cafile /nonexistent/ca.pem is not there: it is a file on the host that is diagnosed" in output
