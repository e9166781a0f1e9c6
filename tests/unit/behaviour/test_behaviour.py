"""behaviour(): what a user could observe, as data that can be compared."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request

PASS = "proxy_pass http://127.0.0.1:9000;"


@pytest.fixture
def ask(configure):
    def build(main, url="http://a.test/", *, version=(1, 22, 1), files=None, **request):
        request.setdefault("address", "192.0.2.10")
        return behaviour(
            configure("events {}\n" + main), Request(url, **request), version=version, files=files
        )

    return build


def server(text, http=""):
    return "http { %s server { listen 80; server_name a.test; %s } }" % (http, text)


def test_equal_behaviours_of_differently_written_files(ask):
    one = ask(server("location / { proxy_pass http://b; }", "upstream b { server 127.0.0.1:1; }"))
    other = ask(
        server("# moved\n\n location ^~ / { proxy_pass http://b/; }", "upstream b { server 127.0.0.1:1; }")
    )
    assert one == other
    moved = ask(server("location / { proxy_pass http://b; }", "upstream b { server 127.0.0.1:2; }"))
    assert one != moved and one.upstream.servers != moved.upstream.servers


def test_places_with_other_names_are_no_difference(ask):
    text = "location %s { auth_request /c; limit_req zone=z; if ($http_x) { return 403; } " + PASS + "}"
    one, other = ask(server(text % "/")), ask(server(text % "~ ^/"))
    assert one == other and one.undecided


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("", "auth_basic x;", "visits"),
        ("", "client_max_body_size 2m;", "visits"),
        ("", "proxy_read_timeout 5s;", "settings"),
        ("", "add_header X 1;", "added"),
        ("", "proxy_hide_header X;", "hidden"),
        ("", "access_log /l;", "logs"),
        ("", "error_page 502 /x;", "error_pages"),
        ("", "proxy_intercept_errors on;", "intercepts"),
        ("", "proxy_set_header X 1;", "upstream"),
    ],
)
def test_each_difference_shows_in_its_field(ask, before, after, field):
    one = ask(server("location / { %s %s }" % (before, PASS)))
    other = ask(server("location / { %s %s }" % (after, PASS)))
    assert getattr(one, field) != getattr(other, field)


def test_added_headers(ask):
    text = 'add_header A "$host" always; location / { %s add_header B 2; add_header C ""; }'
    found = ask(server(text % PASS))
    assert [(line.name, line.value, line.always) for line in found.added] == [("B", "2", False)]
    merged = ask(server(text % (PASS + "add_header_inherit merge;")), version=(1, 29, 3))
    assert [line.name for line in merged.added] == ["B", "A"]


def test_hidden_headers(ask):
    found = ask(server("location / { %s proxy_pass_header Server; proxy_hide_header X-Powered-By; }" % PASS))
    assert "server" not in found.hidden and "x-powered-by" in found.hidden and "date" in found.hidden


def test_gateway(ask):
    text = (
        "location ~ [.]php$ { root /srv; fastcgi_pass unix:/php; fastcgi_param SCRIPT_FILENAME "
        "$document_root$fastcgi_script_name; fastcgi_param QUERY_STRING $query_string; "
        "fastcgi_param HTTPS $https if_not_empty; }"
    )
    found = ask(server(text), "http://a.test/x.php?a=1")
    assert found.gateway.protocol == "fastcgi" and found.gateway.servers == ("unix:/php",)
    assert [(item.name, item.value) for item in found.gateway.parameters] == [
        ("SCRIPT_FILENAME", "/srv/x.php"),
        ("QUERY_STRING", "a=1"),
        ("HTTP_HOST", "a.test"),
    ]


def test_logs(ask):
    assert [log.words for log in ask(server("access_log /a main; access_log /b; return 204;")).logs] == [
        ("/a", "main"),
        ("/b",),
        (),
    ]
    assert [log.kind for log in ask(server("access_log off; return 204;")).logs] == ["error"]


STREAM = """
stream {
    map $ssl_preread_server_name $to { a.test 127.0.0.1:8443; default 198.51.100.7:443; }
    server { listen 443; ssl_preread on; %s proxy_pass $to; }
}
http { server { listen 127.0.0.1:8443 ssl %s; server_name a.test; %s location / { %s } } }
"""


def test_stream_in_front(ask):
    text = STREAM % ("", "", "", PASS)
    found = ask(text, "https://a.test/x")
    assert (found.passage.target, found.passage.tls) == ("127.0.0.1:8443", "passed")
    assert found.upstream.uri == "/x" and found.listen == "127.0.0.1:8443"
    other = ask(text, "https://b.test/")
    assert (other.answer.kind, other.passage.servers) == ("stream", ("198.51.100.7:443",))


def test_stream_sends_the_address_ahead(ask):
    real = "set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol; allow 203.0.113.1; deny all;"
    text = STREAM % ("proxy_protocol on;", "proxy_protocol", real, PASS)
    assert ask(text, "https://a.test/", remote="203.0.113.1").answer.kind == "proxy"
    assert ask(text, "https://a.test/", remote="203.0.113.2").answer.status == 403
    without = STREAM % ("proxy_protocol on;", "proxy_protocol", "allow 203.0.113.1; deny all;", PASS)
    assert ask(without, "https://a.test/", remote="203.0.113.1").answer.status == 403


def test_stream_and_http_disagree_about_the_proxy_line(ask):
    sent = ask(STREAM % ("proxy_protocol on;", "", "", PASS), "https://a.test/", remote="203.0.113.1")
    assert (sent.answer.kind, sent.answer.code) == ("closed", "proxy-line")
    wanted = ask(STREAM % ("", "proxy_protocol", "", PASS), "https://a.test/", remote="203.0.113.1")
    assert (wanted.answer.kind, wanted.answer.code) == ("closed", "proxy-line")


def test_proxy_line_that_nobody_is_known_to_send(ask):
    text = "http { server { listen 80 proxy_protocol; location / { %s } } }" % PASS
    found = ask(text)
    assert found.answer.kind == "proxy" and "PROXY line" in found.undecided[0].reason
    assert ask(text, proxy_line="203.0.113.1").undecided == ()


ENDED = """
stream { upstream web { server %s; } server { listen 443 ssl; proxy_pass web; %s } }
http { server { listen 127.0.0.1:8080; listen unix:/run/web; server_name a.test;
  location / { return 200 "$scheme $host $remote_addr"; } } }
"""


def test_stream_that_ends_tls(ask):
    found = ask(ENDED % ("127.0.0.1:8080", ""), "https://a.test/", remote="203.0.113.1")
    assert (found.passage.tls, found.listen) == ("ended", "127.0.0.1:8080")
    # http sees the stream server's own connection
    assert found.answer.text == b"http a.test 127.0.0.1"


def test_stream_to_a_unix_socket(ask):
    found = ask(ENDED % ("unix:/run/web", ""), "https://a.test/", remote="203.0.113.1")
    assert (found.listen, found.answer.text) == ("unix:/run/web", b"http a.test unix:")


def test_stream_upstream_with_several_servers_is_undecided(ask):
    text = ENDED % ("127.0.0.1:8080; server 198.51.100.1:80", "")
    found = ask(text, "https://a.test/")
    assert found.passage.servers == ("127.0.0.1:8080", "198.51.100.1:80")
    assert any("which server" in item.reason for item in found.undecided)


def test_stream_target_that_the_handshake_decides(ask):
    text = (STREAM % ("", "", "", PASS)).replace("$ssl_preread_server_name", "$ssl_preread_protocol")
    found = ask(text, "https://a.test/")
    assert found.answer.kind == "stream" and found.passage.target is None and found.undecided
