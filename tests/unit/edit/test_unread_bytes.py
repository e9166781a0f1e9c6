"""Files in which nginx does not come to the end: what is added or taken, and where."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.edit.refused.unread import candidates

UNENDED = 'unexpected end of file, expecting "}"'


def first(text, message, line=0):
    found = next(candidates("/f", text.encode(), message, line), None)
    return found.decode() if found is not None else None


LOCATION = "server {\n    location /a {\n        return 200;\n    }\n    location /b {\n    }\n}\n"


@pytest.mark.parametrize("row", [3, 5, 6])
def test_the_brace_comes_where_the_margins_say(row):
    """Whichever brace is gone: what comes back is the file as it was."""
    rows = LOCATION.split("\n")
    del rows[row]
    assert first("\n".join(rows), UNENDED) == LOCATION


def test_without_margins_the_brace_comes_last():
    assert first("server {\nlocation /a {\nreturn 200;\n}\n", UNENDED).endswith("\n}\n")


def test_tabs_are_as_wide_as_four_blanks():
    text = "server {\n\tlocation /a {\n\t\treturn 200;\n    location /b {\n\t}\n}\n"
    assert first(text, UNENDED) == text.replace("    location /b", "\t}\n    location /b")


def test_a_brace_in_a_regex_counts_for_nothing():
    text = 'server {\n    location ~ "^/a{2}" {\n        return 200;\n}\n'
    assert first(text, UNENDED) == 'server {\n    location ~ "^/a{2}" {\n        return 200;\n    }\n}\n'


def test_the_brace_too_many_is_the_deeper_one():
    text = "server {\n    location /a {\n    }\n    }\n    location /b {\n    }\n}\n"
    found = first(text, '"location" directive is not allowed here', 5)
    assert found == text.replace("    }\n    }\n", "    }\n", 1)


def test_the_brace_too_many_is_the_last_one():
    assert first(LOCATION + "}\n", 'unexpected "}"', 8) == LOCATION


def test_a_brace_too_many_beside_words():
    assert first("server { } }\n", 'unexpected "}"', 1) == "server { } \n"


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_quote_that_its_line_does_not_close(quote):
    text = f"location / {{\n    proxy_set_header Connection {quote}upgrade;\n    return 200;\n}}\n"
    assert first(text, UNENDED) == text.replace("upgrade;", f"upgrade{quote};")


@pytest.mark.parametrize("row", ['a "b";', "a b; # it's", 'a "it\'s";', 'a "b'])
def test_quotes_that_are_closed_stay(row):
    text = f"server {{\n    {row}\n    listen 80;\n"
    assert all(row in found.decode() for found in candidates("/f", text.encode(), UNENDED, 0))


def test_a_semicolon_before_the_brace_comes_first():
    text = "map $a $b {\n    '' close\n}\n"
    assert first(text, 'unexpected "}"', 3) == text.replace("close", "close;")


def test_other_messages_have_no_candidates():
    assert first(LOCATION, 'unknown directive "x"', 3) is None


@pytest.mark.parametrize(
    ("row", "quoted"),
    [
        ("location ~ ^/ws/[0-9a-f]{8}$ {", 'location ~ "^/ws/[0-9a-f]{8}$" {'),
        ("location ~* ^/r/(\\w{2,})/x {", 'location ~* "^/r/(\\w{2,})/x" {'),
        ("if ($uri ~ ^/a{3}) {", 'if ($uri ~ "^/a{3}") {'),
        ("rewrite ^/y/([0-9]{4})/(.*)$ /$2 break;", 'rewrite "^/y/([0-9]{4})/(.*)$" /$2 break;'),
        ('location ~ "^/ws/[0-9a-f]{8}$" {', ""),
        ("location ~ ^/ws/${id} {", ""),
        ("location /ws {", ""),
    ],
)
def test_braces_of_a_regex_are_quoted(row, quoted):
    text = f"server {{\n    {row}\n    }}\n}}\n"
    found = [one.decode() for one in candidates("/f", text.encode(), 'unknown directive "8}$"', 2)]
    assert (text.replace(row, quoted) in found) == bool(quoted)
