"""Cures of files that nginx refuses, by its own message: each with neighbours that must stay as they are."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.memory import edited

MAIN = "/n.conf"


def candidates(text, words, wanted="", files=None):
    """The main file (or another one) as each candidate leaves it; nginx names the line of what is wanted."""
    known = {MAIN: text.encode(), **{name: data.encode() for name, data in (files or {}).items()}}

    def read(path):
        if path not in known:
            raise FileNotFoundError(2, "No such file or directory", path)
        return known[path]

    tree = load(MAIN, read=read, glob=lambda pattern: sorted(name for name in known if name != MAIN))
    line = text[: text.index(wanted)].count("\n") + 1 if wanted else 0
    message = words + (" in %s:%d" % (MAIN, line) if line else "")
    found = route(tree, Request("ws://app.test/ws"))
    fault = Fault("nginx-config-invalid", message=message)
    return [edited(tree, edits).files[MAIN].decode() for edits in cures(tree, found, fault)]


def http(body):
    return "events {}\nhttp {\n%s\n}\n" % body


def site(body, listen="80"):
    return http("server {\nlisten %s;\nserver_name app.test;\n%s\n}" % (listen, body))


def location(body):
    return site("location /ws {\n%s\nproxy_pass http://127.0.0.1:8000;\n}" % body)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("proxy_set_headers", "proxy_set_header"),
        ("proxy_set_heder", "proxy_set_header"),
        ("proxy_header", "proxy_set_header"),
        ("x_header", ""),
        ("auth_jwt", ""),
    ],
)
def test_a_directive_that_is_nearly_one(wrong, right):
    found = candidates(location(wrong + " Upgrade $http_upgrade;"), 'unknown directive "%s"' % wrong, wrong)
    assert [text for text in found if right and "\n%s Upgrade $http_upgrade;" % right in text] == found
    assert bool(found) == bool(right)


def test_a_directive_of_a_newer_nginx_becomes_a_word_of_listen():
    text = site("http2 on;", "443 ssl")
    (found, *_) = candidates(text, 'unknown directive "http2"', "http2")
    assert "listen 443 ssl http2;" in found
    assert "http2 on" not in found


def test_http2_stays_away_from_a_plain_port():
    (found, *_) = candidates(site("http2 on;", "80"), 'unknown directive "http2"', "http2")
    assert "listen 80;" in found
    assert "http2" not in found


def test_what_is_off_becomes_no_word_of_listen():
    (found, *_) = candidates(site("http2 off;", "443 ssl"), 'unknown directive "http2"', "http2")
    assert "listen 443 ssl;" in found


def test_the_ssl_of_an_older_nginx_becomes_a_word_of_listen():
    (found, *_) = candidates(site("ssl on;", "443"), 'unknown directive "ssl"', "ssl on")
    assert "listen 443 ssl;" in found
    assert "ssl on" not in found


@pytest.mark.parametrize("line", ["js_import main from main.js;", "perl_modules perl;", "perl_require a.pm;"])
def test_an_import_that_nothing_uses_goes(line):
    name = line.split()[0]
    text = http(line + "\nserver {\nlisten 80;\n}")
    (found,) = candidates(text, 'unknown directive "%s"' % name, name)
    assert name not in found


def test_an_import_that_is_used_stays():
    text = http("js_import main from main.js;\njs_set $a main.a;\nserver {\nlisten 80;\n}")
    assert candidates(text, 'unknown directive "js_import"', "js_import") == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('proxy_set_header Connection = "upgrade";', "proxy_set_header Connection upgrade;"),
        ("proxy_set_header Upgrade : $http_upgrade;", "proxy_set_header Upgrade $http_upgrade;"),
        ("proxy_set_header X-A one two;", 'proxy_set_header X-A "one two";'),
        ("proxy_read_timeout 60 s;", "proxy_read_timeout 60s;"),
        ("proxy_read_timeout 2 hours;", "proxy_read_timeout 2h;"),
        ("proxy_read_timeout a b;", ""),
    ],
)
def test_words_too_many(wrong, right):
    name = wrong.split()[0]
    found = candidates(location(wrong), 'invalid number of arguments in "%s" directive' % name, wrong)
    assert (found[0].split("\n")[6] if found else "") == right


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("1hour", "1h"),
        ("30sec", "30s"),
        ("10minutes", "10m"),
        ("500ms", "500ms"),
        ("long", ""),
    ],
)
def test_a_time_with_its_unit_in_words(wrong, right):
    line = "proxy_read_timeout %s;" % wrong
    found = candidates(location(line), '"proxy_read_timeout" directive invalid value', line)
    assert (found[0].split("\n")[6] if found else "") == (right and "proxy_read_timeout %s;" % right)


@pytest.mark.parametrize(
    ("wrong", "right"), [("yes", "on"), ("true", "on"), ("1", "on"), ("no", "off"), ("maybe", "")]
)
def test_yes_and_no(wrong, right):
    line = "proxy_buffering %s;" % wrong
    words = 'invalid value "%s" in "proxy_buffering" directive, it must be "on" or "off"' % wrong
    found = candidates(location(line), words, line)
    assert [text.split("\n")[6] for text in found] == (["proxy_buffering %s;" % right] if right else [])


@pytest.mark.parametrize(
    ("line", "word", "right"),
    [
        ("server 127.0.0.1:1 max_fail=3;", "max_fail=3", "server 127.0.0.1:1 max_fails=3;"),
        ("server 127.0.0.1:1 bakcup;", "bakcup", "server 127.0.0.1:1 backup;"),
        ("server weigh=2 weight=2 weigh=3;", "weigh=3", "server weigh=2 weight=2 weight=3;"),
        ("server 127.0.0.1:1 zzz;", "zzz", ""),
    ],
)
def test_a_parameter_that_is_nearly_one(line, word, right):
    text = http("upstream app {\n%s\n}" % line)
    found = candidates(text, 'invalid parameter "%s"' % word, line)
    assert [one.split("\n")[3] for one in found] == ([right] if right else [])


def test_a_parameter_that_the_way_of_sharing_does_not_know():
    text = http("upstream app {\nip_hash;\nserver 127.0.0.1:1;\nserver 127.0.0.1:2 weight=2 backup;\n}")
    words = 'balancing method does not support parameter "backup"'
    (found,) = candidates(text, words, "server 127.0.0.1:2")
    assert "server 127.0.0.1:2 weight=2;" in found
    assert candidates(text, words, "server 127.0.0.1:1") == []


def test_options_of_a_socket_stand_at_one_listen():
    text = http(
        "server {\nlisten 80 backlog=9;\n}\nserver {\nlisten 80 default_server ipv6only=on reuseport;\n}"
    )
    (found,) = candidates(text, "duplicate listen options for 0.0.0.0:80", "listen 80 default")
    assert "listen 80 default_server;" in found
    assert "listen 80 backlog=9;" in found


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("server /run/app.sock;", "server unix:/run/app.sock;"),
        ("server ./app.sock weight=2;", "server unix:./app.sock weight=2;"),
        ("server 127.0.0.1:x;", ""),
    ],
)
def test_a_path_gets_its_unix(line, right):
    found = candidates(http("upstream app {\n%s\n}" % line), 'invalid host in upstream "x"', line)
    assert [one.split("\n")[3] for one in found] == ([right] if right else [])


@pytest.mark.parametrize("written", ["http:///run/app.sock", "http://unix/run/app.sock"])
def test_a_path_in_proxy_pass_gets_its_unix(written):
    text = site("location /ws {\nproxy_pass %s;\n}" % written)
    (found,) = candidates(text, "no host in upstream", "proxy_pass")
    assert "proxy_pass http://unix:/run/app.sock;" in found


def test_a_log_format_that_nobody_defines():
    text = http("access_log /a.log main buffer=4k;\nserver {\nlisten 80;\n}")
    (found,) = candidates(text, 'unknown log format "main"', "access_log")
    assert "access_log /a.log combined buffer=4k;" in found


def test_the_name_of_a_log_format_may_be_that_of_something_else():
    text = http("access_log /a.log main;\nserver {\nlisten 80;\nproxy_cache main;\nerror_log /e main;\n}")
    (found,) = candidates(text, 'unknown log format "main"', "access_log")
    assert "proxy_cache main;" in found


def test_a_line_of_another_file_with_that_number_is_not_meant():
    text = site("include s.conf;\nproxy_read_timeout 2 h;")
    files = {"/s.conf": "\n" * 5 + "proxy_read_timeout 3 h;\n"}
    words = 'invalid number of arguments in "proxy_read_timeout" directive'
    (found,) = candidates(text, words, "proxy_read_timeout", files)
    assert "proxy_read_timeout 2h;" in found


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("($http_upgrade= websocket)", "($http_upgrade = websocket)"),
        ("($http_upgrade=websocket)", "($http_upgrade = websocket)"),
        ("($http_upgrade == websocket)", "($http_upgrade = websocket)"),
        ('($http_upgrade!~*"^websocket$")', '($http_upgrade !~* "^websocket$")'),
        ("(http_upgrade = websocket)", ""),
    ],
)
def test_spaces_of_a_condition(wrong, right):
    text = site("if %s {\nset $a 1;\n}" % wrong)
    found = candidates(text, "invalid condition", "if ")
    assert [one.split("\n")[5] for one in found] == (["if %s {" % right] if right else [])


LOCATION = "location /ws {\nproxy_pass http://127.0.0.1:8000;\n}"


def test_a_location_that_is_there_already_goes():
    text = site("include s.conf;\n" + LOCATION)
    files = {"/s.conf": LOCATION + "\n"}
    (found,) = candidates(text, 'duplicate location "/ws"', "location", files)
    assert "location" not in found
    assert "include s.conf;" in found


def test_a_location_that_says_something_else_stays():
    guarded = LOCATION.replace("{\n", '{\nauth_basic "x";\n')
    other = LOCATION.replace("8000", "8001")
    for first, second in ((LOCATION, guarded), (guarded, LOCATION), (LOCATION, other)):
        files = {"/s.conf": first + "\n"}
        assert candidates(site("include s.conf;\n" + second), "duplicate location", "location", files) == []


def test_a_folder_that_is_included_twice():
    text = http("include *.conf;\ninclude s.conf;")
    files = {"/s.conf": "upstream a { server 127.0.0.1:1; }\nserver { listen 80; }\n"}
    (found,) = candidates(text, 'duplicate upstream "a"', "", files)
    assert found.count("include") == 1


def test_a_snippet_in_two_locations_stays():
    text = site(
        "location /a {\ninclude s.conf;\n}\nlocation /b {\ninclude s.conf;\n}\n" + LOCATION + LOCATION
    )
    files = {"/s.conf": "proxy_read_timeout 1h;\n"}
    found = candidates(text, "duplicate location", "}location", files)
    assert all(one.count("include s.conf;") == 2 for one in found)


def test_one_of_two_lines():
    text = location("proxy_http_version 1.0;\nproxy_http_version 1.1;")
    first, second = candidates(text, '"proxy_http_version" directive is duplicate', "proxy_http_version 1.1")
    assert "1.1" not in first
    assert "1.0;" not in second


def test_one_of_two_guards_stays():
    text = location("auth_basic a;\nauth_basic off;")
    assert candidates(text, '"auth_basic" directive is duplicate', "auth_basic off") == []


@pytest.mark.parametrize("own", ["", "server_names_hash_bucket_size 64;"])
def test_a_larger_table(own):
    words = "could not build server_names_hash, you should increase server_names_hash_bucket_size: 64"
    found = candidates(http(own + "\nserver {\nlisten 80;\n}"), words)
    for text, size in zip(found, (128, 256, 512)):
        assert text.count("server_names_hash_bucket_size") == 1
        assert "server_names_hash_bucket_size %d;" % size in text
    assert len(found) == 3


def test_a_table_of_two_sizes():
    words = (
        "could not build map_hash, you should increase either map_hash_max_size: 2048 or "
        "map_hash_bucket_size: 64"
    )
    assert "map_hash_bucket_size 128;" in candidates(http("server {\nlisten 80;\n}"), words)[0]


@pytest.mark.parametrize(
    "line", ["limit_req zone=sokets burst=5;", "limit_conn sokets 5;", "proxy_cache sokets;"]
)
def test_a_zone_that_is_nearly_one(line):
    zone = {
        "limit_req": "limit_req_zone $a zone=sockets:1m rate=1r/s;",
        "limit_conn": "limit_conn_zone $a zone=sockets:1m;",
        "proxy_cache": "proxy_cache_path /c keys_zone=sockets:1m;",
    }[line.split()[0]]
    text = http(zone + "\nserver {\nlisten 80;\n%s\n}" % line)
    (found,) = candidates(text, 'zero size shared memory zone "sokets"')
    assert line.replace("sokets", "sockets") in found


def test_a_zone_that_nobody_can_guess():
    text = http("server {\nlisten 80;\nlimit_req zone=a;\n}")
    assert candidates(text, 'zero size shared memory zone "a"') == []


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("ws://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://app.test", "app.test"),
        ("wss://127.0.0.1:8000/ws", "127.0.0.1:8000"),
        ("127.0.0.1:8000/ws", "127.0.0.1:8000"),
        ("/run/app.sock", "unix:/run/app.sock"),
        ("run/app.sock", "unix:run/app.sock"),
    ],
)
def test_a_server_of_an_upstream_is_an_address_alone(written, right):
    text = http("upstream app { server %s weight=2; }" % written)
    found = candidates(text, 'invalid host in upstream "%s"' % written, "upstream app")
    assert found == [text.replace(written, right)]


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("http://http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://https://127.0.0.1:8000", "https://127.0.0.1:8000"),
        ("https://ws://127.0.0.1:8000/ws", "http://127.0.0.1:8000/ws"),
        ("http://127.0.0.1:port", ""),
    ],
)
def test_one_scheme_is_enough(written, right):
    text = site("location /ws { proxy_pass %s; }" % written)
    found = candidates(text, "invalid port in upstream", "location /ws")
    assert found == ([text.replace(written, right)] if right else [])


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("$connection_upgrade", "$http_upgrade $connection_upgrade"),
        ("$http_upgrade", "$http_upgrade $connection_upgrade"),
        ("$backend", ""),
    ],
)
def test_a_map_gets_its_other_variable(written, right):
    text = http("map %s {\ndefault upgrade;\n'' close;\n}" % written)
    found = candidates(text, 'invalid number of arguments in "map" directive', "map")
    assert found == ([text.replace(written, right)] if right else [])


def in_if(lines, around="location /ws"):
    return site("%s {\nproxy_pass http://127.0.0.1:8000;\nif ($http_upgrade) {\n%s\n}\n}" % (around, lines))


NOT_HERE = '"proxy_set_header" directive is not allowed here'
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"


def test_lines_of_an_upgrade_leave_their_condition():
    (found,) = candidates(in_if(UPGRADE + "\nproxy_set_header Connection Upgrade;"), NOT_HERE, UPGRADE)
    assert "if (" not in found
    assert UPGRADE + '\nproxy_set_header Connection "upgrade";\n' in found


@pytest.mark.parametrize(
    ("lines", "around"),
    [
        (UPGRADE + "\nset $x 1;", "location /ws"),  # the condition is for something else as well
        (UPGRADE + "\nproxy_set_header X-Admin 1;", "location /ws"),
        (UPGRADE, "server"),
    ],
)
def test_a_condition_with_other_lines_stays(lines, around):
    text = in_if(lines, around)
    assert candidates(text, NOT_HERE, UPGRADE) == []


def test_dollars_that_a_template_doubled_are_single_again():
    text = location('proxy_set_header Upgrade $$http_upgrade;\nproxy_set_header Host "$${host}x";')
    (found,) = candidates(text, "invalid variable name", "$$http_upgrade")
    assert "$$" not in found and "Upgrade $http_upgrade;" in found and "${host}x" in found
    other = location("rewrite ^/a$$ /b;\nproxy_set_header Upgrade $$http_upgrade;")
    assert "^/a$$ /b" in candidates(other, "invalid variable name", "$$http_upgrade")[0]
