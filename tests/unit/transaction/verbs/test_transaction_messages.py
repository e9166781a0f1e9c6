"""Messages that name what failed: a full disk with its path, a link in a circle with its error."""

from __future__ import annotations

import errno
import os

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError
from module_utils.nginx_websocket.transaction.live.errorlog import LogWatch, log_paths
from module_utils.nginx_websocket.transaction.surroundings.host import read_tree
from module_utils.nginx_websocket.transaction.tree import rewriting
from module_utils.nginx_websocket.transaction.tree.overlay import Overlay


def test_a_full_temporary_directory_is_named(tree, monkeypatch):
    """Python names no file when a write, rather than an open, fails."""

    def no_room(top, overlay, nginx):
        class Full:
            def items(self):
                yield "/etc/nginx/nginx.conf", b"x"
                raise OSError(errno.ENOSPC, "No space left on device")

        return Full()

    monkeypatch.setattr(rewriting, "_spliced", lambda overlay, nginx, top: no_room(top, overlay, nginx))
    with pytest.raises(OSError) as caught, rewriting.rewritten_tree(Overlay(), tree.instance()):
        pass
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value.filename).endswith("/etc/nginx/nginx.conf")
    assert "nginx-websocket-" in str(caught.value.filename)


def test_a_link_to_itself_is_called_that(tree):
    os.symlink("again", tree.path("sites-enabled/again"))
    with pytest.raises(OSError) as caught:
        Overlay().resolve(tree.path("sites-enabled/again"))
    assert caught.value.errno == errno.ELOOP and caught.value.filename.endswith("again")
    overlay = Overlay()
    with pytest.raises(ConfSyntaxError, match=rf"failed \({errno.ELOOP}: "):
        load(tree.main, read=overlay.read, glob=overlay.glob)


@pytest.mark.parametrize("log", ["syslog:server=unix:/dev/log", "stderr", "/dev/null", "memory:32k"])
def test_a_log_that_cannot_be_read_is_not_said_to_be_silent(tree, log):
    tree.write("nginx.conf", f"events {{}} error_log {log}; http {{}}")
    paths = log_paths(tree.instance(), [read_tree(tree.instance()).configuration])
    assert paths == [] and "cannot read it" in LogWatch(paths).silence()
    assert "says nothing" in LogWatch(["/var/log/nginx/error.log"]).silence()
