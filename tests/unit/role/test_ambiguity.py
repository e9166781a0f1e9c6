"""Patterns that take a backtracking matcher exponential time, and patterns that do not."""

import pytest

from roles.nginx_websocket.site_model.values.ambiguity import is_exponential


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "^(a*)*$",
        "^(a|a)*$",
        "^(ab|ab)*$",
        "^(a|ab|b)*$",
        r"^(\w|\d)*$",
        r"^(\w+\s?)*$",
        "^(a?b?)*$",
        "^(a{1,2})*$",
        "^(?:(?:a|b)+c?)+$",
        "^(x+x+)+y",
        "^(.*)*x",
        "^/ws/([^/]*/?)*$",
        "^(?i:A|a)*$",
        "^(?:a+?)+?$",
        "^(?=(a+)+$)a",
    ],
)
def test_exponential(pattern):
    assert is_exponential(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "^/ws/",
        "^/ws/[^/]+/x$",
        "^/ws/(?:[a-z]+/)*$",
        "^/(?:[^/]+/)*[^/]+$",
        "^/(x{1,3}){2,5}$",
        "^(a|b)*$",
        "^(a+b)+$",
        "^/[0-9]{1,10}(/[0-9]{1,10})*$",
        "^/.*/.*/ws$",
        "^/(?:a|b|c)/(?:d|e)+$",
        "^/" + "a" * 300,
        "^/room-(?!admin)[a-z]+$",
    ],
)
def test_harmless(pattern):
    assert not is_exponential(pattern)


def test_a_pattern_made_to_be_large_is_given_up():
    assert is_exponential("^/" + "a?" * 100)
    assert is_exponential("^/" + "a" * 401)
