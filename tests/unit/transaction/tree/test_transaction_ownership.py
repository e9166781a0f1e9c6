"""What a deployment may replace: what is ours, and what the takeover has compared; and what people move."""

from __future__ import annotations

import dataclasses
import os

import pytest
from simulated_host import MAIN, ROOT, SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.site.model import ABSENT, Entry
from module_utils.nginx_websocket.transaction.tree.files import Filesystem, kept_name
from module_utils.nginx_websocket.transaction.tree.ownership import secured

AVAILABLE, ENABLED = f"{ROOT}/sites-available", f"{ROOT}/sites-enabled"
GLOBAL = b"deny 10.0.0.0/8;\nssl_protocols TLSv1.3;\n"


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost()


def plant(host: SimulatedHost, path: str, text: bytes = b"", link: str = "") -> None:
    host.world.files.plant(path, Entry("link", target=link) if link else Entry("file", content=text))


def remove(host: SimulatedHost, *paths: str) -> None:
    for path in paths:
        del host.world.files.names_seen[path]


def refused(host: SimulatedHost, *sites, **more) -> str:
    before = host.files()
    done = host.deploy(*sites, **more)
    assert done.failed and done.outcome == "unchanged" and host.files() == before, done.message
    return done.message


@pytest.mark.parametrize("overwrite", ["fail", "overwrite"])
def test_a_file_of_others_that_bears_the_sites_name_is_refused(host, overwrite):
    plant(host, f"{AVAILABLE}/x.conf", GLOBAL)
    plant(host, f"{ENABLED}/x.conf", link="../sites-available/x.conf")
    message = refused(host, candidate("x"), on_takeover=overwrite)
    assert f"{AVAILABLE}/x.conf" in message and "not written by this role" in message
    assert "path" in message and "move" in message, "the ways out"


def test_so_is_one_that_nginx_does_not_read(host):
    plant(host, f"{AVAILABLE}/x.conf", b"server { server_name other.test; }")
    assert "not written by this role" in refused(host, candidate("x"))


def test_so_is_a_wished_path_that_holds_something_else(host):
    plant(host, f"{ROOT}/mime.types", b"types { text/html html; }")
    plant(host, MAIN, host.world.files.read(MAIN).replace(b"http {\n", b"http {\n    include mime.types;\n"))
    assert f"{ROOT}/mime.types" in refused(host, candidate("x", path=f"{ROOT}/mime.types"))


def test_a_link_that_leads_to_a_file_of_others_is_refused(host):
    plant(host, "/simulated/srv/global.conf", GLOBAL)
    plant(host, f"{ENABLED}/x.conf", link="/simulated/srv/global.conf")
    message = refused(host, candidate("x"))
    assert f"{ENABLED}/x.conf" in message and "/simulated/srv/global.conf" in message


def test_settings_for_all_sites_in_a_file_that_is_taken_over_are_a_loss(host):
    plant(host, f"{ROOT}/conf.d/other.conf", b"server { listen 80; server_name other.test; }")
    plant(
        host,
        f"{ROOT}/conf.d/x.conf",
        GLOBAL + b"upstream u { server 127.0.0.1:1; }\n"
        b"server { listen 80; server_name x.test; location / { return 200 x; } }\n",
    )
    message = refused(host, candidate("x"))
    assert f"{ROOT}/conf.d/x.conf:1" in message and "deny" in message and "ssl_protocols" in message
    assert "upstream" not in message
    done = host.deploy(candidate("x"), on_takeover="overwrite")
    assert done.outcome == "applied" and "lost-in-takeover" in [one.code for one in done.findings]


def test_a_second_file_of_others_is_compared_though_the_first_is_ours(host):
    host.deploy(candidate("x"))
    plant(
        host,
        f"{ROOT}/conf.d/legacy.conf",
        b"server { listen 80; server_name www.x.test; location /old/ { proxy_pass http://127.0.0.1:9; } }",
    )
    wider = candidate("x", "wider", names=("x.test", "www.x.test"))
    assert "/old/" in refused(host, wider)


def test_an_orphan_of_ours_may_be_replaced(host):
    host.deploy(candidate("x", "one"))
    remove(host, f"{ENABLED}/x.conf")
    assert host.deploy(candidate("x", "two")).outcome == "applied"
    assert len(host.served()) == 1


@pytest.mark.parametrize("drift", ["fail", "overwrite"])
def test_our_own_file_that_somebody_removed_comes_back(host, drift):
    host.deploy(candidate("x", "one"))
    whole = host.files()
    remove(host, f"{AVAILABLE}/x.conf")
    done = host.deploy(candidate("x", "one"), on_drift=drift)
    assert done.outcome == "applied" and host.files() == whole, done.message


def test_a_dangling_link_of_others_stops_and_is_named(host):
    plant(host, f"{ENABLED}/theirs.conf", link="/simulated/srv/gone.conf")
    assert f"{ENABLED}/theirs.conf" in refused(host, candidate("x"))


def test_a_link_to_itself_is_told_in_words(host):
    plant(host, f"{ENABLED}/theirs.conf", link=f"{ENABLED}/theirs.conf")
    message = refused(host, candidate("x"))
    assert "None" not in message and "Too many levels of symbolic links" in message


def moved(host: SimulatedHost) -> None:
    """As ``mv x.conf /srv/xx.conf; ln -s /srv/xx.conf x.conf`` leaves it."""
    plant(host, "/simulated/srv/xx.conf", host.world.files.read(f"{AVAILABLE}/x.conf"))
    host.world.files.names_seen[f"{AVAILABLE}/x.conf"].entry = Entry("link", target="/simulated/srv/xx.conf")


def copied(host: SimulatedHost) -> None:
    """As ``cp --remove-destination sites-available/x.conf sites-enabled/x.conf`` leaves it."""
    text = host.world.files.read(f"{AVAILABLE}/x.conf")
    host.world.files.names_seen[f"{ENABLED}/x.conf"].entry = Entry("file", content=text)


@pytest.mark.parametrize("by_hand", [moved, copied])
def test_what_a_person_moved_or_copied_can_be_rolled_back(host, by_hand):
    host.deploy(candidate("x", "one"))
    by_hand(host)
    before = host.files()
    assert host.deploy(candidate("x", "two")).outcome == "applied"
    done = host.rollback()
    assert done.outcome == "applied" and host.files() == before, done.message
    assert host.deploy(candidate("x", "one")).outcome == "unchanged"


def test_a_site_that_takes_in_another_one_leaves_nothing_of_it(host):
    y = host.deploy(candidate("y")).releases["y"]
    host.deploy(candidate("x"))
    two = host.files()
    done = host.deploy(candidate("x", "both", names=("x.test", "y.test")))
    codes = {one.code for one in done.findings}
    assert done.outcome == "applied" and codes <= {"changes-for-users"}, done.findings
    assert host.world.files.entry(f"{AVAILABLE}/y.conf") == ABSENT
    assert host.deploy(candidate("x", "both", names=("x.test", "y.test"))).findings == []
    assert host.rollback().outcome == "applied" and host.files() == two
    assert host.deploy(candidate("y")).outcome == "unchanged" and y


def test_a_file_that_others_may_write_becomes_roots(host):
    path = f"{ROOT}/conf.d/x.conf"
    text = b"server { listen 80; server_name x.test; location / { return 200 x; } }\n"
    host.world.files.plant(path, Entry("file", content=text, mode=0o664, uid=1000, gid=1000))
    done = host.deploy(candidate("x"))
    assert done.outcome == "applied", done.message
    entry = host.world.files.entry(path)
    assert (entry.mode, entry.uid) == (0o644, 0)
    assert [one.code for one in done.findings] == ["owner-changed"]
    host.rollback()
    entry = host.world.files.entry(path)
    assert (entry.mode, entry.uid, entry.gid, entry.content) == (0o664, 1000, 1000, text)


def test_so_does_one_of_ours_that_somebody_was_given(host):
    host.deploy(candidate("x"))
    mine = host.world.files.names_seen[f"{AVAILABLE}/x.conf"]
    mine.entry = dataclasses.replace(mine.entry, uid=1000, gid=4, mode=0o640)
    done = host.deploy(candidate("x", "two"))
    assert done.outcome == "applied", done.message
    assert [one.code for one in done.findings] == ["owner-changed"]
    entry = host.world.files.entry(f"{AVAILABLE}/x.conf")
    assert (entry.mode, entry.uid, entry.gid) == (0o640, 0, 4)
    host.rollback()
    assert host.world.files.entry(f"{AVAILABLE}/x.conf").uid == 1000


def test_a_server_that_wants_a_certificate_of_everybody_is_refused_before_anything(host):
    plant(host, f"{ROOT}/mtls.inc", b"ssl_verify_client on;\n")
    site = candidate("x")
    wanting = site.content.replace(b"listen 80;", b"listen 443 ssl; include %s/mtls.inc;" % ROOT.encode())
    message = refused(host, type(site)(site.name, wanting, site.server_names))
    assert f"{ROOT}/mtls.inc:1" in message and "leave this site out" in message


def test_a_file_that_others_could_write_keeps_what_says_nothing_of_that():
    label, acl = ("security.selinux", b"httpd"), ("system.posix_acl_access", b"u:mallory:rw")
    old = Entry("file", content=b"old", mode=0o664, uid=1000, gid=33, xattrs=(acl, label))
    new, (told,) = secured("/x.conf", old, b"new")
    assert new == Entry("file", content=b"new", mode=0o644, uid=0, gid=33, xattrs=(label,))
    assert told.code == "owner-changed" and "owner 1000, mode 0664" in told.message
    mine = dataclasses.replace(old, mode=0o640, uid=0)
    assert secured("/x.conf", mine, b"new") == (dataclasses.replace(mine, content=b"new"), [])


def test_what_is_kept_of_a_link_is_the_link(tmp_path):
    files, path = Filesystem(), str(tmp_path / "x.conf")
    (tmp_path / "there").write_text("somebody's")
    os.symlink("there", path)
    files.put(path, Entry("file", content=b"new"), keep=True)
    assert files.entry(kept_name(path)).target == "there"
    assert files.bring_back(path) and os.readlink(path) == "there"
    assert (tmp_path / "there").read_text() == "somebody's"
