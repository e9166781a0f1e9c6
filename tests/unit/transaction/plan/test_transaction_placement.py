"""Where a site goes, what it takes over, and what it refuses to touch."""

from __future__ import annotations

import os

import pytest

from module_utils.nginx_websocket.transaction.plan.placement import left_behind, place
from module_utils.nginx_websocket.transaction.site.model import Refused, Site
from module_utils.nginx_websocket.transaction.site.release import stamped
from module_utils.nginx_websocket.transaction.surroundings.host import read_tree
from module_utils.nginx_websocket.transaction.tree.files import Filesystem
from module_utils.nginx_websocket.transaction.tree.overlay import Overlay

CONTENT = b"""\
server {
    listen 80;
    server_name a.test www.a.test;
    location = /.well-known/nginx-websocket/@RELEASE@ { return 200 @RELEASE@; }
}
"""
NAMES = ("a.test", "www.a.test")


def site(name="a", names=NAMES, content=CONTENT, **more):
    return Site(name, content, names, **more)


def placed(tree, *sites, kind="sites-available", deployed=None):
    nginx = tree.instance(kind)
    return place(sites or (site(),), read_tree(nginx), nginx, Filesystem(), deployed or {})


def refused(tree, *sites, **more) -> str:
    with pytest.raises(Refused) as caught:
        placed(tree, *sites, **more)
    return str(caught.value)


def test_a_new_site_goes_where_the_layout_says(tree):
    (one,) = placed(tree)
    assert one.path == tree.path("sites-available/a.conf") and one.shown == tree.path("sites-enabled/a.conf")
    assert [(c.path, c.before.kind, c.after.kind) for c in one.changes] == [
        (tree.path("sites-available/a.conf"), "absent", "file"),
        (tree.path("sites-enabled/a.conf"), "absent", "link"),
    ]
    assert one.changes[1].after.target == tree.path("sites-available/a.conf")
    assert one.changes[0].after.mode == 0o644
    (two,) = placed(tree, kind="conf.d")
    assert two.path == two.shown == tree.path("conf.d/a.conf") and len(two.changes) == 1


def test_what_stands_already_is_no_change(tree):
    tree.write("conf.d/a.conf", stamped(CONTENT).decode())
    (one,) = placed(tree, kind="conf.d")
    assert one.changes == [] and not one.drifted and one.previous


def test_one_live_file_of_our_names_is_taken_over_where_it_is(tree):
    shown = tree.enable("old-site", "server { server_name A.test; }")
    os.chmod(tree.path("sites-available/old-site"), 0o600)
    (one,) = placed(tree)
    assert (one.path, one.shown) == (tree.path("sites-available/old-site"), shown)
    assert one.changes[0].after.mode == 0o600, "the mode stays"
    assert one.replaced == [] and one.previous == "" and not one.drifted


def test_several_are_replaced(tree):
    tree.write("conf.d/x.conf", "server { server_name a.test; }")
    link = tree.enable("y", "server { server_name www.a.test; }")
    (one,) = placed(tree)
    assert one.path == tree.path("sites-available/a.conf")
    assert sorted(one.replaced) == sorted([tree.path("conf.d/x.conf"), link])
    gone = {change.path for change in one.changes if change.after.kind == "absent"}
    assert gone == {tree.path("conf.d/x.conf"), link}, "the link goes, the file behind it stays"


def test_a_wished_path_wins_and_the_old_place_is_emptied(tree):
    tree.write("conf.d/x.conf", "server { server_name a.test; }")
    (one,) = placed(tree, site(path=tree.path("conf.d/wish.conf")))
    assert one.path == one.shown == tree.path("conf.d/wish.conf")
    assert one.replaced == [tree.path("conf.d/x.conf")]


def test_the_last_place_is_remembered_when_the_names_change(tree):
    tree.write("conf.d/was.conf", "server { server_name before.test; }")
    deployed = {"a": {"path": tree.path("conf.d/was.conf"), "release": "x"}}
    (one,) = placed(tree, deployed=deployed)
    assert one.path == tree.path("conf.d/was.conf")


def test_mixed_files_are_refused_with_both_lines(tree):
    path = tree.write("conf.d/m.conf", "server { server_name b.test; }\n\nserver { server_name a.test; }\n")
    message = refused(tree)
    assert f"{path}:3" in message and f"{path}:1" in message and "b.test" in message


@pytest.mark.parametrize(
    ("theirs", "advice"),
    [
        ("server_name a.test other.test;", "add other.test to the site's server_names"),
        ("server_name .a.test;", "*.a.test, which no site here names"),
        ("server_name a.test _;", "give them a server in a file of its own"),
    ],
)
def test_a_server_with_foreign_names_is_refused(tree, theirs, advice):
    path = tree.write("conf.d/m.conf", f"server {{ {theirs} }}\nserver {{ listen 8443; {theirs} }}")
    message = refused(tree)
    assert message.startswith(f"{path}:1 serves a.test and, in the same server, ") and advice in message
    assert ("server_names" in message) == ("other.test" in message), "what cannot be a name is not advised"


def test_a_file_with_a_nameless_server_beside_ours_is_refused(tree):
    tree.write("conf.d/m.conf", "server { server_name a.test; }\nserver { listen 80 default_server; }\n")
    assert "requests without a name" in refused(tree)


def test_servers_in_the_main_file_are_refused(tree):
    tree.write("nginx.conf", "events {}\nhttp { server { server_name a.test; } }")
    assert "nginx's main file" in refused(tree)


def test_a_site_that_is_not_asked_for_any_more_is_told(tree):
    other = site("b", ("b.test",), CONTENT.replace(b"a.test", b"b.test"))
    shown = tree.enable("b", stamped(other.content).decode())
    theirs = tree.enable("c", "server { server_name c.test; }")
    deployed = {
        "a": {"path": tree.path("sites-available/a"), "release": "x"},
        "b": {"path": tree.path("sites-available/b"), "release": "x"},
        "c": {"path": tree.path("sites-available/c"), "release": "x"},
        "d": {"path": tree.path("sites-available/d"), "release": "x"},
    }
    live = read_tree(tree.instance())
    (found,) = left_behind(placed(tree), live, deployed, Filesystem(), lambda path: "at T by W")
    assert (
        found.code == "site-left"
        and "the site b is served from" in found.message
        and "deployed at T by W" in found.message
    )
    assert f"rm {shown} {tree.path('sites-available/b')} && nginx -t" in found.message
    assert theirs not in found.message, "c is somebody else's by now, and d is gone"
    os.unlink(shown)
    assert (
        left_behind(
            placed(tree), read_tree(tree.instance()), deployed, Filesystem(), lambda path: "at T by W"
        )
        == []
    )


def test_other_names_and_other_ports_are_left_alone(tree):
    tree.write("conf.d/x.conf", "server { server_name b.test; }")
    tree.write("conf.d/y.conf", "server { listen 8443; server_name a.test; }")
    tree.write("conf.d/z.conf", "server { server_name *.a.test; }")
    (one,) = placed(tree)
    assert one.replaced == [] and one.path == tree.path("sites-available/a.conf")


def test_the_file_of_another_site_is_not_overwritten(tree):
    path = tree.write("conf.d/a.conf", "server { server_name b.test; }")
    assert f"{path}:1" in refused(tree, kind="conf.d")
    assert f"{path}:1" in refused(tree, site(path=path))


def test_two_sites_cannot_share_a_name_or_a_file(tree):
    other = site("b", ("b.test", "A.test"))
    assert "both claim the server name A.test" in refused(tree, site(), other)
    both = tree.path("conf.d/x.conf")
    assert "both be written" in refused(tree, site(path=both), site("b", ("b.test",), path=both))


def test_a_path_in_no_directory_is_refused(tree):
    assert "does not exist" in refused(tree, site(path=tree.path("nowhere/a.conf")))


def test_hand_edits_show(tree):
    edited = stamped(CONTENT).decode().replace("listen 80", "listen 81")
    tree.write("conf.d/a.conf", edited)
    (one,) = placed(tree, kind="conf.d")
    assert one.drifted
    # without its mark the file is known by where we put it
    tree.write("conf.d/a.conf", "server { server_name a.test; }")
    (one,) = placed(tree, kind="conf.d")
    assert not one.drifted
    (one,) = placed(tree, kind="conf.d", deployed={"a": {"path": tree.path("conf.d/a.conf"), "release": "x"}})
    assert one.drifted


def test_an_older_release_put_back_by_hand_is_no_edit(tree):
    older = stamped(CONTENT.replace(b"listen 80", b"listen 81"))
    tree.write("conf.d/a.conf", older.decode())
    (one,) = placed(tree, kind="conf.d", deployed={"a": {"path": tree.path("conf.d/a.conf"), "release": "x"}})
    assert not one.drifted and len(one.changes) == 1


def test_a_broken_file_of_ours_is_seen_and_one_of_others_is_not(tree):
    tree.write("conf.d/x.conf", "server { server_name a.test; location / { ")
    (one,) = placed(tree)
    assert one.path == tree.path("conf.d/x.conf")
    tree.write("conf.d/x.conf", "server { server_name a.test b.test; location / { ")
    (one,) = placed(tree)
    assert one.path == tree.path("sites-available/a.conf")


def test_the_overlaid_tree_is_what_would_be(tree):
    tree.write("conf.d/x.conf", "server { server_name a.test; }")
    tree.enable("y", "server { server_name www.a.test; }")
    nginx = tree.instance()
    (one,) = placed(tree)
    after = read_tree(nginx, Overlay(one.changes)).configuration
    assert list(after.files) == [tree.main, tree.path("sites-enabled/a.conf")]
    assert after.files[tree.path("sites-enabled/a.conf")] == stamped(CONTENT)
