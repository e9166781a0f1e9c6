"""Cures between a location and its backend, each judged as it would be before it is shown."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.judge import Asked, judge
from module_utils.nginx_websocket.edit.memory import edited

UP = (
    "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\n"
    'proxy_set_header Connection "upgrade";\n'
)
URL = "ws://app.test/ws/x"


def tree(server, http="", outside=""):
    inner = f"server {{\nlisten 80;\nserver_name app.test;\n{server}\n}}\n"
    text = f"events {{}}\n{outside}http {{\n{http}{inner}}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def named(configuration, name, index=0):
    return [item for item in configuration.walk() if item.name == name][index]


def offered(configuration, code, url=URL, **fault):
    """The text of the first cure that is fit; "" where none is."""
    request = Request(url, remote="127.0.0.1")
    for edits in cures(configuration, route(configuration, request), Fault(code, **fault)):
        if judge(configuration, edits, Asked(request)).good:
            return edited(configuration, edits).files["/n.conf"].decode()
    return ""


def pool(*servers):
    return "upstream app {\n" + "".join(f"server {one};\n" for one in servers) + "}\n"


TO_POOL = f"location /ws/ {{\nproxy_pass http://app;\n{UP}}}"


def test_max_conns_for_a_few_sockets_grows_and_stays_a_limit():
    before = tree(TO_POOL, pool("127.0.0.1:8000 max_conns=2", "127.0.0.1:8001 max_conns=5000"))
    text = offered(before, "upstream-max-conns")
    assert "8000 max_conns=1024;" in text and "8001 max_conns=5000;" in text


@pytest.mark.parametrize(
    ("servers", "good"), [(["127.0.0.1:8000 down"], True), (["127.0.0.1:8000 down", "127.0.0.1:8001"], False)]
)
def test_a_server_is_marked_up_only_where_all_are_down(servers, good):
    text = offered(tree(TO_POOL, pool(*servers)), "upstream-marked-down")
    assert ("server 127.0.0.1:8000;" in text) == good


def test_a_block_has_no_name_for_tls():
    before = tree(
        f"location /ws/ {{\nproxy_pass https://app;\nproxy_ssl_server_name on;\n{UP}}}",
        pool("127.0.0.1:8000"),
    )
    assert "proxy_ssl_name $host;" in offered(before, "upstream-sni-missing")


def test_a_name_that_the_certificate_holds():
    before = tree(f"location /ws/ {{\nproxy_pass https://localhost:8000;\nproxy_ssl_verify on;\n{UP}}}")
    text = offered(before, "upstream-tls-failed", tls_name="backend.test")
    assert "proxy_ssl_name backend.test;" in text and "proxy_ssl_verify on;" in text
    assert offered(before, "upstream-tls-failed") == ""


def in_front(*entries):
    return (
        "stream {\nmap $ssl_preread_server_name $behind {\n" + "".join(f"{one};\n" for one in entries) + "}\n"
        "server {\nlisten 443;\nssl_preread on;\nproxy_pass $behind;\n}\n}\n"
    )


def preread(*entries):
    inner = f"listen 127.0.0.1:8443 ssl;\nlocation /ws/ {{\nproxy_pass http://127.0.0.1:8000;\n{UP}}}"
    return tree(inner, outside=in_front(*entries))


def test_the_map_in_front_gets_an_entry_for_the_one_server_of_the_name():
    before = preread("www.test 127.0.0.1:9443", "default 127.0.0.1:9444")
    line = next(item for item in before.walk() if item.args == (b"$behind",) and item.name == b"proxy_pass")
    assert "app.test 127.0.0.1:8443;" in offered(
        before, "backend-down", "wss://app.test/ws/x", directive=line
    )
    known = preread("app.test 127.0.0.1:9443", "default 127.0.0.1:9444")
    line = next(item for item in known.walk() if item.args == (b"$behind",) and item.name == b"proxy_pass")
    assert offered(known, "backend-down", "wss://app.test/ws/x", directive=line) == ""


def if_in_location(inner):
    return tree(
        f"root /none;\nlocation / {{\ntry_files /none @app;\nif ($http_upgrade) {{\n{inner}\n}}\n}}\n"
        f"location @app {{\nproxy_pass http://127.0.0.1:8000;\n{UP}}}"
    )


@pytest.mark.parametrize(("inner", "good"), [("set $ws 1;", True), ("set $ws 1;\nreturn 403;", False)])
def test_an_if_that_only_sets_moves_out_of_its_location(inner, good):
    before = if_in_location(inner)
    block = named(before, b"if")
    maker = list(cures(before, route(before, Request(URL)), Fault("if-is-evil", directive=block)))
    assert bool(maker) == good
    if good:
        after = edited(before, maker[0])
        assert named(after, b"if").parent.name == b"server"
        assert route(after, Request(URL)).answer.kind == "proxy"


def test_a_map_that_chooses_by_another_word_gets_one_for_handshakes():
    pools = "upstream pages {\nserver 127.0.0.1:8001;\n}\nupstream sockets {\nserver 127.0.0.1:8000;\n}\n"
    chosen = "map $http_upgrade $pool {\ndefault pages;\nupgrade sockets;\n}\n"
    before = tree(f"location / {{\nproxy_pass http://$pool;\n{UP}}}", pools + chosen)
    text = offered(before, "wrong-backend", directive=named(before, b"map"), server="127.0.0.1:8000")
    assert "websocket sockets;" in text and "server 127.0.0.1:8001;" in text


def test_a_port_that_is_held_at_one_address_is_listened_on_at_one_more():
    before = tree("", outside="").files["/n.conf"].decode()
    text = before.replace("listen 80;", "listen 127.0.0.1:80;").replace(
        "server_name app.test;", f"server_name app.test;\nlocation /ws/ {{\nproxy_pass http://b;\n{UP}}}"
    )
    held = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    request = Request(URL, address="192.0.2.10:80", remote="192.0.2.10")
    made = list(cures(held, route(held, request), Fault("port-not-listening")))
    assert b"listen 192.0.2.10:80;" in edited(held, made[0]).files["/n.conf"]
    free = Request("ws://app.test:8080/ws/x", address="192.0.2.10:8080", remote="192.0.2.10")
    made = list(cures(held, route(held, free), Fault("port-not-listening")))
    assert b"listen 8080;" in edited(held, made[0]).files["/n.conf"]


def test_the_path_of_a_unix_socket_stays_whole():
    before = tree(f"location /ws {{\nproxy_pass http://unix:/run/app.sock:/;\n{UP}}}")
    made = cures(before, route(before, Request(URL)), Fault("proxy-pass-strips-prefix", target="/ws/x"))
    lines = [named(edited(before, edits), b"proxy_pass").args[0] for edits in made]
    assert b"http://unix:/run/app.sock:" in lines
    assert all(line.startswith(b"http://unix:/run/app.sock") for line in lines)


def test_a_map_of_names_gets_an_entry_for_this_one():
    chosen = "map $host $app {\ndefault 127.0.0.1:8001;\nother.test 127.0.0.1:8000;\n}\n"
    before = tree(f"location / {{\nproxy_pass http://$app;\n{UP}}}", chosen)
    text = offered(before, "wrong-backend", directive=named(before, b"map"), server="127.0.0.1:8000")
    assert "app.test 127.0.0.1:8000;" in text and "default 127.0.0.1:8001;" in text
