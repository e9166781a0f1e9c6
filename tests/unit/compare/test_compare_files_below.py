"""Files below a root: each kind, bounded."""

from __future__ import annotations

import os

from module_utils.nginx_websocket.compare.requests.files_below import ENTRIES, Root, files_below, root_of_url


def make(base, *names: str) -> None:
    for name in names:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def test_a_file_of_each_kind_directories_and_hidden_ones(tmp_path) -> None:
    make(
        tmp_path,
        "index.html",
        "config.php",
        "manual/index.html",
        "images/1.png",
        *(f"images/{number}.jpg" for number in range(50)),
        ".env",
        ".git/config",
        "a b/c.txt",
    )
    found = files_below([Root(str(tmp_path), "")]).paths
    assert {
        "/config.php",
        "/manual/",
        "/manual",
        "/images/1.png",
        "/.env",
        "/.git/config",
        "/a b/c.txt",
    } <= set(found)
    assert sum(path.endswith(".jpg") for path in found) <= 4


def test_bounds_are_kept_and_told(tmp_path) -> None:
    os.mkdir(tmp_path / "d")
    for number in range(ENTRIES + 10):
        (tmp_path / "d" / str(number)).touch()
    os.symlink("..", tmp_path / "d" / "loop")
    found = files_below([Root(str(tmp_path), "")])
    assert found.cut == [str(tmp_path)] and len(found.paths) < 100


def test_a_loop_of_links_ends(tmp_path) -> None:
    make(tmp_path, "a/x.html")
    os.symlink("..", tmp_path / "a" / "up")
    assert len(files_below([Root(str(tmp_path), "")]).paths) < 20


def test_what_is_not_there_has_nothing(tmp_path) -> None:
    assert files_below([Root(str(tmp_path / "no"), "")]).paths == []


def test_roots_and_aliases() -> None:
    assert root_of_url("/srv/app/", "", alias=False) == Root("/srv/app", "")
    assert root_of_url("/srv/app", "/static/", alias=False) == Root("/srv/app/static", "/static")
    assert root_of_url("/srv/files/", "/static/", alias=True) == Root("/srv/files", "/static")
    assert root_of_url("/srv/$host", "", alias=False) is None
