"""TLS as it goes wrong in the field: name, date, authority, protocol, plain HTTP on the port."""

import re
import ssl

import pytest

from module_utils.nginx_websocket.exchange.probe import probe
from module_utils.nginx_websocket.exchange.tls import decode_pem
from tests.unit.websocket.tiny_server import Authority, TinyServer, answer, open_and_echo, raw


def ask(server, name="a.test", **options):
    return probe(f"wss://{name}/ws", address=("127.0.0.1", server.port), timeout=10, **options)


@pytest.fixture(scope="module")
def right(authority):
    return authority.issue("a.test", names="DNS:a.test,DNS:*.a.test,IP:127.0.0.1")


def test_right_certificate(authority, right):
    context = authority.server_context(right, alpn=["h2", "http/1.1"])
    with TinyServer(open_and_echo, tls=context) as server:
        result = ask(server, cafile=authority.cafile)
    assert (result.opened, result.pong, result.error) == (True, True, "")
    assert result.tls["version"].startswith("TLSv1.")
    assert (result.tls["alpn"], result.tls["verify_error"]) == ("http/1.1", "")  # h2 is never offered
    assert (result.tls["subject"], result.tls["issuer"]) == ("O=Tiny, CN=a.test", "CN=Tiny Test CA")
    assert result.tls["names"] == ["a.test", "*.a.test", "127.0.0.1"]
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", result.tls["not_after"])
    assert b"\r\nHost: a.test\r\n" in server.requests[0]


def test_name_goes_into_sni(authority, right):
    seen = []
    context = authority.server_context(right)
    context.sni_callback = lambda sock, name, ctx: seen.append(name)
    with TinyServer(open_and_echo, tls=context) as server:
        assert ask(server, "b.a.test", cafile=authority.cafile).opened
    assert seen == ["b.a.test"]


def test_address_in_the_url_is_checked_as_an_address(authority, right):
    with TinyServer(open_and_echo, tls=authority.server_context(right)) as server:
        result = probe(f"wss://127.0.0.1:{server.port}/", cafile=authority.cafile)
    assert result.opened


@pytest.mark.parametrize(
    "name, days, problem",
    [("a.test", -1, "expired"), ("other.test", 5, "Hostname mismatch")],
)
def test_certificate_that_does_not_verify(authority, name, days, problem):
    stem = authority.issue(name, days=days, stem=f"{name}{days}")
    with TinyServer(open_and_echo, tls=authority.server_context(stem)) as server:
        refused = ask(server, cafile=authority.cafile)
        taken = ask(server, cafile=authority.cafile, verify=False)
    assert (refused.opened, refused.error_kind, refused.status) == (False, "tls", None)
    assert problem in refused.error
    assert (taken.opened, taken.error_kind) == (True, "")
    for result in (refused, taken):
        assert problem in result.tls["verify_error"]
        assert result.tls["subject"] == f"O=Tiny, CN={name}"  # read although it does not verify
        assert result.tls["not_after"]
    assert len(server.requests) == 1


def test_unknown_authority(authority, right, tmp_path):
    with TinyServer(open_and_echo, tls=authority.server_context(right)) as server:
        system = ask(server)
        # By another name: OpenSSL 1.1 looks for the issuer by name alone, and then finds a wrong signature.
        other = ask(server, cafile=Authority(str(tmp_path), "Another Test CA").cafile)
    for result in (system, other):
        assert result.error_kind == "tls"
        assert "local issuer" in result.tls["verify_error"]


def test_a_servers_own_certificate_is_no_authority(authority, right, monkeypatch):
    make = ssl.create_default_context

    def as_python_3_13(cafile=None):
        context = make(cafile=cafile)
        context.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_python_3_13)
    with TinyServer(open_and_echo, tls=authority.server_context(right)) as server:
        result = ask(server, cafile=right + ".pem")
    assert result.error_kind == "tls"


@pytest.mark.parametrize("behaviour", [answer("400 Bad Request"), raw(b"hello, this is no TLS at all\r\n")])
def test_port_without_tls(behaviour):
    with TinyServer(behaviour, read=False) as server:
        result = ask(server)
    assert result.error_kind == "tls"
    assert "does not speak TLS" in result.error


def test_port_that_closes_instead_of_a_handshake():
    with TinyServer(lambda talk: None, read=False) as server:
        result = ask(server)
    assert result.error_kind == "tls"
    assert "TLS handshake" in result.error


def test_port_that_is_silent():
    with TinyServer(lambda talk: talk.wait_for_client(), read=False) as server:
        result = probe("wss://a.test/", address=("127.0.0.1", server.port), timeout=0.4)
    assert (result.error_kind, "no TLS handshake within 0.4 s" in result.error) == ("tls", True)
    assert result.seconds < 2


def test_server_with_too_old_a_protocol(authority, right):
    import ssl

    context = authority.server_context(right)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")  # RSA key exchange, and our key is EC: nothing in common
    with TinyServer(open_and_echo, tls=context) as server:
        result = ask(server, cafile=authority.cafile)
    assert result.error_kind == "tls"
    assert "share no cipher" in result.error


def test_server_that_wants_a_client_certificate(authority, right):
    import ssl

    context = authority.server_context(right)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.cafile)
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # where the refusal comes after the handshake
    with TinyServer(open_and_echo, tls=context) as server:
        result = ask(server, cafile=authority.cafile)
    assert (result.opened, result.error_kind) == (False, "tls")
    assert "CERTIFICATE_REQUIRED" in result.error


@pytest.mark.parametrize("content, message", [(None, "No such file"), ("nonsense", "cannot be used")])
def test_bad_cafile(tmp_path, content, message):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        probe("wss://a.test/", address=("127.0.0.1", 1), cafile=str(path))
    assert str(path) in str(caught.value)


def test_decoding_files(authority, tmp_path):
    assert dict(part[0] for part in decode_pem(authority.cafile)["subject"]) == {"commonName": "Tiny Test CA"}
    nonsense = tmp_path / "x.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(ValueError, match="holds no PEM certificate"):
        decode_pem(str(nonsense))
    with pytest.raises(FileNotFoundError):
        decode_pem(str(tmp_path / "none.pem"))
