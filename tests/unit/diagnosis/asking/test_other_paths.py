"""Other paths that are tried at the backend."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.asking.backend import literal_prefix, other_paths
from module_utils.nginx_websocket.diagnosis.experiments.search import WITH_SLASH
from tests.unit.diagnosis.seen import UP, host, refused, site


@pytest.mark.parametrize(
    ("regex", "prefix"),
    [
        ("^/gradio-demo/(.*)$", "/gradio-demo/"),
        ("^/ttyd(.*)$", "/ttyd"),
        ("^/app/v[0-9]+/", "/app/"),
        ("^/apps?/(.*)", "/"),
        ("^/(ws|x)/", "/"),
        ("^/ws|/x/", ""),
        ("/ws/", ""),
        ("^/api/ws$", "/api/ws"),
    ],
)
def test_the_whole_parts_with_which_a_regex_begins(regex, prefix):
    assert literal_prefix(regex) == prefix


def variables(path="/"):
    """A location whose proxy_pass is made of variables, with a URI part."""
    return (
        "    location ^~ /desktop/ {\n        set $to 127.0.0.1;\n        "
        f"{UP}\n        proxy_pass http://$to:8000{path};\n    }}"
    )


def test_the_client_s_path_is_what_to_strip_where_variables_lost_it():
    facts = host(site(variables()), {"loopback": refused(404)}, url="wss://app.test/desktop/websockify")
    assert ("without the prefix /desktop/", "/websockify") in other_paths(facts)


def test_an_application_may_stand_above_its_location():
    text = "    location /board/api/live/ {\n        proxy_pass http://127.0.0.1:8000;\n    }"
    facts = host(site(text), {"loopback": refused(404)}, url="wss://app.test/board/api/live/ws")
    found = other_paths(facts)
    assert ("without the prefix /board/", "/api/live/ws") in found
    assert ("without the prefix /board/api/", "/live/ws") in found


@pytest.mark.parametrize(
    ("location", "part", "path", "with_slash"),
    [
        ("/api/", "/v1", "/api/ws", "/v1/ws"),
        ("/api/", "/v1", "/api/ws?token=1", "/v1/ws?token=1"),
        ("/api", "/v1", "/api/ws", None),
        ("/api/", "/v1/", "/api/ws", None),
        ("/api/", "/v1", "/api/", None),
    ],
)
def test_a_slash_that_a_uri_part_swallowed_is_put_between(location, part, path, with_slash):
    to = f"proxy_pass http://127.0.0.1:8000{part};"
    text = f"    location {location} {{\n        {UP}\n        {to}\n    }}"
    facts = host(site(text), {"loopback": refused(404)}, url=f"wss://app.test{path}")
    found = [target for words, target in other_paths(facts) if words == WITH_SLASH]
    assert found == ([with_slash] if with_slash else [])


@pytest.mark.parametrize(("modifier", "found"), [("~*", True), ("~", False)])
def test_a_prefix_goes_as_the_client_writes_it_where_the_case_does_not_count(modifier, found):
    text = f"    location {modifier} ^/live/ {{\n        proxy_pass http://127.0.0.1:8000;\n    }}"
    facts = host(site(text), {"loopback": refused(404)}, url="wss://app.test/Live/ws")
    assert (("without the prefix /Live/", "/ws") in other_paths(facts)) == found
