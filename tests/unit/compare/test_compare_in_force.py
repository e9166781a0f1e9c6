"""Directives that nobody models: each that is in force at one end only is told."""

from __future__ import annotations

import pytest

from tests.unit.compare.trees import API, PROXY, SPA, compared


@pytest.mark.parametrize(
    ("line", "site", "kind"),
    [
        ("sub_filter a b;", API, "settings"),
        ("charset utf-8;", SPA, "settings"),
        ("proxy_cookie_path / /app/;", API, "settings"),
        ("proxy_redirect off;", API, "settings"),
        ("proxy_cache zone;", API, "settings"),
        ("mirror /copy;", API, "settings"),
        ("limit_rate 10k;", SPA, "settings"),
        ("types { text/plain html; }", SPA, "settings"),
        ("set_real_ip_from 10.0.0.0/8;", API, "settings"),
        ("of_a_module_that_nobody_knows on;", SPA, "settings"),
        ("modsecurity on;", API, "guard-lost"),
        ("dav_methods PUT;", SPA, "elsewhere"),
    ],
)
def test_it_is_told(line: str, site: str, kind: str) -> None:
    found = compared(line + site, site).differences
    assert [(one.parting.kind, one.parting.name) for one in found] == [(kind, line.split()[0])]
    assert [one.parting.kind for one in compared(site, line + site).differences] == ["settings"]


@pytest.mark.parametrize(
    "line", ["server_tokens on;", "fastcgi_cache_key a;", "tcp_nopush on;", "proxy_buffer_size 8k;"]
)
def test_what_no_user_could_observe_is_not(line: str) -> None:
    """nginx's own default, a module that is not asked, what only the kernel sees."""
    site = "root /srv/app; location / { try_files $uri /index.html; } "
    assert compared(line + site, site + " ").differences == []


@pytest.mark.parametrize(
    "line", ["proxy_set_header Authorization 'Basic c2VjcmV0'", "add_header X-Api-Key s3cr3tw0rd"]
)
def test_secrets_are_not_shown(line: str) -> None:
    live = API.replace(PROXY + " } ", f"{line}; {PROXY} }} ")
    said = repr(compared(live, API).as_dict())
    name, secret = line.split()[1], line.split()[-1].strip("'")
    assert name in said and secret not in said
