"""Which files of a site changed after nginx had read them."""

from __future__ import annotations

import os
import time

from module_utils.nginx_websocket.transaction.live.stale import stale_files
from module_utils.nginx_websocket.transaction.surroundings.host import read_tree

MARK = "location = /.well-known/nginx-websocket/abc { return 200; }"


def later() -> float:
    """A moment after all that was written until now, with room for the clock ticks of a start time."""
    moment = time.time()
    while time.time() < moment + 0.1:
        os.sched_yield()
    return time.time()


def test_what_our_servers_name_and_nobody_elses(tree):
    own = tree.write("own.conf", f"include {tree.path('inner.conf')};")
    before = later()
    inner = tree.write("inner.conf", "# more")
    key = tree.write("key.pem", "")
    theirs = tree.write("theirs.conf", "# of another site")
    tree.write("conf.d/a.conf", f"server {{ ssl_certificate_key {key}; {MARK} include {own}; }}")
    tree.write("conf.d/b.conf", f"server {{ ssl_certificate {theirs}; include {theirs}; }}")
    after = later()
    configuration = read_tree(tree.instance()).configuration
    assert stale_files(configuration, before - 0.06) == sorted([inner, key]), "the site's own file has an id"
    assert stale_files(configuration, 50.0) == sorted([inner, key, own])
    assert stale_files(configuration, after) == []
    assert stale_files(configuration, 0.0) == [], "no worker serves, so nothing is known"


def test_a_file_that_comes_with_an_old_time_or_by_a_link(tree):
    """As ``cp -p``, rsync and certbot's links bring a renewed certificate."""
    one, two = tree.write("one.pem", "1"), tree.write("two.pem", "2")
    os.symlink(one, tree.path("live.pem"))
    key = tree.write("key.pem", "old")
    tree.write(
        "conf.d/a.conf",
        f"server {{ ssl_certificate {tree.path('live.pem')}; ssl_certificate_key {key}; {MARK} }}",
    )
    configuration = read_tree(tree.instance()).configuration
    since = later()
    assert stale_files(configuration, since) == []
    later()
    tree.write("key.pem", "new")
    os.utime(key, (100, 100))
    os.symlink(two, tree.path("new.pem"))
    os.replace(tree.path("new.pem"), tree.path("live.pem"))
    assert stale_files(configuration, since) == sorted([key, tree.path("live.pem")])


def test_a_file_that_is_gone_is_not_newer(tree):
    tree.write("conf.d/a.conf", f"server {{ ssl_certificate /nowhere.pem; {MARK} }}")
    assert stale_files(read_tree(tree.instance()).configuration, 1.0) == []


def test_a_file_from_the_future_is_not_stale_for_ever(tree, monkeypatch):
    """A clock that went back: no worker could ever be younger than the file."""
    key = tree.write("key.pem", "")
    tree.write("conf.d/a.conf", f"server {{ ssl_certificate_key {key}; {MARK} }}")
    configuration = read_tree(tree.instance()).configuration
    hour_ago = time.time() - 3600
    assert stale_files(configuration, hour_ago - 60) == [key]
    monkeypatch.setattr(time, "time", lambda: hour_ago)
    assert stale_files(configuration, hour_ago - 60) == []
