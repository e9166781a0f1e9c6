"""A tree of files that somebody else rules: nothing leads out of it, and nothing in it holds us up."""

from __future__ import annotations

import os
import socket

import pytest

from module_utils.nginx_websocket.conf import globbing
from module_utils.nginx_websocket.conf.below import Below


@pytest.fixture
def tree(tmp_path):
    """A root directory, with a secret beside it that has the same name as a file below it."""
    root = tmp_path / "root"
    (root / "etc" / "nginx" / "conf.d").mkdir(parents=True)
    (root / "etc" / "secret").write_text("inner")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "secret").write_text("outer")
    (tmp_path / "only-outside").write_text("outer")
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY)
    yield Below(descriptor), root
    os.close(descriptor)


def test_links_lead_on_below_the_root(tree):
    below, root = tree
    os.symlink("/etc/secret", root / "absolute")
    os.symlink("../../../../../../etc/secret", root / "etc" / "nginx" / "up")
    os.symlink("/etc", root / "directory")
    os.symlink("/etc/secret", root / "etc" / "nginx" / "from-within")
    os.symlink("absolute", root / "twice")
    for path in (
        "/absolute",
        "/etc/nginx/up",
        "/etc/nginx/from-within",
        "directory/secret",
        "/twice",
        "/../../etc/./secret",
    ):
        assert below.read(path) == b"inner", path
    assert below.real("/directory/nginx/../secret") == "/etc/secret"
    assert below.real("/twice") == "/etc/secret" and below.real("/..") == "/"


def test_what_is_outside_alone_is_not_there(tree, tmp_path):
    below, root = tree
    os.symlink(tmp_path / "only-outside", root / "by-name")
    os.symlink("../only-outside", root / "by-dots")
    for path in ("/by-name", "/by-dots", "/../only-outside"):
        assert below.kind(path) == ""
        with pytest.raises(OSError, match="No such file"):
            below.read(path)
    assert below.exists("/by-name"), "a dangling link is a name all the same"
    assert not below.exists("/../only-outside")


def test_a_directory_that_turns_into_a_link_meanwhile_leads_nowhere_else(tree, tmp_path, monkeypatch):
    below, root = tree
    (root / "swapped").mkdir()
    (root / "swapped" / "secret").write_text("inner")
    real, turned = os.open, []

    def swapping(path, flags, *args, **more):
        if path == "secret" and not turned:
            turned.append(path)
            os.rename(root / "swapped", root / "gone")
            os.symlink(tmp_path / "etc", root / "swapped")
        return real(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", swapping)
    assert below.read("/swapped/secret") == b"inner" and turned


def test_links_without_end(tree):
    below, root = tree
    os.symlink("loop", root / "loop")
    os.symlink("a/" * 600 + "x", root / "a")
    assert below.kind("/loop") == "" and below.kind("/a") == ""
    with pytest.raises(OSError, match="symbolic links"):
        below.read("/loop")
    with pytest.raises(OSError, match="too long"):
        below.read("/." * 3000)


def test_only_regular_files_are_opened(tree):
    below, root = tree
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(root / "socket"))
        for path in ("/fifo", "/socket"):
            with pytest.raises(OSError, match="no regular file"):
                below.read(path)
            assert below.kind(path) == "file"
    with pytest.raises(IsADirectoryError):
        below.read("/etc")
    with pytest.raises(NotADirectoryError):
        below.read("/etc/secret/.")


def test_size_is_bounded_and_a_part_is_read_from_its_offset(tree):
    below, _root = tree
    with pytest.raises(OSError, match="File too large"):
        below.read("/etc/secret", limit=4)
    assert below.read("/etc/secret", start=3, limit=4) == b"er"
    assert below.read("/etc/secret", start=30) == b""


def test_patterns_are_expanded_below_the_root(tree):
    below, root = tree
    for name in ("b.conf", "a.conf", ".hidden.conf", "c.txt"):
        (root / "etc" / "nginx" / "conf.d" / name).touch()
    os.symlink("/etc/nginx/conf.d", root / "sites")
    assert globbing.glob("/sites/*.conf", below) == ["/sites/a.conf", "/sites/b.conf"]
    assert globbing.glob("/s*/", below) == ["/sites/"]
    assert below.names("/nothing") == [] and below.names("/etc/secret") == []


def test_no_descriptor_is_left(tree):
    below, root = tree
    os.symlink("/etc/secret", root / "absolute")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("/absolute", "/etc/nginx/../secret", "/etc/nginx/none", "/etc/secret/x"):
        below.kind(path)
        below.exists(path)
        below.names(path)
    below.real("/absolute")
    assert len(os.listdir("/proc/self/fd")) == before
