"""Authorities for a backend's certificate: only a file that verifies it, where that is what is missing."""

from __future__ import annotations

import types

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence import place
from module_utils.nginx_websocket.diagnosis.reach import authority
from tests.unit.diagnosis.seen import UP, about_upstream, host, page, site

UNKNOWN = (
    "upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking"
)
OTHER = 'upstream SSL certificate does not match "backend.test" while SSL handshaking'


@pytest.fixture
def certs(tmp_path, monkeypatch):
    """A folder of certificates, and who was asked with which of them; ``right`` verifies."""
    for name in ("cert.pem", "own-ca.pem", "z.pem", "notes.txt"):
        (tmp_path / name).write_text("x")
    seen = types.SimpleNamespace(folder=tmp_path, asked=[], right="own-ca.pem", answers="http-status")

    def probe(url, *, address, cafile, **_):
        seen.asked.append((url, address, cafile.rpartition("/")[2]))
        good = cafile == str(tmp_path / seen.right)
        return types.SimpleNamespace(error_kind=seen.answers if good else "tls")

    monkeypatch.setattr(authority, "probe", probe)
    monkeypatch.setattr(authority, "SYSTEM", str(tmp_path / "no such file"))
    monkeypatch.setattr(place, "resolve", lambda facts, name: [name])
    return seen


def finding(certs, words=UNKNOWN, lines="", to="https://127.0.0.1:8000"):
    own = f"proxy_ssl_verify on; proxy_ssl_name backend.test; {lines}".replace("DIR", str(certs.folder))
    body = f"    location / {{\n        {UP}\n{own}\n        proxy_pass {to};\n    }}"
    tls = f"    ssl_certificate {certs.folder}/cert.pem;\n    ssl_certificate_key k;\n"
    log = [about_upstream(words, f"{to}/ws/x")]
    return conclude_live(host(site(tls + body), {"loopback": page(502)}, log=log)).findings[0]


@pytest.mark.parametrize("lines", ["", "proxy_ssl_trusted_certificate DIR/cert.pem;"])
def test_the_file_that_verifies_is_named(certs, lines):
    found = finding(certs, lines=lines)
    assert found.code == "upstream-tls-failed"
    changed = found.change.diff()
    assert f"proxy_ssl_trusted_certificate {certs.folder}/own-ca.pem;" in changed
    assert ("-proxy_ssl_verify" in changed) == bool(lines)
    assert {one[:2] for one in certs.asked} == {("https://backend.test:8000/", ("127.0.0.1", 8000))}
    assert all(name != "notes.txt" for _, _, name in certs.asked)


def test_what_is_trusted_already_is_not_asked_again(certs):
    finding(certs, lines="proxy_ssl_trusted_certificate DIR/own-ca.pem;")
    assert [name for _, _, name in certs.asked] == ["cert.pem", "z.pem"]


def test_where_nothing_verifies_nothing_is_offered(certs):
    certs.right = "none"
    found = finding(certs)
    assert found.change is None or "trusted_certificate" not in found.change.diff()
    assert len(certs.asked) == 3


@pytest.mark.parametrize(
    ("words", "to"), [(OTHER, "https://127.0.0.1:8000"), (UNKNOWN, "http://127.0.0.1:8000")]
)
def test_other_faults_ask_nobody(certs, words, to):
    finding(certs, words, to=to)
    assert certs.asked == []


@pytest.mark.parametrize("answers", ["connect-refused", "connect-timeout", "tls", "dns"])
def test_what_is_not_reached_verifies_nothing(certs, answers):
    certs.answers = answers
    found = finding(certs)
    assert found.change is None or "trusted_certificate" not in found.change.diff()
