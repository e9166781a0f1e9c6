"""An unknown key: where it belongs, what it may have been meant for, and where there is no variable."""

from __future__ import annotations

import copy

import pytest

from roles.nginx_websocket.site_model import check

SITE = {"name": "a.test", "backends": [{"name": "app"}], "websockets": [{"path": "/ws/"}]}
INCLUDES = "which `includes` names"


def errors(**variables):
    return check({"nginx_websocket_sites": [SITE], **variables})["errors"]


def with_key(place, key, value=1):
    """Return the messages about a site with one more key below a place."""
    site = copy.deepcopy(SITE)
    inner = site
    for step in place:
        inner = inner.setdefault(step, {}) if isinstance(inner, dict) else inner[step]
    inner[key] = value
    return check({"nginx_websocket_sites": [site]})["errors"]


@pytest.mark.parametrize(
    ("place", "key", "told"),
    [
        (["backends", 0], "websockets", "indent it as far as backends."),
        (["websockets", 0], "api", "indent it as far as websockets."),
        (["tls"], "backends", "indent it as far as tls."),
        (["tls", "hsts"], "certificate", "indent it as far as hsts."),
        (["tls", "hsts"], "websockets", "indent it as far as tls."),
        ([], "certificate", "belongs below tls:"),
        ([], "acme_root", "belongs below http:"),
        (
            ["backends", 0],
            "timeout",
            "timeout is a key of websockets and of api and of uploads, not of backends.",
        ),
        ([], "on_drift", "nginx_websocket_on_drift is a variable of its own"),
        ([], "aliases", "Did you mean server_names?"),
        ([], "websocket", "Did you mean websockets?"),
        ([], "gzip", "docs/variables.md lists them all."),
    ],
)
def test_a_key_in_the_wrong_place_is_told_where_it_belongs(place, key, told):
    (message,) = with_key(place, key)
    assert f".{key} is unknown. " in message and told in message


@pytest.mark.parametrize("key", ["gzip", "http3", "redirects", "auth_basic", "aliases"])
def test_what_has_no_variable_goes_into_includes(key):
    (message,) = with_key([], key)
    assert INCLUDES in message


def test_a_key_of_a_site_with_the_prefix_of_a_variable():
    (message,) = errors(nginx_websocket_websockets=[])
    assert "websockets belongs to a site: write it below an entry of nginx_websocket_sites." in message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nginx_websocket_sites", '[{"name": "a.test"}]'),
        ("nginx_websocket_accept", "['dns-unknown']"),
        ("nginx_websocket_backend_service", "{name: x}"),
    ],
)
def test_a_list_of_the_command_line_is_text(name, text):
    message, *_ = errors(**{name: text})
    assert f"`-e {name}=…` always gives text. Write it as JSON: -e '{{\"{name}\": …}}'." in message


def test_a_quoted_list_of_a_site_is_text():
    (message,) = with_key([], "server_names", '["a.test"]')
    assert "take the quotes away" in message
    (message,) = with_key([], "server_names", "a.test")
    assert "after a hyphen" in message
