"""Paths for locations: every kind of regular expression that people write gets one, and it matches."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.effective import Level
from module_utils.nginx_websocket.behaviour.location import Location
from module_utils.nginx_websocket.behaviour.regex import compiled
from module_utils.nginx_websocket.compare.pattern import texts
from module_utils.nginx_websocket.compare.requests.paths import TAIL, matching, paths_to
from module_utils.nginx_websocket.conf.load import load

VERSION = (1, 22, 1)

KINDS = {
    "an ending": rb"\.php$",
    "an ending with a path after it": rb"\.php(?:$|/)",
    "one of many endings": rb"\.(?:css|js|mjs|svg|gif|ico|jpe?g|png|webp|woff2?)$",
    "an ending without its second half": rb"(?<!\.min)\.js$",
    "a name and an ending": rb"^/(?:index|remote|core\/ajax\/update|updater\/.+)\.php(?:$|/)",
    "directories": rb"^/(assets|packs)/",
    "a dot that is none": rb"^/api-docs.json$",
    "nested groups": rb"^/((en|fr)/)?products/",
    "a group of groups": rb"^(/[a-z]+)+/index\.html$",
    "hidden files": rb"/\.(?!well-known/)",
    "hidden files by their name": rb"^/(?:\.|autotest|db_|console)",
    "not below": rb"^/(?!api/).*$",
    "only below": rb"^/(?=admin)",
    "digits": rb"^/order/\d{4}-[0-9]{2}/?$",
    "a hash": rb"^/[a-f0-9]{64}$",
    "a class of what may not be": rb"^/user/[^/]+/edit$",
    "POSIX classes": rb"^/[[:alpha:]]+\.[[:digit:]]{2}$",
    "a bracket in a class": rb"^/special/[\[\]{}()]+$",
    "named groups": rb"^/(?<lang>de|en)/(?P<rest>.*)$",
    "a group again": rb"^/(\w)\1/$",
    "possessive": rb"^/a++(?>foo|bar)$",
    "a flag in it": rb"^/(?i)Foo$",
    "a comment": rb"^/a(?#not there)b$",
    "quoted": rb"^/x/\Qa.b\E/c$",
    "hexadecimal": rb"^/d\x2fe$",
    "a branch reset": rb"^/(?|x(\d)|y(\d))$",
    "a property": rb"^/\p{L}{3}$",
    "nothing but a word": rb"admin",
    "a word boundary": rb"/\bapi\b/",
    "the end alone": rb"~$",
    "a user in the path": rb"(/app)?(/[^\/:]*:[^\/]*)?/jsonrpc",
    "Drupal's": rb"\..*/.*\.php$",
    "two ways": rb"\.php$|^/update.php",
    "a lazy one": rb"^(.+?\.php)(/.*)?$",
    "a lookbehind in the middle": rb"^/.well-known/(?!acme-challenge)",
    "upper case": rb"[A-Z]",
    "everything": rb"^",
}


@pytest.mark.parametrize("pattern", KINDS.values(), ids=KINDS)
def test_a_path_for_each_kind_of_expression(pattern: bytes) -> None:
    found = matching(pattern, False, VERSION)
    assert found
    for path in found:
        assert path.startswith(b"/") and compiled(pattern, False, VERSION).match(path) is not None


def test_each_alternative_is_asked_for() -> None:
    asked = matching(rb"^/(a|b(c|d)|e)\.(x|y)$", False, VERSION)
    for word in (b"/a.", b"/bc.", b"/bd.", b"/e.", b".x", b".y"):
        assert any(word in path for path in asked), word


@pytest.mark.parametrize("pattern", [b"(", b"[", b"\\", b"a(?Pb)", b"(" * 500, b"[]", b"*", b"(?"])
def test_what_pcre_refuses_gives_nothing_and_no_error(pattern: bytes) -> None:
    assert matching(pattern, False, VERSION) == []


def test_no_expression_makes_the_reader_run_away() -> None:
    assert len(texts(b"(a|b|c)" * 300)) <= 100
    assert texts(b"(((a{9999}){9999}){9999})") is not None


def test_a_path_that_nginx_would_change_is_not_used() -> None:
    """``//`` and ``/../`` never reach a location as they are written."""
    assert all(b"//" not in path and b"/../" not in path for path in matching(rb"/.*/", False, VERSION))


def test_only_paths_that_win_when_that_is_asked() -> None:
    found = matching(rb"\.(css|js)$", False, VERSION, accepts=lambda path: path.endswith(b".js"))
    assert found and all(path.endswith(b".js") for path in found)


def test_the_other_locations() -> None:
    def made(text: bytes) -> Location:
        tree = load("/n", read=lambda _path: b"http { server { location %s {} } }" % text, glob=lambda p: [p])
        server = Level("server", tree.root[0].block[0], None)  # type: ignore[index]
        return Location(server.own(b"location")[0], server)

    assert paths_to(made(b"@app"), VERSION) == []
    assert paths_to(made(b"= /health"), VERSION) == [b"/health"]
    assert b"/api/" + TAIL in paths_to(made(b"/api/"), VERSION)
    assert {b"/api", b"/api/" + TAIL} <= set(paths_to(made(b"/api"), VERSION))
    assert paths_to(made(rb"~* \.PNG$"), VERSION)
