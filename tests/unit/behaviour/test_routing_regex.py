"""PCRE as nginx uses it, and what happens without it."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour import regex
from module_utils.nginx_websocket.behaviour.regex import CannotDecide, Regex, RegexError
from module_utils.nginx_websocket.behaviour.upgrade.verdict import judge

P = "proxy_pass http://127.0.0.1:9;"


@pytest.mark.parametrize(
    ("pattern", "subject", "groups"),
    [
        (rb"^/[[:digit:]]+$", b"/12", (b"/12",)),
        (rb"a{,3}b\Z", b"a{,3}b", None),
        (rb"(a)|(b)", b"b", (b"b", b"", b"b")),
        (rb"(a)|(b)", b"a", (b"a", b"a")),
        (rb"^.$", b"\xff", (b"\xff",)),
        (rb"x$", b"x\n", (b"x",)),
    ],
)
def test_matches_like_pcre(pattern, subject, groups):
    match = Regex(pattern, False).match(subject)
    if groups is None:
        assert match is None or match.groups  # {,3} means different things to PCRE2 10.43 and before
    else:
        assert match is not None
        assert match.groups == groups


def test_named_groups_and_case():
    match = Regex(rb"^/(?<id>[a-z]+)(?P<rest>/.*)?", True).match(b"/ABC")
    assert match.named == {b"id": b"ABC", b"rest": b""}


def test_a_location_nested_in_a_regex_location_takes_the_request(located):
    inner = "location /a/b { return 201; }"
    found = located(f"location ~ ^/a {{ return 200; {inner} }}", "/a/b/c")
    assert found.answer.status == 201
    found = located(f"location ~ ^/a {{ return 200; {inner} }}", "/a/c")
    assert found.answer.status == 200


def test_bad_pattern_names_the_place():
    with pytest.raises(RegexError, match="at offset"):
        Regex(b"(", False)


@pytest.fixture
def no_pcre(monkeypatch):
    monkeypatch.setattr(regex, "_load", lambda names, kind: None)
    regex.compiled.cache_clear()
    yield
    regex.compiled.cache_clear()


@pytest.mark.usefixtures("no_pcre")
def test_without_a_library_nothing_is_guessed(located):
    with pytest.raises(CannotDecide):
        Regex(b"a", False)
    found = located(r"location / { %s } location ~ \.php$ { %s }" % (P, P), "/a.php")
    assert found.answer.kind == "undecided"
    assert "PCRE" in found.undecided[0].reason
    assert judge(found).survives is None


@pytest.mark.usefixtures("no_pcre")
def test_without_a_library_what_needs_no_regex_is_still_decided(located):
    found = located(r"location ^~ /ws/ { %s } location ~ \.php$ { %s }" % (P, P), "/ws/a.php")
    assert found.location.title() == "location ^~ /ws/"
