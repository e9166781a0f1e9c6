"""Which files of a site changed after nginx had read them."""

from __future__ import annotations

import os

from module_utils.nginx_websocket.transaction.host import read_tree
from module_utils.nginx_websocket.transaction.stale import stale_files

MARK = "location = /.well-known/nginx-websocket/abc { return 200; }"


def aged(path, seconds):
    """Give a file a time of change."""
    os.utime(path, (seconds, seconds))
    return path


def test_what_our_servers_name_and_nobody_elses(tree):
    own = aged(tree.write("own.conf", f"include {tree.path('inner.conf')};"), 100)
    inner = aged(tree.write("inner.conf", "# more"), 300)
    key = aged(tree.write("key.pem", ""), 300)
    theirs = aged(tree.write("theirs.conf", "# of another site"), 300)
    aged(tree.write("conf.d/a.conf", f"server {{ ssl_certificate_key {key}; {MARK} include {own}; }}"), 300)
    aged(tree.write("conf.d/b.conf", f"server {{ ssl_certificate {theirs}; include {theirs}; }}"), 300)
    configuration = read_tree(tree.instance()).configuration
    assert stale_files(configuration, 200.0) == sorted([inner, key]), "the site's own file has a release id"
    assert stale_files(configuration, 50.0) == sorted([inner, key, own])
    assert stale_files(configuration, 400.0) == []
    os.utime(key, (4e9, 4e9))
    assert stale_files(configuration, 200.0) == [inner], "a file from the future would be stale for ever"
    assert stale_files(configuration, 0.0) == [], "no worker serves, so nothing is known"


def test_a_file_that_is_gone_is_not_newer(tree):
    tree.write("conf.d/a.conf", f"server {{ ssl_certificate /nowhere.pem; {MARK} }}")
    assert stale_files(read_tree(tree.instance()).configuration, 1.0) == []
