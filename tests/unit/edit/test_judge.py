"""A diff is judged before anybody sees it: on a copy, beside what every other request gets."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf import splice
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.judge import Asked, judge
from module_utils.nginx_websocket.edit.memory import diff, edited

UP = (
    "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\n"
    'proxy_set_header Connection "upgrade";\n'
)
URL = "ws://app.test/ws/x"


def tree(server, http=""):
    text = f"events {{}}\nhttp {{\n{http}server {{\nlisten 80;\nserver_name app.test;\n{server}\n}}\n}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def named(configuration, name, index=0):
    return [item for item in configuration.walk() if item.name == name][index]


def judged(configuration, edits, url=URL, **more):
    found = judge(configuration, edits, Asked(Request(url), **more))
    assert found.good is (found.reason == "")
    return found


@pytest.mark.parametrize(("rules", "good"), [("", True), ("allow 127.0.0.1;\ndeny all;", False)])
def test_a_proxy_line_goes_where_no_address_is_judged(rules, good):
    text = (
        "events {}\nstream {\nserver {\nlisten 80;\nproxy_pass 127.0.0.1:81;\nproxy_protocol on;\n}\n}\n"
        "http {\nserver {\nlisten 127.0.0.1:81;\nserver_name app.test;\n"
        f"location /ws/ {{\nproxy_pass http://b;\n{UP}}}\nlocation /staff/ {{\n{rules}\n}}\n}}\n}}\n"
    )
    before = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    assert judged(before, [splice.delete(named(before, b"proxy_protocol"))]).good == good


def test_missing_headers_that_come_are_good():
    before = tree("location / {\nproxy_pass http://b;\n}")
    edit = splice.insert_after(named(before, b"proxy_pass"), UP.encode())
    assert judged(before, [edit]).good


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"proxy_set_header Upgrade $http_upgrade;", "the upgrade would not pass"),
        (b"}", "nginx would not read it"),
        (b"", "it changes nothing"),
    ],
)
def test_what_does_not_open_is_not_shown(text, reason):
    before = tree("location / {\nproxy_pass http://b;\n}")
    line = named(before, b"proxy_pass")
    assert reason in judged(before, [splice.Edit(line.source, line.end, line.end, text)]).reason


@pytest.mark.parametrize(
    "guard",
    ["auth_basic x; auth_basic_user_file /u;", "allow 10.0.0.0/8; deny all;", "auth_request /a;"],
)
def test_no_guard_goes(guard):
    before = tree(f"location / {{\n{guard}\nproxy_pass http://b;\n{UP}}}")
    edits = [splice.delete(item) for item in named(before, b"location").block if item.name in GUARDS]
    result = judged(before, edits)
    assert not result.good and "take away" in result.reason


GUARDS = (b"auth_basic", b"auth_basic_user_file", b"allow", b"deny", b"auth_request")


def test_a_new_location_does_not_go_around_a_password():
    before = tree("location / {\nauth_basic x;\nproxy_pass http://b;\n}")
    text = f"location ^~ /ws/ {{ proxy_pass http://b; {UP} }}"
    assert not judged(before, [splice.insert_before(named(before, b"location"), text.encode())]).good


def test_hidden_files_stay_hidden():
    """``location ^~ /`` would open /.env and /.git, which a regex denies."""
    before = tree(f"location ~ /\\. {{\ndeny all;\n}}\nlocation / {{\nproxy_pass http://b;\n{UP}}}")
    head = named(before, b"location", 1)
    edit = splice.Edit(head.source, head.start, head.start + len(b"location /"), b"location ^~ /")
    assert not judged(before, [edit], "ws://app.test/.ws").good


def test_another_location_keeps_what_it_has():
    before = tree("location / {\nproxy_pass http://b;\n}\nlocation /api/ {\nproxy_pass http://c;\n}")
    other = named(before, b"proxy_pass", 1)
    edits = [
        splice.insert_after(named(before, b"proxy_pass"), UP.encode()),
        splice.set_argument(other, 0, b"http://d"),
    ]
    assert "/api/" in judged(before, edits).reason


SHOP = "server {{\nlisten 80;\nserver_name shop.test;\n{}\n}}\n"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_same_location_of_another_server_keeps_what_it_has(scheme):
    """Though it stands in the same file and has the same words."""
    both = "location / {\nproxy_pass http://b;\n}"
    before = tree(both, SHOP.format(both))
    mended = splice.insert_after(named(before, b"proxy_pass", 1), UP.encode())
    assert judged(before, [mended]).good
    other = splice.set_argument(named(before, b"proxy_pass"), 0, f"{scheme}://d".encode())
    assert judged(before, [mended, other]).reason == "http://app.test/ would get something else"


def test_another_server_without_a_location_keeps_what_it_has():
    own = f"return 204;\nlocation /ws/ {{\nproxy_pass http://b;\n{UP}}}"
    before = tree(own, SHOP.format("return 200 a;"))
    opened = splice.delete(named(before, b"return", 1))
    assert judged(before, [opened]).good
    other = splice.set_argument(named(before, b"return"), 1, b"b")
    assert judged(before, [opened, other]).reason == "http://app.test/ would get something else"


def test_a_location_that_a_server_has_for_both_of_its_ports_is_one():
    """The server for plain HTTP has the same names and the same words in the file that both include."""
    text = (
        "events {}\nhttp {\nserver {\nlisten 80;\nserver_name app.test;\ninclude /l.conf;\n}\n"
        "server {\nlisten 81;\nserver_name app.test;\ninclude /l.conf;\n}\n}\n"
    )
    files = {"/n.conf": text.encode(), "/l.conf": b"location / {\nproxy_pass http://b;\n}\n"}
    before = load("/n.conf", read=files.__getitem__, glob=lambda pattern: [pattern])
    assert judged(before, [splice.insert_after(named(before, b"proxy_pass"), UP.encode())]).good


def test_the_backend_gets_the_path_that_opened():
    before = tree(f"location /ws/ {{\nproxy_pass http://b/;\n{UP}}}")
    edit = splice.set_argument(named(before, b"proxy_pass"), 0, b"http://b/y/")
    assert judged(before, [edit], target="/y/x").good
    assert not judged(before, [edit], target="/x").good


def test_the_clients_own_query_may_go_with_the_path_that_opened():
    before = tree(f"location /ws/ {{\nproxy_pass http://b/;\n{UP}}}")
    edit = splice.set_argument(named(before, b"proxy_pass"), 0, b"http://b")
    assert judged(before, [edit], "ws://app.test/ws/x?token=1", target="/ws/x").good
    other = splice.set_argument(named(before, b"proxy_pass"), 0, b"http://b/ws/x?token=2&")
    assert not judged(before, [other], "ws://app.test/ws/x?token=1", target="/ws/x").good
    own = splice.set_argument(named(before, b"proxy_pass"), 0, b"http://b/?path=")
    assert judged(before, [own], target="/?path=x").good


BROKEN = ("missing-map", "proxy-pass-ws-scheme")


def first_fit(configuration, fault, url=URL, **more):
    asked = Asked(Request(url), **more)
    found = route(configuration, Request(url), version=(1, 22, 1))
    for edits in cures(configuration, found, fault):
        if judge(
            configuration, edits, asked, broken=fault.code in ("missing-map", "proxy-pass-ws-scheme")
        ).good:
            return edits
    return None


@pytest.mark.parametrize(
    ("server", "fault", "url", "more"),
    [
        (f"location / {{\nproxy_pass ws://b;\n{UP}}}", Fault("proxy-pass-ws-scheme"), URL, {}),
        (f"location / {{\nproxy_pass 127.0.0.1:1;\n{UP}}}", Fault("proxy-pass-ws-scheme"), URL, {}),
        (f"location / {{\nproxy_pass http:/b;\n{UP}}}", Fault("proxy-pass-ws-scheme"), URL, {}),
        (
            f'location ~* "^/a(/|$)(.*)" {{\nrewrite "(?i)/a(/|$)(.*)" /$1 break;\nproxy_pass http://b;\n{UP}}}',
            Fault("rewrite-changes-path"),
            "ws://app.test/a/s",
            {"target": "/s"},
        ),
        (
            f"location ~* ^/a/ {{\nrewrite ^/a/(.*)$ /$1 break;\nproxy_pass http://b;\n{UP}}}",
            Fault("proxy-pass-keeps-prefix"),
            "ws://app.test/A/s",
            {"target": "/s"},
        ),
        (
            f"location /ws {{\nproxy_pass http://unix:/run/a.sock/ws;\n{UP}}}",
            Fault("backend-down", message="connect() failed (20: Not a directory)"),
            URL,
            {"server": "unix:/run/a.sock"},
        ),
        (
            "location / {\nproxy_pass http://b;\nproxy_http_version 1.1;\n"
            "proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $connection_upgrade;\n}",
            Fault("missing-map"),
            URL,
            {},
        ),
        (
            f"location /app2 {{\nproxy_pass http://b;\n{UP}}}",
            Fault("proxy-pass-keeps-prefix"),
            "ws://app.test/app2/q",
            {"target": "/q"},
        ),
        (
            f"location /api {{\nproxy_pass http://b/v1/;\n{UP}}}",
            Fault("proxy-pass-double-slash"),
            "ws://app.test/api/ws",
            {"target": "/v1/ws"},
        ),
        (
            f"location /gpt/ {{\nrewrite ^/gpt(/.*)$ /$1 break;\nproxy_pass http://b;\n{UP}}}",
            Fault("rewrite-changes-path"),
            "ws://app.test/gpt/s",
            {"target": "/s"},
        ),
        (
            f"location / {{\nproxy_pass http://127.0.0.1:1;\n{UP}}}",
            Fault("backend-down", server="127.0.0.1:2"),
            URL,
            {"server": "127.0.0.1:2"},
        ),
        (
            "root /srv;\nlocation / { }",
            Fault("location-without-handler", server="127.0.0.1:2"),
            URL,
            {"server": "127.0.0.1:2"},
        ),
    ],
)
def test_a_cure_opens_by_the_configuration(server, fault, url, more):
    configuration = tree(server)
    edits = first_fit(configuration, fault, url, **more)
    assert edits is not None
    assert diff(configuration, edits).startswith("--- /n.conf\n+++ /n.conf\n@@ -")


def test_the_files_own_map_is_used():
    own = "map $http_upgrade $my_connection {\ndefault upgrade;\n'' close;\n}\n"
    configuration = tree("root /srv;\nlocation / { }", own)
    edits = first_fit(configuration, Fault("location-without-handler", server="127.0.0.1:2"))
    assert "Connection $my_connection;" in diff(configuration, edits)


def test_other_bytes_stay():
    configuration = tree("# über\tall\nlocation / {\nproxy_pass ws://b; # here\n}")
    found = route(configuration, Request(URL), version=(1, 22, 1))
    edits = next(cures(configuration, found, Fault("proxy-pass-ws-scheme")))
    after = edited(configuration, edits).files["/n.conf"]
    assert after == configuration.files["/n.conf"].replace(b"ws://b", b"http://b")


def test_header_lines_are_not_put_where_nginx_takes_none():
    before = tree(f"location / {{\nif ($arg_a) {{\nproxy_pass http://b;\n}}\n{UP}}}")
    inside = splice.insert_after(named(before, b"proxy_pass"), UP.encode())
    assert "not allowed there" in judged(before, [inside], "ws://app.test/ws/x?a=1").reason
    level = route(before, Request("ws://app.test/ws/x?a=1"))
    assert level.level.kind == "if"
    assert list(cures(before, level, Fault("connection-header-wrong"))) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("http://unix:/run/a.sock/ws", "connect() failed (2: No such file or directory)"),
        ("http://unix:/run/a/ws", "connect() failed (20: Not a directory)"),
        ("http://unix:/run/a.sock:/ws", "connect() failed (20: Not a directory)"),
    ],
)
def test_the_path_of_a_socket_is_ended_where_it_is_certain(line, message):
    before = tree(f"location /ws {{\nproxy_pass {line};\n{UP}}}")
    fault = Fault("backend-down", message=message)
    assert list(cures(before, route(before, Request(URL)), fault)) == []


def test_the_address_of_a_stream_server_gets_no_scheme():
    text = "events {}\nstream {\nserver {\nlisten 81;\nproxy_pass 127.0.0.1:1;\n}\n}\nhttp {\n"
    text += "server {\nlisten 80;\nlocation / {\nproxy_pass 127.0.0.1:2;\n}\n}\n}\n"
    before = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    (edits,) = cures(before, route(before, Request(URL)), Fault("proxy-pass-ws-scheme"))
    assert edited(before, edits).files["/n.conf"].decode() == text.replace(
        "pass 127.0.0.1:2", "pass http://127.0.0.1:2"
    )


@pytest.mark.parametrize(
    ("message", "url", "first"),
    [
        ("through nginx: 414 Request-URI Too Large", URL, True),
        ("through nginx: 400 Bad Request", URL, False),
        ("through nginx: 414 Request-URI Too Large", "wss://app.test/ws/x", False),
    ],
)
def test_the_line_of_a_request_is_read_by_the_default_server(message, url, first):
    listen = "listen 443 ssl;" if url.startswith("wss") else "listen 80;"
    text = (
        f"events {{}}\nhttp {{\nserver {{ # first\n{listen}\n}}\nserver {{\n{listen}\nserver_name app.test;\n"
    )
    text += f"location / {{\nproxy_pass http://b;\n{UP}}}\n}}\n}}\n"
    before = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    found = route(before, Request(url))
    (edits,) = cures(before, found, Fault("request-header-too-large", message=message))
    after = edited(before, edits).files["/n.conf"].decode()
    assert (
        "large_client_header_buffers" in after.partition("server_name")[0].partition("}\nserver")[0]
    ) == first
