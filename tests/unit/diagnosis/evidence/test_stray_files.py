"""A file that no include takes: could it serve the URL at all?"""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
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
