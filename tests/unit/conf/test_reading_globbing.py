"""glob(3): what nginx's includes match.  The differential test compares with nginx itself."""

import os

import pytest

from module_utils.nginx_websocket.conf.globbing import Names, glob, matches


@pytest.fixture
def here(tmp_path):
    for name in (
        "a.conf",
        "b.conf",
        "B.conf",
        ".h.conf",
        "a.conf~",
        "x-1.conf",
        "[z]",
        "d/a.conf",
        "d/.h",
        "e/b.conf",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.symlink("nowhere", tmp_path / "gone.conf")
    os.symlink("d", tmp_path / "link")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.conf", ["B.conf", "a.conf", "b.conf", "gone.conf", "x-1.conf"]),
        ("[ab].conf", ["a.conf", "b.conf"]),
        ("[!a].conf", ["B.conf", "b.conf"]),
        ("[^a].conf", ["B.conf", "b.conf"]),
        ("[[:upper:]]*", ["B.conf"]),
        ("?.conf", ["B.conf", "a.conf", "b.conf"]),
        (".h*", [".h.conf"]),
        ("[.]h*", []),
        ("*/*.conf", ["d/a.conf", "e/b.conf", "link/a.conf"]),
        ("d//*", ["d//a.conf"]),
        ("\\[z\\]", ["[z]"]),
        ("\\a*", ["a.conf", "a.conf~"]),
        ("[[]z]", ["[z]"]),
        ("[]a]*", ["a.conf", "a.conf~"]),
        ("[b-", []),
        ("x[+--]1*", ["x-1.conf"]),
        ("none/*", []),
        ("a.conf/*", []),
        ("**.conf", ["B.conf", "a.conf", "b.conf", "gone.conf", "x-1.conf"]),
    ],
)
def test_glob(here, pattern, expected):
    assert glob(f"{here}/{pattern}") == [f"{here}/{name}" for name in expected]
    assert all(matches(f"{here}/{name}", f"{here}/{pattern}") for name in expected)


def test_matches_wants_every_component():
    assert matches("/a/b.conf", "/a/*.conf")
    assert not matches("/a/b/c.conf", "/a/*.conf")
    assert not matches("/a/.conf", "/a/*.conf")


def test_many_stars_end(here):
    (here / ("a" * 200)).touch()
    assert glob(f"{here}/" + "*a" * 60 + "*b") == []


def test_a_walk_through_everything_is_refused():
    class Endless(Names):
        def names(self, directory):
            return [str(number) for number in range(200)]

    with pytest.raises(OSError, match="names"):
        glob("/*/*/*/*/x?", Endless())
