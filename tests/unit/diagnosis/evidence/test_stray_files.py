"""A file that no include takes: could it serve the URL at all?"""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.evidence import host_state
from module_utils.nginx_websocket.diagnosis.evidence.host_state import stray_files
from tests.unit.diagnosis.seen import UP

LOCATION = f"location /ws/ {{ {UP} proxy_pass http://127.0.0.1:8000; }}"


@pytest.mark.parametrize(
    ("file", "found"),
    [
        (f"server {{ listen 80; server_name app.test; {LOCATION} }}", False),
        (f"server {{ server_name app.test; {LOCATION} }}", False),
        (f"server {{ listen 443 ssl; server_name app.test; {LOCATION} }}", True),
        (f"server {{ listen 80; listen [::]:443 ssl; server_name app.test; {LOCATION} }}", True),
        (f"server {{ listen 443 ssl; server_name other.test; {LOCATION} }}", False),
        (LOCATION, True),
    ],
)
def test_a_server_of_another_port_could_not(tmp_path, file, found):
    (tmp_path / "sites-enabled").mkdir()
    (tmp_path / "sites-available").mkdir()
    (tmp_path / "sites-available" / "app").write_text(file)
    (tmp_path / "sites-enabled" / "x").write_text("server { listen 443 ssl; server_name app.test; }")
    main = tmp_path / "nginx.conf"
    main.write_text(f"events {{}}\nhttp {{ include {tmp_path}/sites-enabled/*; }}\n")
    configuration = load(str(main))
    server = route(configuration, "wss://app.test/ws/x").server
    stray = stray_files(configuration, server, b"/ws/x", b"app.test", (1, 22, 1), 443)
    assert [path for path, _, _ in stray if path.startswith(str(tmp_path))] == (
        [str(tmp_path / "sites-available" / "app")] if found else []
    )


def test_a_site_on_a_port_where_nobody_listens(tmp_path):
    """No server answers there, so only a server of the file could."""
    for name, text in (
        ("app", LOCATION),
        ("site", f"server {{ listen 8443; server_name app.test; {LOCATION} }}"),
    ):
        (tmp_path / "sites-available").mkdir(exist_ok=True)
        (tmp_path / "sites-available" / name).write_text(text)
    (tmp_path / "sites-enabled").mkdir()
    main = tmp_path / "nginx.conf"
    main.write_text(f"events {{}}\nhttp {{ include {tmp_path}/sites-enabled/*; }}\n")
    stray = stray_files(load(str(main)), None, b"/ws/x", b"app.test", (1, 22, 1), 8443)
    assert [path for path, _, _ in stray if path.startswith(str(tmp_path))] == [
        str(tmp_path / "sites-available" / "site")
    ]


class Host:
    """nginx's files in a directory, with one server on 443 in force."""

    def __init__(self, root, http=""):
        self.root = root
        for name in ("sites-available", "sites-enabled", "snippets"):
            (root / name).mkdir()
        self.write("sites-enabled/x", "server { listen 443 ssl; server_name app.test; }")
        self.write("snippets/tls", "ssl_protocols TLSv1.3;")
        includes = f"include {root}/sites-enabled/*; include {root}/snippets/tls;"
        self.write("nginx.conf", f"events {{}}\nhttp {{ {http} {includes} }}\n")

    def write(self, name, text):
        (self.root / name).write_text(text)

    def found(self, uri=b"/ws/x", port=443):
        """Stray files of this tree, by name, with what stands there."""
        configuration = load(str(self.root / "nginx.conf"))
        server = route(configuration, f"wss://app.test:{port}/ws/x").server
        stray = stray_files(configuration, server, uri, b"app.test", (1, 22, 1), port)
        below = str(self.root) + "/"
        return [(path[len(below) :], words, line) for path, words, line in stray if path.startswith(below)]


@pytest.fixture
def tree(tmp_path):
    return Host(tmp_path)


def served(names="server_name app.test;", location=LOCATION):
    return f"server {{\nlisten 443 ssl;\n{names}\n{location}\n}}"


def test_the_place_is_told(tree):
    tree.write("sites-available/app", f"# mine\n{served()}")
    assert tree.found() == [("sites-available/app", "location /ws/", 5)]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("server_name app.test;", True),
        ("server_name other.test APP.test;", True),
        ("server_name _;", True),
        ("", True),
        ("server_name other.test;", False),
        ("server_name *.app.test;", False),
    ],
)
def test_a_server_has_the_name_or_none(tree, names, found):
    tree.write("sites-available/app", served(names))
    assert bool(tree.found()) is found


@pytest.mark.parametrize(
    ("location", "found"),
    [
        (LOCATION, True),
        (LOCATION.replace("/ws/", "/chat/"), False),
        ("location /ws/ { proxy_pass http://127.0.0.1:8000; }", False),
        (f"location /chat/ {{ }} {LOCATION}", True),
        ("location /ws/;", False),
    ],
)
@pytest.mark.parametrize("wrap", ["%s", "http { %s }"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_location_is_for_the_path_and_carries_an_upgrade(tree, location, found, wrap, alone):
    tree.write("sites-available/app", wrap % (location if alone else served(location=location)))
    assert bool(tree.found()) is found


def test_each_file_is_told_once(tree):
    tree.write("sites-available/app", served(location=LOCATION + LOCATION.replace("/ws/", "/ws/x")))
    assert [path for path, _, _ in tree.found()] == ["sites-available/app"]


def test_a_file_that_is_in_force_by_a_link_is_not_stray(tree):
    tree.write("sites-available/app", served())
    (tree.root / "sites-enabled" / "app").symlink_to("../sites-available/app")
    assert tree.found() == []


def test_beside_a_single_file_nobody_looks(tree):
    tree.write("snippets/app", served())
    assert tree.found() == []


@pytest.mark.parametrize("name", ["app.bak", "app~", "app.dpkg-old", "app.20250101"])
def test_what_was_kept_aside_is_meant_to_be_out_of_force(tree, name):
    tree.write(f"sites-available/{name}", served())
    assert tree.found() == []


def test_what_cannot_be_a_site_of_somebody_is_passed_over(tree, monkeypatch):
    """A directory, a huge file, one that nginx could not read, one without a location."""
    monkeypatch.setattr(host_state, "STRAY_SIZE", 1000)
    (tree.root / "sites-available" / "directory").mkdir()
    tree.write("sites-available/huge", served() + "#" * 1000)
    tree.write("sites-available/odd", f"http;\nserver;\n# {LOCATION}")
    tree.write("sites-available/open", served() + "}")
    tree.write("sites-available/open-too", served() + "{")
    tree.write("sites-available/empty", served(location=""))
    assert tree.found() == []
    tree.write("sites-available/right", served() + "#" * (1000 - len(served())))
    assert [path for path, _, _ in tree.found()] == ["sites-available/right"]


def test_where_people_keep_sites_is_looked_into_whatever_nginx_reads(tree, monkeypatch):
    """Also where a pattern leads to a directory that is not there."""
    (tree.root / "usual").mkdir()
    tree.write("usual/app", served())
    monkeypatch.setattr(host_state, "USUAL", (f"{tree.root}/usual",))
    tree.write("nginx.conf", f"events {{}}\nhttp {{ include {tree.root}/missing/*; {served('', '')} }}")
    assert [path for path, _, _ in tree.found()] == ["usual/app"]


@pytest.mark.parametrize(("http", "found"), [(UP, True), ("", False)])
def test_what_http_says_would_hold_there(tmp_path, http, found):
    """Also where no server answers now, from which a location could inherit it."""
    tree = Host(tmp_path, http)
    location = "location /ws/ { proxy_pass http://127.0.0.1:8000; }"
    tree.write("sites-available/app", served(location=location).replace("443 ssl", "8443 ssl"))
    assert bool(tree.found(port=8443)) is found
