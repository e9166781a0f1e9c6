"""A file that is given alone: what it includes nobody has read, and no verdict is made of its absence."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question

RIGHT = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    "proxy_set_header Connection $connection_upgrade;"
)
MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"


def site(location, server=""):
    return f"server {{\nlisten 80;\nserver_name a.test;\n{server}\nlocation /ws {{\n{location}\n}}\n}}\n"


def told(text, url="ws://a.test/ws"):
    return diagnose_dump(Question(url), text.encode(), name="a.conf")


def codes(report):
    return [finding.code for finding in report.findings if finding.is_cause]


@pytest.mark.parametrize(
    ("location", "server", "named"),
    [
        ("include proxy.conf; proxy_pass http://b;", "", "proxy.conf"),
        ("include proxy.conf; proxy_pass http://b;", "include ssl.conf;", "proxy.conf"),
        ("include /etc/nginx/snippets/*.conf;", "", "/etc/nginx/snippets/*.conf"),
        ("proxy_pass http://b;", "include headers.conf;", "headers.conf"),
        ("root /w;", "include locations/*.conf;", "locations/*.conf"),
        ("include ws.conf; proxy_pass http://b; proxy_set_header Host $host;", "include x.conf;", "ws.conf"),
    ],
)
def test_what_was_not_given_might_hold_what_is_missing(location, server, named):
    report = told(site(location, server))
    assert (report.verdict, codes(report)) == ("cannot tell", [])
    assert f"includes {named}, which was not given" in report.sentence
    assert all(not finding.as_data()["diff"] for finding in report.findings)


@pytest.mark.parametrize(
    ("location", "server", "code"),
    [
        ("proxy_pass http://b;", "", "no-upgrade-header"),
        ("proxy_pass http://b; proxy_set_header Host $host;", "include x.conf;", "no-upgrade-header"),
        ("include proxy_params; proxy_pass http://b;", "", "no-upgrade-header"),
        ("proxy_pass http://b;", "include /etc/letsencrypt/options-ssl-nginx.conf;", "no-upgrade-header"),
        ("return 403;", "", "return-status"),
    ],
)
def test_what_no_other_file_changes_is_told(location, server, code):
    assert codes(told(site(location, server))) == [code]


def test_a_map_stands_in_another_file_as_a_rule():
    report = told(site(f"{RIGHT} proxy_pass http://b;"))
    assert (report.verdict, codes(report)) == ("cannot tell", [])


@pytest.mark.parametrize(
    ("http", "found"),
    [
        ("", ["missing-map"]),
        (MAP, []),
        ("include mime.types;", ["missing-map"]),
        ("include conf.d/*.conf;", []),
    ],
)
def test_a_whole_file_defines_what_it_uses(http, found):
    text = f"events {{}}\nhttp {{\n{http}\n{site(RIGHT + ' proxy_pass http://127.0.0.1:1;')}}}\n"
    assert codes(told(text)) == found


def test_a_name_that_no_server_of_the_file_has_may_be_in_another():
    """The main file alone: the sites stand in the files that it includes."""
    text = (
        "events {}\nhttp {\ninclude /etc/nginx/sites-enabled/*;\nserver { listen 80 default_server; "
        "server_name _; return 444; }\n}\n"
    )
    report = told(text)
    assert report.verdict == "cannot tell" and "/etc/nginx/sites-enabled/*" in report.sentence


def test_a_dump_has_all_files():
    """nginx -T leaves out an include only where no file is there."""
    text = f"events {{}}\nhttp {{\n{site('include no/*.conf; proxy_pass http://127.0.0.1:1;')}}}\n"
    report = told("# configuration file /etc/nginx/nginx.conf:\n" + text)
    assert report.verdict == "fails"
