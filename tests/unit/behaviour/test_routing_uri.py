"""The request target: decoding, merging, dot segments, refusals."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.uri import (
    BadRequest,
    escape_uri,
    parse_target,
    split_absolute,
    unescape_redirect,
)


@pytest.mark.parametrize(
    ("raw", "uri", "args"),
    [
        (b"/a/b", b"/a/b", b""),
        (b"/a//b", b"/a/b", b""),
        (b"/a/./b/../c", b"/a/c", b""),
        (b"/a/..", b"/", b""),
        (b"/a/.", b"/a/", b""),
        (b"/..a/b", b"/..a/b", b""),
        (b"/a%2f%2Fb", b"/a/b", b""),
        (b"/a%2e%2e/b", b"/a../b", b""),
        (b"/a/%2e%2e/b", b"/b", b""),
        (b"/a?x=%2f#f", b"/a", b"x=%2f"),
        (b"/a#b?c", b"/a", b""),
        (b"/a%3Fb?c", b"/a?b", b"c"),
        (b"/a%23b%25", b"/a#b%", b""),
    ],
)
def test_normalised(raw, uri, args):
    target = parse_target(raw)
    assert (target.uri, target.args, target.unparsed) == (uri, args, raw)


def test_slashes_are_kept_where_merging_is_off():
    assert parse_target(b"/a//b///c", merge_slashes=False).uri == b"/a//b///c"


@pytest.mark.parametrize("raw", [b"/..", b"/a/../../b", b"/%00", b"/%zz", b"/%", b"/%4", b"x", b"/a\x00"])
def test_refused(raw):
    with pytest.raises(BadRequest):
        parse_target(raw)


def test_control_characters_are_refused_since_1_21_1():
    assert parse_target(b"/a\x01", version=(1, 18, 0)).uri == b"/a\x01"
    with pytest.raises(BadRequest):
        parse_target(b"/a\x01", version=(1, 21, 1))


def test_absolute_form():
    assert split_absolute(b"http://a.test:80/x?y") == (b"a.test", b"/x?y")
    assert split_absolute(b"https://[::1]:8") == (b"[::1]", b"/")
    with pytest.raises(BadRequest):
        split_absolute(b"a.test:80")


def test_escaping_grew_in_1_21_1():
    assert escape_uri(b'/a b"<', (1, 22, 1)) == b"/a%20b%22%3C"
    assert escape_uri(b'/a b"<', (1, 18, 0)) == b'/a%20b"<'


def test_redirects_are_unescaped_only_where_harmless():
    assert unescape_redirect(b"/%61%20%2F?%61") == b"/a%20/?%61"
