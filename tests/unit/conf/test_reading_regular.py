"""Files in places where others can put something else: a log, a certificate, a site's file of somebody."""

from __future__ import annotations

import os
import socket

import pytest

from module_utils.nginx_websocket.conf.regular import open_regular
from module_utils.nginx_websocket.transaction.tree.files import Filesystem
from module_utils.nginx_websocket.transaction.tree.overlay import Overlay


def test_a_file_is_read(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        with open_regular(str(tmp_path / name)) as stream:
            assert stream.read() == b"x"


@pytest.mark.parametrize(
    "target", ["/dev/zero", "/dev/null", "/dev/tty", "/proc/self/environ", "/proc/version", "/sys/kernel/mm"]
)
def test_neither_devices_nor_files_of_the_kernel(tmp_path, target):
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(OSError, match=r"no regular file|directory|No such"):
        open_regular(str(tmp_path / "link"))


def test_what_waits_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="no regular file"):
        open_regular(str(tmp_path / "fifo"))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="No such device"):
            open_regular(str(tmp_path / "socket"))


def test_a_link_that_takes_a_files_place_is_not_followed(tmp_path, monkeypatch):
    """Between the look at somebody's file and its reading: a backup of /etc/shadow would be given to him."""
    secret, theirs = tmp_path / "secret", tmp_path / "theirs"
    secret.write_text("secret")
    theirs.write_text("theirs")
    status = os.lstat(theirs)
    theirs.unlink()
    theirs.symlink_to(secret)
    monkeypatch.setattr(os, "lstat", lambda _: status)
    with pytest.raises(OSError, match="symbolic links"):
        Filesystem().entry(str(theirs))


def test_a_transaction_does_not_wait_for_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "x.conf")
    with pytest.raises(OSError, match="FIFO"):
        Overlay().read(str(tmp_path / "x.conf"))
