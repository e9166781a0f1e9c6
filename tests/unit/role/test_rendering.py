"""The rendered file: what a careful person would write by hand, and the same from run to run."""

import os
from pathlib import Path

import pytest
import yaml

from module_utils.nginx_websocket.conf.load import load
from tests.unit.role.rendering import CERTBOT, ROOT, fitted, rendered

GOLDEN = Path(__file__).parent / "golden"
LAMMP = yaml.safe_load((ROOT / "inventory/lammp/host_vars/lammp.agaii.org.yml").read_text())[
    "nginx_websocket_sites"
]
SITES = yaml.safe_load(Path(__file__).with_name("sites.yml").read_text())

MINIMAL = {"name": "a.example", "backends": [{"name": "app"}], "websockets": [{"path": "/ws/"}]}


def same_as_golden(name: str, content: str) -> None:
    """Compare with the golden file; ``UPDATE_GOLDEN=1`` writes it anew, for a person to read."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(content)
    assert content == path.read_text()


@pytest.mark.parametrize("site", [*LAMMP, *SITES], ids=lambda site: site["name"])
def test_golden(site):
    same_as_golden(f"{site['name']}.conf", rendered(site)[0])


def test_stable_from_run_to_run():
    assert rendered(*LAMMP, *SITES) == rendered(*LAMMP, *SITES)


@pytest.mark.parametrize("site", [*LAMMP, *SITES, MINIMAL], ids=lambda site: site["name"])
def test_the_form(site):
    (content,) = rendered(site)
    assert content.endswith("}\n")
    assert "\n\n\n" not in content
    assert "{\n\n" not in content
    assert "\n\n}" not in content
    assert all(line == line.rstrip() for line in content.splitlines())
    comments = [line for line in content.splitlines() if line.lstrip().startswith("#")]
    assert all(len(line) <= 120 for line in comments)
    assert content.splitlines()[0] == f"# {site['name']}, release @RELEASE@"


def tree(content: str):
    text = b"http {\n" + content.encode() + b"}\n"
    return load(
        "/n.conf", read=lambda path: text if path == "/n.conf" else b"", glob=lambda pattern: []
    ).root[0]


@pytest.mark.parametrize("site", [*LAMMP, *SITES, MINIMAL], ids=lambda site: site["name"])
def test_every_server_answers_with_its_release(site):
    for server in tree(rendered(site)[0]).children(b"server"):
        locations = [location.args for location in server.children(b"location")]
        assert [b"=", b"/.well-known/nginx-websocket/@RELEASE@"] in [list(args) for args in locations]


@pytest.mark.parametrize("site", [*LAMMP, *SITES, MINIMAL], ids=lambda site: site["name"])
def test_conditions_do_nothing_but_return(site):
    for server in tree(rendered(site)[0]).children(b"server"):
        for location in server.children(b"location"):
            for condition in location.children(b"if"):
                assert [directive.name for directive in condition.block] == [b"return"]


@pytest.mark.parametrize("site", [*LAMMP, *SITES, MINIMAL], ids=lambda site: site["name"])
def test_websocket_routes_come_first_and_no_prefix_shadows_them(site):
    for server in tree(rendered(site)[0]).children(b"server"):
        locations = [location.args for location in server.children(b"location")]
        regexes = [index for index, args in enumerate(locations) if args[0] == b"~"]
        assert regexes == list(range(len(regexes)))
        shadows = [args[1] for args in locations if args[0] == b"^~"]
        assert set(shadows) <= {b"/.well-known/acme-challenge/"}


@pytest.mark.parametrize("site", [*LAMMP, *SITES, MINIMAL], ids=lambda site: site["name"])
def test_a_location_with_headers_repeats_the_security_headers(site):
    for server in tree(rendered(site)[0]).children(b"server"):
        wanted = {tuple(header.args) for header in server.children(b"add_header")}
        for location in server.children(b"location"):
            own = {tuple(header.args) for header in location.children(b"add_header")}
            assert not own or wanted <= own


@pytest.mark.parametrize("site", [*LAMMP, *SITES, MINIMAL], ids=lambda site: site["name"])
def test_a_location_with_forwarded_headers_repeats_them_all(site):
    for server in tree(rendered(site)[0]).children(b"server"):
        wanted = {header.args[0] for header in server.children(b"proxy_set_header")}
        for location in server.children(b"location"):
            own = {header.args[0] for header in location.children(b"proxy_set_header")}
            assert not own or wanted <= own


def test_http2_in_the_form_of_the_host():
    (before,) = rendered(MINIMAL, http2_form="listen")
    (since,) = rendered(MINIMAL, http2_form="directive")
    (without,) = rendered(MINIMAL, http2_form="none")
    assert "listen 443 ssl http2;" in before
    assert "http2 on;" not in before
    assert "listen 443 ssl;\n" in since
    assert since.count("    http2 on;\n") == 1
    assert "http2" not in without
    assert "http2" not in rendered({**MINIMAL, "tls": {"http2": False}})[0]


def test_certbots_files_are_included_when_they_exist():
    (certbot,) = rendered(MINIMAL)
    assert f"include {CERTBOT[0]};" in certbot
    assert f"ssl_dhparam {CERTBOT[1]};" in certbot
    assert "ssl_ciphers" not in certbot


def test_the_mozilla_profile_otherwise():
    (own,) = rendered(MINIMAL, missing=CERTBOT)
    assert "include" not in own
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in own
    assert "DHE-RSA-AES128-GCM-SHA256:DHE" not in own
    (with_parameters,) = rendered(MINIMAL, missing=CERTBOT[:1])
    assert ":DHE-RSA-AES128-GCM-SHA256:" in with_parameters


def test_ipv6_only_where_the_kernel_has_it():
    (without,) = rendered(MINIMAL, missing=["/proc/net/if_inet6"])
    assert "[::]" not in without
    (always,) = rendered({**MINIMAL, "listen": {"ipv6": "always"}}, missing=["/proc/net/if_inet6"])
    assert "listen [::]:443" in always
    assert "[::]" not in rendered({**MINIMAL, "listen": {"ipv6": "never"}})[0]


def test_the_port_that_answers_is_taken():
    assert "server 127.0.0.1:8000;" in rendered(MINIMAL)[0]
    assert "server 127.0.0.1:3000;" in rendered(MINIMAL, ports={"a_example_app": 3000})[0]


def test_two_sites_share_no_name():
    names = []
    for content in rendered(
        {**MINIMAL, "name": "a.b"}, {**MINIMAL, "name": "a-b"}, {**MINIMAL, "name": "a.b.app"}
    ):
        for directive in tree(content).block:
            if directive.name in (b"upstream", b"log_format"):
                names.append((directive.name, directive.args[0]))
            if directive.name == b"map":
                names.append((directive.name, directive.args[1]))
    assert len(names) == len(set(names))


def test_a_longer_path_wins_in_any_order():
    for paths in (["/ws/", "/ws/admin/"], ["/ws/admin/", "/ws/"]):
        content = rendered({**MINIMAL, "websockets": [{"path": path} for path in paths]})[0]
        assert content.index('"^/ws/admin/"') < content.index('"^/ws/"')


def test_a_path_without_a_slash_takes_itself_and_what_is_below():
    assert 'location ~ "^/ws(?:/|$)" {' in rendered({**MINIMAL, "websockets": [{"path": "/ws"}]})[0]


def test_everybody_allowed_needs_no_map():
    (content,) = rendered({**MINIMAL, "origins": ["*"]})
    assert "$http_origin" not in content
    assert "return 403" not in content


def test_same_origins_share_a_map_and_others_do_not():
    site = {
        **MINIMAL,
        "websockets": [
            {"path": "/a/"},
            {"path": "/b/", "origins": ["https://b.example"]},
            {"path": "/c/", "origins": ["https://b.example"]},
        ],
    }
    (content,) = rendered(site)
    assert content.count("map $http_origin ") == 2
    assert content.count("if ($a_example_origin_denied_2) {") == 2


def test_the_proof_gets_every_websocket_url():
    (candidate,) = fitted(*LAMMP)["candidates"]
    assert candidate["deploy"]["server_names"] == ["lammp.agaii.org"]
    assert [route["url"] for route in candidate["deploy"]["routes"]] == [
        "wss://lammp.agaii.org/api/mqtt/ws/hints/probe",
        "wss://lammp.agaii.org/ws/probe",
    ]
    assert {route["backend"] for route in candidate["deploy"]["routes"]} == {"http://127.0.0.1:8000"}
    assert {route["origin"] for route in candidate["deploy"]["routes"]} == {"https://lammp.agaii.org"}


def test_the_release_is_told_to_who_connects_from_the_host():
    """Whatever real_ip settings say, ours or those of the rest of the configuration."""
    proxied = {**MINIMAL, "listen": {"proxy_protocol": True}, "real_ip": {"trusted": ["10.0.0.0/8"]}}
    for site in (MINIMAL, proxied):
        (usual,) = rendered(site)
        (without,) = rendered({**site, "real_ip": {}}, realip=False)
        assert "if ($realip_remote_addr != $server_addr)" in usual
        assert "if ($remote_addr != $server_addr)" not in usual
        assert "if ($remote_addr != $server_addr)" in without, "it does not know the other variable"
        assert "realip" not in without
        behind_a_proxy = "if ($proxy_protocol_addr != $server_addr)"
        assert (behind_a_proxy in usual, behind_a_proxy in without) == (site is proxied, site is proxied)


def test_a_websocket_route_asks_for_a_websocket_or_nothing():
    (content,) = rendered(MINIMAL)
    assert "$http_upgrade;" not in content


ROUTE = {"backends": [{"name": "app"}], "websockets": [{"path": "/ws/"}]}


def test_own_pages_are_let_in_beside_others():
    """Naming others locks nobody's own pages out, unless that is said."""
    site = {"name": "chat.test", "origins": ["https://app.test"], **ROUTE}
    text = rendered(site)[0]
    assert 'https://chat.test "";' in text and 'https://app.test "";' in text
    text = rendered({**site, "own_origins": False})[0]
    assert "https://chat.test" not in text.split("server {")[0] and 'https://app.test "";' in text


def test_the_origin_of_a_request_that_is_no_handshake_is_the_backends_to_judge():
    text = rendered({"name": "a.test", **ROUTE})[0]
    assert 'map $http_upgrade $a_test_origin_denied {\n    "" "";' in text


def test_one_header_replaces_itself_alone():
    site = {"name": "a.test", "spa": {"root": "/srv"}}
    text = rendered({**site, "security_headers": {"x-frame-options": "DENY", "X-Mine": "1"}})[0]
    for line in ("x-frame-options DENY", "X-Mine 1", "X-Content-Type-Options nosniff", "Referrer-Policy"):
        assert f"add_header {line}" in text
    assert "SAMEORIGIN" not in text
    assert "X-Frame-Options" not in rendered({**site, "security_headers": {"X-Frame-Options": ""}})[0]
