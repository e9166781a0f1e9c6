"""Every wrong value gets a message that names the variable, shows the value, and says what to write."""

import copy

import pytest

from tests.unit.role.rendering import checked

GOOD = {
    "name": "chat.example.org",
    "backends": [{"name": "app"}],
    "websockets": [{"path": "/ws/"}],
    "api": [{"path": "/api/"}],
    "uploads": [{"path": "/uploads/"}],
    "spa": {"root": "/var/www/chat"},
}
SITE = "nginx_websocket_sites[0]"


def changed(place: str, value: object) -> dict:
    """Return the good site with another value at a place such as ``websockets.0.timeout``."""
    site = copy.deepcopy(GOOD)
    inner = site
    *way, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    for key in way:
        inner = inner.setdefault(key, {}) if isinstance(inner, dict) else inner[key]
    inner[last] = value
    return site


def test_the_good_site_is_good():
    assert checked(GOOD)["errors"] == []


#: place, value, what follows the variable in the message
TABLE = [
    ("name", "chat example.org", ".name is 'chat example.org', expected a host name in lower case"),
    ("name", "chat.example.org;", "Letters, digits, hyphens and dots are allowed"),
    ("name", "chat.example.org\n", "Write chat.example.org."),
    ("name", "Chat.Example.org", "Write chat.example.org."),
    ("name", "chät.example.org", "Write an international name in its ASCII form: xn--cht-rla.example.org."),
    ("name", "a_b.example.org", "expected a host name"),
    ("name", "$host", "expected a host name"),
    ("name", "*.example.org", "expected a host name"),
    ("name", "a." * 60 + "org", "at most 100 characters"),
    ("name", "x" * 64 + ".org", "expected a host name"),
    ("name", "-a.org", "expected a host name"),
    ("name", True, ".name is True, expected a host name"),
    ("name", ["a.org"], ".name is ['a.org'], expected text"),
    ("name", None, ".name is not set, expected a value"),
    ("nam", "x", ".nam is unknown. Did you mean name?"),
    ("server_names", "chat.example.org", ".server_names is 'chat.example.org', expected a list"),
    ("server_names", ["other.example.org"], "a list that holds chat.example.org too"),
    (
        "server_names",
        ["chat.example.org", ".example.org"],
        'Write both names: ["example.org", "*.example.org"].',
    ),
    ("server_names", ["chat.example.org", "chat.example.org"], ".server_names[1]"),
    ("server_names", ["chat.example.org", None], ".server_names[1] is not set"),
    ("server_names", ["chat.example.org", "www.*"], ".server_names[1] is 'www.*'"),
    ("redirect_www", "maybe", ".redirect_www is 'maybe', expected true or false"),
    ("listen.addresses", ["127.0.0.1:80"], "Write it without port and brackets"),
    ("listen.addresses", ["[::1]"], "Write it without port and brackets"),
    ("listen.addresses", ["fe80::1%eth0"], "Write fe80::1."),
    ("listen.ipv6", "yes", "expected one of auto, always, never"),
    ("real_ip.trusted", ["10.0.0.1/8"], "has host bits set"),
    ("real_ip.trusted", ["all"], "expected an address or a network"),
    ("real_ip.header", "X Forwarded", "expected the name of a header"),
    ("real_ip.header", "proxy_protocol", "Set listen.proxy_protocol to true."),
    ("http.port", 0, ".http.port is 0, expected a TCP port, from 1 to 65535"),
    ("http.port", 65536, "from 1 to 65535"),
    ("http.port", "80;", "expected a whole number"),
    ("http.port", 80.5, "expected a whole number"),
    ("http.port", True, "expected a whole number"),
    ("http.port", 443, ".tls.port is 443, expected another port than http.port"),
    ("http.mode", "redirct", "Did you mean redirect?"),
    ("http.acme_root", "var/www", "expected an absolute path. Begin it with /"),
    ("http.acme_root", "/var/www/../x", "Write the resolved path."),
    ("http.acme_root", "/var/www;", "and no spaces"),
    ("http", "redirect", ".http is 'redirect', expected keys and values"),
    ("http", ["redirect"], "expected keys and values"),
    ("tls.certificate", "/etc/ssl/my cert.pem", "and no spaces"),
    ("tls.certificate", "/etc/ssl/{x}.pem", "and no spaces"),
    ("tls.certificate", "/etc/ssl/$ssl_server_name.pem", "and no spaces"),
    ("tls.certificate_key", "~/key.pem", "expected an absolute path"),
    ("tls.options_file", "certbot", "expected auto, none or an absolute path"),
    ("tls.dhparam", False, "YAML takes this word for true or false: quote it."),
    ("tls.hsts.max_age", -1, "expected seconds"),
    ("backends.0.name", "My App", "expected a name of lower-case letters"),
    ("backends.0.name", "app_1", "expected a name of lower-case letters"),
    ("backends.0.host", "http://127.0.0.1", "expected a host name or an IP address"),
    ("backends.0.host", "127.0.0.1:8000", "Write the port in `ports` or `port`"),
    ("backends.0.ports", 8000, ".ports is 8000, expected a list"),
    ("backends.0.ports", [8000, 99999], ".ports[1] is 99999"),
    ("backends.0.socket", "run/app.sock", "expected an absolute path"),
    ("backends.0.balance", "sticky", "expected one of round_robin, least_conn, ip_hash"),
    ("backends.0.keepalive", -1, "from 0 to 4096"),
    ("backends.0.connect_timeout", "5", "Write 5s."),
    ("backends.0.servers", [{"host": "10.0.0.1"}], "expected host and port, or a socket"),
    ("backends.0.servers", [{"host": "10.0.0.1", "port": 1, "socket": "/s"}], "Not both."),
    (
        "backends.0.servers",
        [{"host": "a.b", "port": 1, "backup": True}],
        "at least one server that is no backup",
    ),
    (
        "backends.0.servers",
        [{"host": "a.b", "port": 1, "fail_timeout": "10 s"}],
        "The units are ms, s, m, h and d.",
    ),
    ("backends", [{"name": "app", "socket": "/run/" + "x" * 103}], "the path of a socket, at most 107"),
    ("backends.0.tls.server_name", "App.internal", "Write app.internal."),
    ("backends.0.tls.ca", "ca.pem", "expected an absolute path"),
    ("backends.0.path", "http://x/", "without scheme, host and query"),
    ("backends", [{"name": "app"}, {"name": "app"}], ".backends[1].name is 'app'"),
    ("backends", [{}], ".backends[0].name is not set"),
    ("backends", [], "expected the name of a backend of this site. Add it to `backends`."),
    ("origins", ["https://a.org/"], "An origin has no path: write https://a.org."),
    ("origins", ["a.org"], "Write https://a.org."),
    ("origins", ["https://a.org:443"], "Browsers leave out a default port: write https://a.org."),
    ("origins", ["https://a.org:0"], "a number from 1 to 65535"),
    ("origins", ["https://A.org"], "Write a.org."),
    ("origins", ["https://a.org\n"], "expected an origin"),
    ("origins", ["https://a.org;"], "expected an origin"),
    ("origins", ["https://*"], "expected an origin"),
    ("origins", ["*", "https://a.org"], "* allows all: take the others out."),
    ("origins", ["https://[::1"], "expected an origin"),
    (
        "origins",
        ["https://a.org", "https://a.org"],
        ".origins[1] is 'https://a.org', expected each origin once",
    ),
    ("websockets.0.path", "ws", "expected a path that begins with /"),
    ("websockets.0.path", "/ws/{token}", "Leave out the placeholder"),
    ("websockets.0.path", "/ws/?x", "leave out the query"),
    ("websockets.0.path", "/ws%20/", "nginx compares the decoded path"),
    ("websockets.0.path", "/a//ws/", "write the resolved path"),
    ("websockets.0.path", "/a/../ws/", "write the resolved path"),
    ("websockets.0.path", '/ws/"', "are allowed; use `regex` for anything else"),
    ("websockets.0.path", "/ws/ { return 200; } #", "expected a path"),
    ("websockets.0.path", "/api/", "take this one out"),
    ("websockets.0.path", "/", "a path that no WebSocket route takes"),
    ("websockets.0.path", "/.well-known/acme-challenge/x", "a path outside /.well-known/acme-challenge/"),
    ("websockets.0.regex", "^/x", "expected path or regex, one of them"),
    ("websockets.0.timeout", 3600, "Write 3600s."),
    ("websockets.0.timeout", "3600", "Write 3600s."),
    ("websockets.0.timeout", "1 h", "The units are ms, s, m, h and d."),
    ("websockets.0.timeout", "0s", "no unlimited timeout"),
    ("websockets.0.timeout", "9999d", "at most 365d"),
    ("websockets.0.timeout", "-5s", "expected a time"),
    ("websockets.0.timeout", "60s;", "expected a time"),
    ("websockets.0.backend", "other", "expected the name of a backend of this site. There are: app."),
    ("websockets.0.probe_path", "/api/x", "expected a path of this route, /ws/"),
    ("websockets.0.subprotocols", ["a b"], "a single word as HTTP defines it"),
    ("websockets.0.subprotocols", ["$x"], "a single word as HTTP defines it"),
    ("websockets.0.secret", True, ".secret is unknown. Did you mean secret_path?"),
    ("websockets", {"path": "/ws/"}, ".websockets is {'path': '/ws/'}, expected a list"),
    ("websockets", ["/ws/"], ".websockets[0] is '/ws/', expected keys and values"),
    ("websockets", [{}], "expected path or regex, one of them"),
    ("websockets", [{"path": "/ws/"}, {"path": "/ws/"}], "expected each path once"),
    ("websockets", [{"regex": "^/ws"}], ".probe_path is not set"),
    ("websockets", [{"regex": "/ws", "probe_path": "/ws"}], "Without ^ it would match"),
    ("websockets", [{"regex": "^/ws(", "probe_path": "/ws"}], "It does not compile: missing ), unterminated"),
    ("websockets", [{"regex": "^/ws[", "probe_path": "/ws"}], "It does not compile"),
    ("websockets", [{"regex": "^/(?:ws|+)", "probe_path": "/ws"}], "It does not compile: nothing to repeat"),
    ("websockets", [{"regex": r"^/\h(", "probe_path": "/ws"}], "is not closed"),
    (
        "websockets",
        [{"regex": r"^/\h\\", "probe_path": "/ws"}, {"regex": "^\\h\\"}],
        "It ends in a backslash",
    ),
    ("websockets", [{"regex": "^/(a+)+$", "probe_path": "/a"}], "A path can be made that takes it forever."),
    ("websockets", [{"regex": "^/(?<room>a)", "probe_path": "/a"}], "write (?:...)"),
    ("websockets", [{"regex": "^/(?P<room>a)", "probe_path": "/a"}], "write (?:...)"),
    ("websockets", [{"regex": "^/\n", "probe_path": "/a"}], "Printable ASCII only"),
    ("websockets", [{"regex": "^/\0", "probe_path": "/a"}], "Printable ASCII only"),
    ("websockets", [{"regex": "^/ws/[0-9]{2,}$", "probe_path": "/ws/1"}], "expected a path of this route"),
    (
        "websockets",
        [{"regex": "^/ws", "probe_path": "/ws"}, {"path": "/ws/b/"}],
        ".websockets[1].path is '/ws/b/', expected a route that no earlier one takes: /ws/b/probe goes to "
        "websockets[0].regex, ^/ws",
    ),
    (
        "api",
        [{"path": "/api/"}, {"path": "/api/"}],
        "a path that nginx_websocket_sites[0].api[0].path has not",
    ),
    ("api", [{}], ".api[0].path is not set"),
    ("api", [{"path": "/"}], ".spa is '/', expected a path that"),
    ("api.0.timeout", "10", "Write 10s."),
    ("api.0.max_body_size", "1 MB", "expected a size, such as 512k, 10m or 1g"),
    ("api.0.max_body_size", "10mb", "expected a size"),
    ("api.0.cors.origins", ["*", "https://a.org"], "take the others out"),
    ("api.0.cors", {"origins": ["*"], "credentials": True}, "browsers refuse cookies with *"),
    ("api.0.cors.methods", ["GET, POST"], "one word for each entry"),
    ("api.0.cors.headers", ['X"'], "a single word as HTTP defines it"),
    ("api.0.cors.max_age", "1d", "expected a whole number"),
    ("uploads.0.max_body_size", "100x", "expected a size"),
    ("uploads.0.path", "/assets/", "a path that nginx_websocket_sites[0].uploads[0].path has not taken"),
    ("max_body_size", True, ".max_body_size is True, expected a size"),
    ("limits", {"sockets": 0}, "a number of sockets, from 1 to 100000"),
    ("limits", {"handshakes_per_minute": "60r/m"}, "expected a whole number"),
    ("limits", {"header_size": "1m"}, "a size from 1k to 64k"),
    ("limits", {"header_size": "0k"}, "a size from 1k to 64k"),
    ("limits", {"rate": 5}, ".limits.rate is unknown."),
    ("spa.root", "dist", "expected an absolute path"),
    ("spa", {}, ".spa.root is not set"),
    ("spa.assets", ["assets"], "expected a path that begins with /"),
    ("access_log", "off", "expected auto, none or an absolute path"),
    ("access_log", "/var/log/x.log combined", "expected auto, none or an absolute path"),
    ("access_log", "/var/log/" + 256 * "x", "expected auto, none or an absolute path"),
    ("spa", {"root": "/" + 256 * "x"}, "names of at most 255 characters"),
    ("access_log", "syslog:server=x", "expected auto, none or an absolute path"),
    ("security_headers", {"X-A": "a\nX-B: b"}, "expected a header value of printable ASCII"),
    ("security_headers", {"X-A": "$http_cookie"}, "has no escape for it"),
    ("security_headers", {"X A": "a"}, "expected the name of a header"),
    ("security_headers", {"X-A": "a", "x-a": "b"}, "each header once"),
    ("listen", {"addresses": ["::1", "192.0.2.1", "0::1"]}, "each address once"),
    ("security_headers", {"Strict-Transport-Security": "max-age=1"}, "Set tls.hsts.enabled to true there."),
    ("security_headers", {"X-A": True}, "expected text"),
    ("file", "sites/x", "expected an absolute path"),
]


@pytest.mark.parametrize(
    ("place", "value", "said"), TABLE, ids=[f"{row[0]}={str(row[1])[:40]!r}" for row in TABLE]
)
def test_a_wrong_value_is_refused(place, value, said):
    result = checked(changed(place, value))
    assert result["sites"] == []
    assert any(error.startswith(SITE) and said in error for error in result["errors"]), result["errors"]
    assert all("\n" not in error for error in result["errors"])


#: changes, what is said
COMBINATIONS = [
    ({"tls": {"enabled": False}, "http": {"mode": "redirect"}}, "serve, since tls.enabled is false"),
    ({"tls": {"enabled": False}, "http": {"mode": "none"}}, "serve, since tls.enabled is false"),
    ({"tls": {"hsts": {"enabled": True}}, "http": {"mode": "serve"}}, "Set http.mode to redirect."),
    ({"tls": {"hsts": {"enabled": True, "preload": True}}}, "what the preload list asks for"),
    ({"limits": {"sockets": 4}}, "at least 5, since deployment and verification open so many"),
    ({"limits": {"handshakes_per_minute": 60, "burst": 4}}, "Write 5 or more."),
    ({"limits": {"sockets": 5}, "listen": {"proxy_protocol": True}}, "or all clients count as one"),
    ({"name": "www.a.org", "redirect_www": True}, "Make a.org the name of the site."),
    ({"redirect_www": True, "server_names": ["chat.example.org", "www.chat.example.org"]}, "Take www.chat"),
    ({"backends": [{"name": "app", "ports": [1], "socket": "/run/x"}]}, "It has ports and socket."),
    (
        {
            "backends": [
                {
                    "name": "app",
                    "balance": "ip_hash",
                    "servers": [{"host": "a", "port": 1}, {"host": "b", "port": 1, "backup": True}],
                }
            ]
        },
        "which nginx does not have with ip_hash",
    ),
]


@pytest.mark.parametrize(("changes", "said"), COMBINATIONS)
def test_a_combination_without_sense_is_refused(changes, said):
    errors = checked({**GOOD, **changes})["errors"]
    assert any(said in error for error in errors), errors


NEIGHBOURS = [
    ({"name": "chat.example.org"}, ".name is 'chat.example.org'"),
    (
        {"server_names": ["b.org", "chat.example.org"]},
        "nginx would give all requests to the first of the two.",
    ),
    (
        {"server_names": ["b.org", "www.chat.example.org"]},
        "nginx would give all requests to the first of the two.",
    ),
    ({"http": {"port": 443}, "tls": {"port": 8443}}, "does not use with TLS"),
    ({"tls": {"port": 80}, "http": {"mode": "none"}}, "does not use without TLS"),
    ({"listen": {"proxy_protocol": True}}, "It holds for a socket, not a site."),
    ({"listen": {"default_server": True}}, "one default server for port"),
    ({"file": "/etc/nginx/x.conf"}, "A file holds one site."),
]


@pytest.mark.parametrize(("changes", "said"), NEIGHBOURS)
def test_sites_that_cannot_live_together_are_refused(changes, said):
    first = {**GOOD, "redirect_www": True, "listen": {"default_server": True}, "file": "/etc/nginx/x.conf"}
    second = {"name": "b.org", **changes}
    if "listen" not in changes or "proxy_protocol" not in changes["listen"]:
        assert checked(first, {"name": "b.org"})["errors"] == []
    errors = checked(first, second)["errors"]
    assert any(error.startswith("nginx_websocket_sites[1]") and said in error for error in errors), errors


def test_an_unknown_variable_is_refused():
    errors = checked(GOOD, nginx_websocket_keep_backup=3)["errors"]
    assert errors == ["nginx_websocket_keep_backup is unknown. Did you mean nginx_websocket_keep_backups?"]


def test_names_that_only_begin_alike_are_not_offered():
    errors = checked(GOOD, nginx_websocket_foo=1)["errors"]
    assert errors == ["nginx_websocket_foo is unknown. docs/variables.md lists them all."]


def test_no_site_at_all_is_refused():
    assert checked()["errors"] == [
        "nginx_websocket_sites is [], expected at least one site. "
        "Describe it in the variables of the host or group."
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("nginx_websocket_sites", "chat.example.org", "expected a list"),
        ("nginx_websocket_keep_backups", 0, "a number of backups, from 1 to 1000"),
        ("nginx_websocket_keep_backups", "ten", "expected a whole number"),
        ("nginx_websocket_on_drift", "ignore", "expected one of fail, overwrite, keep"),
        ("nginx_websocket_state_dir", "state", "expected an absolute path"),
        ("nginx_websocket_binary", "nginx", "expected nothing or an absolute path"),
        ("nginx_websocket_proof_timeout", 0, "expected seconds, from 1 to 600"),
    ],
)
def test_other_variables_are_checked_too(name, value, said):
    (error,) = checked(GOOD, **{name: value})["errors"] if name != "nginx_websocket_sites" else _sites(value)
    assert error.startswith(f"{name} is ")
    assert said in error


def _sites(value):
    from roles.nginx_websocket.site_model import check

    return check({"nginx_websocket_sites": value})["errors"]


def test_values_of_extra_variables_are_text():
    result = checked(GOOD, nginx_websocket_keep_backups="5")
    assert result["errors"] == []
    assert result["settings"]["keep_backups"] == 5


def test_all_that_is_wrong_is_said_at_once():
    assert len(checked(changed("http.port", 0), changed("max_body_size", "x"))["errors"]) == 2
