"""The ordinary web around the WebSockets: certificates, pages, redirects, the API, what must stay hidden."""

from __future__ import annotations

from typing import Any, Dict
from urllib.parse import urlsplit

import pytest

from verify.as_user import visits
from verify.as_user.visits import Crowd
from verify.results import Down, Fail, Finding
from verify.sites import Site
from verify.targets import Target

# X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_HOSTNAME_MISMATCH
EXPIRED, MISNAMED = 10, 62


def test_certificate_holds(target: Target, site: Site, crowd: Crowd, fail: Fail) -> None:
    """A browser accepts the certificate for every name, and gets HTTP/2 where it is on."""
    for endpoint in visits.certificates(site):
        got = crowd.handshake(endpoint)
        if got.error and not got.refused:
            fail(
                f"{target.name} does not serve {site.name} at {endpoint.address}:{endpoint.port}",
                sent=f"a TLS handshake for {endpoint.name}",
                got=got.error,
                fix="listen.addresses of the site must hold that address, or nginx_websocket_verify_address "
                "name one that it listens on; else look at firewalls on the way",
            )
        if got.refused:
            fail(
                f"no browser trusts https://{endpoint.name}",
                sent=f"a TLS handshake for {endpoint.name} to {endpoint.address}:{endpoint.port}",
                got=got.error,
                fix=certificate_fix(endpoint.name, got.code),
            )
        if site.tls.get("http2", True) and got.alpn != "h2":
            fail(
                f"https://{endpoint.name} does not offer HTTP/2",
                sent="h2, http/1.1",
                got=got.alpn or "no protocol chosen",
                fix="check tls.http2 of the site",
            )


def test_pages_are_served(target: Target, site: Site, crowd: Crowd, fail: Fail) -> None:
    """The site answers by every name, over plain HTTP too where it is served there."""
    for ask in visits.front_pages(site):
        got = crowd.ask(ask)
        guarded = got.status == 401 and "www-authenticate" in got.headers
        expected = got.status == 200 or guarded if site.variables.get("spa") else 0 < got.status < 500
        if not expected:
            fail(f"{ask.endpoint.origin} is not served", sent=ask, got=got, fix="look at nginx's error log")


def test_plain_http_is_redirected(target: Target, site: Site, crowd: Crowd, fail: Fail) -> None:
    """Plain HTTP leads to HTTPS, with path and query kept."""
    asked = visits.redirected(site)
    if not asked:
        pytest.skip(f"http.mode is {site.http_mode}")
    for ask in asked:
        got = crowd.ask(ask)
        location = got.headers.get("location", "")
        wanted = site.tls_endpoint(ask.endpoint.name).url(ask.path)
        if got.status not in (301, 302, 307, 308) or location != wanted:
            fail(
                f"plain HTTP of {ask.endpoint.name} does not lead to HTTPS",
                sent=ask,
                got=f"{got}, expected {wanted}",
                fix="another server may take the name on this port: see nginx -T",
            )


def test_www_is_redirected(target: Target, site: Site, crowd: Crowd, fail: Fail) -> None:
    """The ``www.`` name leads to the site's name in the end."""
    asked = visits.www_pages(site)
    if not asked:
        pytest.skip("redirect_www is off")
    for ask in asked:
        got = crowd.ask(ask)
        location = urlsplit(got.headers.get("location", ""))
        if got.status not in (301, 302, 307, 308) or location.hostname not in (site.name, site.www):
            fail(
                f"{site.www} does not lead to {site.name}",
                sent=ask,
                got=got,
                fix="check redirect_www of the site",
            )


def test_acme_path_is_open(target: Target, site: Site, crowd: Crowd, fail: Fail) -> None:
    """A certificate can be renewed: the challenge path is answered from the disk, here with 404."""
    asked = visits.acme_challenges(site)
    if not asked:
        pytest.skip("http.mode is none")
    for ask in asked:
        got = crowd.ask(ask)
        if got.status != 404:
            fail(
                f"the ACME challenge path of {site.name} is not open: its certificate could not be renewed",
                sent=ask,
                got=f"{got}, expected 404 for a challenge that does not exist",
                fix="check http.acme_root of the site, and that no other server takes the name on this port",
            )


def test_release_is_hidden(
    target: Target, site: Site, crowd: Crowd, report: Dict[str, Any], fail: Fail
) -> None:
    """Nobody outside can ask which release runs."""
    if target.local or target.through:
        pytest.skip("nothing can be asked from outside: the way begins on the host itself")
    releases = {ask["release"] for ask in report["releases"] if ask["site"] == site.name and ask["release"]}
    for release in sorted(releases):
        for ask in visits.release_spies(site, release):
            got = crowd.ask(ask)
            if got.error or release in got.body:
                fail(
                    f"the release location of {site.name} can be seen from outside",
                    sent=ask,
                    got=got,
                    fix="an address translation in front of the host may hide where requests come from",
                )


def test_security_headers(target: Target, site: Site, crowd: Crowd, fail: Fail) -> None:
    """The site's own response headers are there in spite of add_header's inheritance."""
    wanted = dict(site.variables.get("security_headers") or {})
    for ask in visits.front_pages(site):
        got = crowd.ask(ask)
        lost = {name: value for name, value in wanted.items() if got.headers.get(name.lower()) != str(value)}
        if lost and not got.error:
            fail(
                f"{ask.endpoint.origin} lacks response headers",
                sent=ask,
                got=f"no {lost}",
                fix="check security_headers",
            )


def test_api_answers(
    target: Target, site: Site, crowd: Crowd, request: pytest.FixtureRequest, fail: Fail, down: Down
) -> None:
    """nginx reaches the backend of each API route; what the backend answers is its own business."""
    if not site.api:
        pytest.skip("the site has no API routes")
    for api in site.api:
        for ask in visits.api_calls(site, api):
            got = crowd.ask(ask)
            if got.error or got.status in (502, 504):
                told = f"{ask}: {got}"
                if backend_is_down(request.getfixturevalue("report"), site):
                    text = f"the backend of {api['path']} of {site.name} does not answer: {told}"
                    down(site.name, api["backend"], text)
                else:
                    fail(f"{api['path']} of {site.name} does not reach its backend", sent=ask, got=got)


def test_preflights(target: Target, site: Site, crowd: Crowd, fail: Fail) -> None:
    """Cross-origin callers that are allowed get their preflight answered by nginx."""
    asked = [ask for api in site.api for ask in visits.preflights(site, api)]
    if not asked:
        pytest.skip("CORS is left to the backend")
    for ask in asked:
        got = crowd.ask(ask)
        allowed = got.headers.get("access-control-allow-origin", "")
        if got.status not in (200, 204) or allowed not in ("*", dict(ask.headers)["Origin"]):
            fail(
                f"a cross-origin call to {ask.path} of {site.name} is refused",
                sent=ask,
                got=f"{got}, Access-Control-Allow-Origin: {allowed or '(none)'}",
                fix="check cors of the API route",
            )


def test_dns(target: Target, site: Site, crowd: Crowd, finding: Finding) -> None:
    """Whether the public names lead to this host. A migration, a proxy or a lab has reasons for no."""
    here = visits.addresses(target.address)
    for name in site.names:
        there = crowd.addresses(name, timeout=3.0)
        if not there:
            finding(f"DNS knows no address of {name}", "dns-unknown")
        elif here and not set(there) & set(here):
            finding(
                f"DNS leads {name} to {', '.join(there)}, not to this host ({', '.join(here)})",
                "dns-elsewhere",
            )


def certificate_fix(name: str, code: int) -> str:
    """Return what to do about a certificate that was refused, by OpenSSL's code (openssl/x509_vfy.h)."""
    if code == MISNAMED:
        return (
            f"the certificate lacks the name {name}: issue it for that name too, or take it out of the site"
        )
    if code == EXPIRED:
        return "renew it: certbot renew; then run site.yml, which reloads nginx"
    return "check tls.certificate of the site (full chain?) and nginx_websocket_verify_ca_file"


def backend_is_down(report: Dict[str, Any], site: Site) -> bool:
    """Whether the site's backends refuse the host itself, too."""
    asked = [ask for ask in report["backends"] if ask["site"] == site.name]
    return bool(asked) and all(ask["answer"]["status"] is None for ask in asked)
