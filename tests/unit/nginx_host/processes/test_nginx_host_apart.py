"""A look in a child process: its answer, its error, its end."""

from __future__ import annotations

import os
import time

import pytest

from module_utils.nginx_websocket.host.processes.apart import Unanswered, apart


def test_the_answer_of_a_child():
    assert apart(lambda: {"pid": os.getpid(), "text": "\udc80ä"}, 30)["text"] == "\udc80ä"
    assert apart(os.getpid, 30) != os.getpid()
    assert len(apart(lambda: "x" * 300000, 30)) == 300000


def test_an_error_of_the_look_is_raised_here():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        apart(lambda: os.stat("/nowhere"), 30)


def test_a_look_that_never_ends_is_killed():
    started = time.monotonic()
    with pytest.raises(Unanswered):
        apart(lambda: time.sleep(300), 0.2)
    assert time.monotonic() - started < 100
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_child_that_says_nothing():
    with pytest.raises(Unanswered):
        apart(lambda: os._exit(0), 30)
    with pytest.raises(Unanswered):
        apart(lambda: {}["missing"], 30)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may become somebody else")
def test_it_has_the_rights_of_the_user_that_is_meant(tmp_path):
    (tmp_path / "private").write_text("x")
    (tmp_path / "private").chmod(0o600)
    seen = apart(lambda: [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()], 30, rights=(65534, 65533))
    assert seen == [65534, 65534, 65533, []]
    with pytest.raises(PermissionError):
        apart(lambda: (tmp_path / "private").read_text(), 30, rights=(65534, 65534))
