"""Where the live servers of a site pass to, whoever wrote them."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.host.sites import proxied_port


@pytest.mark.parametrize(
    ("body", "port"),
    [
        ("location /api/ { proxy_pass http://127.0.0.1:3000/; }", 3000),
        (
            "location / { proxy_pass http://localhost:3000; } location /x { proxy_pass http://127.0.0.1:9; }",
            3000,
        ),
        ("location / { location /a { proxy_pass http://app; } }", 8000),
        ("location / { proxy_pass http://10.0.0.1:3000; }", None),
        ("location / { proxy_pass http://$backend; }", None),
        ("location / { root /srv; }", None),
    ],
)
def test_the_port_of_a_site(body: str, port: object) -> None:
    others = "server { server_name b.test; location / { proxy_pass http://127.0.0.1:8000; } }"
    ours = f"server {{ server_name a.test www.a.test; {body} }}"
    text = f"http {{ upstream app {{ server 127.0.0.1:8000; }} {others} {ours} }}"
    tree = load("/n", read=lambda _path: text.encode(), glob=lambda pattern: [pattern])
    assert proxied_port(tree, "a.test", [8000, 3000]) == port
