"""The rendered files, loaded and served by the real nginx of each Debian release."""

from __future__ import annotations

import copy
import json
import re
from typing import Any, Dict, List

import pytest
import yaml

from module_utils.nginx_websocket.exchange.probe import probe
from roles.nginx_websocket.site_model.rendering.quoting import quoted
from tests.unit.role.rendering import ROOT, rendered

SITES = yaml.safe_load((ROOT / "tests/unit/role/sites.yml").read_text())
LAMMP = yaml.safe_load((ROOT / "inventory/lab/group_vars/nginx_websocket.yml").read_text())[
    "nginx_websocket_sites"
]
RELEASE = "0123456789abcdef0123456789abcdef"
NAME = "lammp.test"


def lammp() -> Dict[str, Any]:
    """Return the lab's site."""
    return json.loads(json.dumps(LAMMP[0]))


def http2_form(host: Any) -> str:
    """Return how the host's nginx takes HTTP/2."""
    version = re.search(r"nginx/([0-9.]+)", host.sh("nginx -v 2>&1")).group(1)
    return "directive" if tuple(map(int, version.split("."))) >= (1, 25, 1) else "listen"


def install(host: Any, sites: List[Dict[str, Any]], **facts: Any) -> str:
    """Put the files of sites in place of all that is there, and return what ``nginx -t`` says."""
    host.sh(
        "rm -f /etc/nginx/sites-enabled/*; mkdir -p /etc/ssl/lab;"
        f"ln -sf /etc/letsencrypt/live/{NAME}/fullchain.pem /etc/ssl/lab/site.pem;"
        f"ln -sf /etc/letsencrypt/live/{NAME}/privkey.pem /etc/ssl/lab/site.key"
    )
    for site, content in zip(sites, rendered(*sites, http2_form=http2_form(host), **facts)):
        host.write(f"/etc/nginx/sites-enabled/{site['name']}", content.replace("@RELEASE@", RELEASE))
    return host.sh("nginx -t 2>&1", check=False)


@pytest.fixture(scope="module", params=["bullseye", "bookworm", "trixie", "forky"])
def suite_host(request, lab_up):
    return lab_up(f"template-{request.param}", suite=request.param)


def test_every_key_is_taken_by_nginx_without_a_warning(suite_host):
    said = install(suite_host, [lammp(), *SITES])
    assert said.splitlines() == [
        "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok",
        "nginx: configuration file /etc/nginx/nginx.conf test is successful",
    ]


def test_the_mozilla_profile_is_taken_too(suite_host):
    said = install(suite_host, [lammp()], missing=["/etc/letsencrypt/options-ssl-nginx.conf"])
    assert "test is successful" in said
    assert "warn" not in said


#: Longer than any real one: nginx's hashes for variables and maps have buckets of 64 bytes.
LONG = "a-long-name-" + "x" * 30 + ".example.org"


def test_long_names_fit_into_nginxs_hashes(suite_host):
    site = copy.deepcopy({**SITES[0], "name": LONG, "server_names": [LONG], "redirect_www": False})
    site["limits"] = {}  # twelve routes would need larger ones
    site["origins"] = [f"https://{'o' * length}.example" for length in range(1, 60)]
    site["websockets"] = [{"path": f"/{number}/", "origins": [f"https://{number}.a"]} for number in range(12)]
    assert "test is successful" in install(suite_host, [site])


@pytest.fixture(scope="module")
def served(lab_up):
    """Return a host that serves the lammp site."""
    host = lab_up("template-served")
    assert "test is successful" in install(host, [lammp()])
    # A restart, since old workers may take a connection or two after a reload.
    host.sh("systemctl restart nginx")
    return host


def curl(host: Any, url: str, *flags: str) -> str:
    """Ask the site from outside its loopback address, as a user does."""
    places = [f"{name}:{port}:{host.address}" for name in (NAME, f"www.{NAME}") for port in (80, 443)]
    resolve = [word for place in places for word in ("--resolve", place)]
    return host.run("curl", "-sk", "-i", *resolve, *flags, url).replace("\r\n", "\n")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        (f"https://{NAME}", 101),
        (f"http://{NAME}", 101),
        (f"https://{NAME.upper()}", 101),
        (f"https://{NAME}.evil.example", 403),
        (f"https://evil.{NAME}", 403),
        (f"https://{NAME}:8443", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("file://", 403),
        ("1", 403),
        ("denied", 403),
    ],
)
def test_origins(served, scheme, origin, status):
    port = 443 if scheme == "wss" else 80
    result = probe(
        f"{scheme}://{NAME}/api/mqtt/ws/hints/test",
        address=(served.address, port),
        origin=origin,
        verify=False,
    )
    assert result.status == status


@pytest.mark.parametrize("path", ["/api/mqtt/ws/hints/a", "/api/mqtt/w%73/hints/a"])
def test_a_websocket_opens(served, path):
    assert probe(f"wss://{NAME}{path}", address=(served.address, 443), verify=False).opened


def test_an_upgrade_to_anything_else_is_not_asked_for(served):
    answer = curl(
        served,
        f"https://{NAME}/ws/x",
        "--http1.1",
        "-H",
        "Connection: Upgrade, HTTP2-Settings",
        "-H",
        "Upgrade: h2c",
    )
    assert not answer.startswith("HTTP/1.1 101")


def test_a_general_route_does_not_upgrade(served):
    """What is no WebSocket route cannot be used to go round the check of Origin."""
    answer = probe(
        f"wss://{NAME}/api/docs", address=(served.address, 443), origin="https://evil.example", verify=False
    )
    assert answer.status == 200


def test_the_log_shows_no_token(served):
    secrets = ["wellhidden1", "wellhidden2", "wellhidden3", "wellhidden4"]
    for path in ("/ws/%s", "//ws//%s", "/%%77s/%s", "/api/docs?token=%s"):
        probe(f"wss://{NAME}{path % secrets.pop()}", address=(served.address, 443), verify=False)
    log = served.sh(f"cat /var/log/nginx/{NAME}.access.log")
    assert "wellhidden" not in log
    assert log.count('"GET /ws/*** HTTP/1.1" ') >= 3
    assert '"GET /ws/*** HTTP/1.1" 101 upgrade="websocket" seconds=' in log
    assert '"GET /api/docs HTTP/1.1" 200 upgrade="websocket"' in log


def test_preflight(served):
    answer = curl(
        served, f"https://{NAME}/api/docs", "-X", "OPTIONS", "-H", "Origin: https://elsewhere.example"
    )
    assert answer.startswith("HTTP/2 204")
    assert answer.lower().count("access-control-allow-origin: *\n") == 1
    assert "x-frame-options: SAMEORIGIN" in answer


def test_the_backends_own_cors_headers_are_not_doubled(served):
    answer = curl(served, f"https://{NAME}/api/docs", "-H", "Origin: https://elsewhere.example")
    assert answer.lower().count("access-control-allow-origin:") == 1


def test_assets_are_cached_and_a_missing_one_is_404(served):
    page = curl(served, f"https://{NAME}/some/deep/link")
    assert page.startswith("HTTP/2 200")
    assert "cache-control: no-cache" in page
    (asset,) = re.findall(r'src="(/assets/[^"]+)"', page)[:1]
    answer = curl(served, f"https://{NAME}{asset}")
    assert "cache-control: public, max-age=31536000, immutable" in answer
    assert "x-content-type-options: nosniff" in answer
    assert curl(served, f"https://{NAME}/assets/missing.js").startswith("HTTP/2 404")


def test_hidden_files_are_for_nobody(served):
    root = f"/var/www/{NAME}"
    served.write(f"{root}/.env", "wellhidden")
    served.write(f"{root}/sub/.git/config", "wellhidden")
    served.write(f"{root}/.well-known/security.txt", "Contact: us")
    for path in ("/.env", "/sub/.git/config", "/%2eenv", "/sub//.git/config"):
        answer = curl(served, f"https://{NAME}{path}")
        assert answer.startswith("HTTP/2 404") and "wellhidden" not in answer
    assert curl(served, f"https://{NAME}/.well-known/security.txt").endswith("Contact: us")
    assert curl(served, f"https://{NAME}/deep.link/v1.2").startswith("HTTP/2 200")


def test_the_release_is_told_to_the_host_alone(served):
    path = f"/.well-known/nginx-websocket/{RELEASE}"
    for scheme, port in (("http", 80), ("https", 443)):
        for name in (NAME, f"www.{NAME}"):
            inside = served.run(
                "curl", "-sk", "--resolve", f"{name}:{port}:127.0.0.1", f"{scheme}://{name}{path}"
            )
            assert inside == f"{RELEASE}\n"
    outside = probe(f"wss://{NAME}{path}", address=(served.address, 443), verify=False, upgrade=False)
    assert outside.status == 404


def test_www_goes_to_the_name(served):
    answer = curl(served, f"http://www.{NAME}/a?b=c")
    assert answer.startswith("HTTP/1.1 301")
    assert f"Location: https://{NAME}/a?b=c\n" in answer


def test_the_acme_path_stays_open(served):
    served.write("/var/www/html/.well-known/acme-challenge/token", "answer")
    for name in (NAME, f"www.{NAME}"):
        assert curl(served, f"http://{name}/.well-known/acme-challenge/token").endswith("answer")


def test_connections_to_the_backend_are_kept(served):
    before = served.sh("ss -tn state established '( dport = :8000 )' | tail -n +2 | wc -l")
    urls = [f"https://{NAME}/api/docs"] * 8
    served.run("curl", "-sk", "--resolve", f"{NAME}:443:127.0.0.1", *urls)
    after = served.sh("ss -tn state established '( dport = :8000 )' | tail -n +2 | wc -l")
    assert int(after) - int(before) <= 2
    assert int(after) >= 1


NASTY = [
    '"',
    "'",
    "\\",
    "\\\\",
    '\\"',
    "a;b",
    "a{b}c",
    "} server { listen 1; }",
    "# comment",
    "a b",
    "\\n",
    "\\t\\r",
    "^/ws/\\d+\\.json",
    'x" always; return 200 "',
    "ends in \\",
    "é ü \N{SNOWMAN}",
]


def test_real_nginx_reads_what_was_quoted(served):
    locations = "\n".join(
        f"location = /{number} {{ return 200 {quoted(text)}; }}" for number, text in enumerate(NASTY)
    )
    served.write("/etc/nginx/sites-enabled/nasty", f"server {{ listen 127.0.0.1:8099;\n{locations}\n}}\n")
    try:
        served.sh("nginx -t && systemctl reload nginx")
        read = [
            served.sh(f"curl -s --retry 5 --retry-connrefused --retry-delay 1 http://127.0.0.1:8099/{number}")
            for number in range(len(NASTY))
        ]
    finally:
        served.sh("rm /etc/nginx/sites-enabled/nasty; systemctl reload nginx")
    assert read == NASTY
