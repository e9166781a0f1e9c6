"""Certificates as files: every way in which a pair is no good."""

import os
import ssl
import subprocess
import time

import pytest

from module_utils.nginx_websocket.host.certificates import carried_over, check_certificate, covers
from module_utils.nginx_websocket.host.sites import ServerBlock


@pytest.fixture(scope="module")
def pair(authority):
    stem = authority.issue("a.test", days=20, names="DNS:a.test,DNS:*.b.test")
    return stem + ".pem", stem + ".key"


def test_right_pair(pair):
    checked = check_certificate(*pair, names=["a.test", "www.b.test"])
    assert (checked.usable, checked.key_matches, checked.problem) == (True, True, "")
    assert (checked.subject, checked.issuer) == ("O=Tiny, CN=a.test", "CN=Tiny Test CA")
    assert checked.names == ["a.test", "*.b.test"]
    assert 19.9 < checked.days_left <= 20
    assert (checked.missing_names, checked.self_signed) == ([], False)


def test_names_that_it_is_not_valid_for(pair):
    checked = check_certificate(*pair, names=["b.test", "x.www.b.test", "a.test"])
    assert (checked.usable, checked.missing_names) == (True, ["b.test", "x.www.b.test"])


def test_foreign_key(pair, authority):
    other = authority.issue("other.test")
    checked = check_certificate(pair[0], other + ".key")
    assert (checked.usable, checked.key_matches) == (False, False)
    assert "does not belong to" in checked.problem


@pytest.mark.parametrize("reason", ["NO_CERTIFICATE_ASSIGNED", "KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"])
def test_foreign_key_as_every_openssl_says_it(pair, monkeypatch, reason):
    class Refusing:
        def __init__(self, *_):
            pass

        def load_cert_chain(self, *_, **__):
            error = ssl.SSLError("refused")
            error.reason = reason
            raise error

    monkeypatch.setattr(ssl, "SSLContext", Refusing)
    checked = check_certificate(*pair)
    assert (checked.usable, checked.key_matches) == (False, False)
    assert checked.problem == f"the key {pair[1]} does not belong to the certificate {pair[0]}"


def test_expired_is_usable_and_says_so(authority):
    stem = authority.issue("old.test", days=-1)
    checked = check_certificate(stem + ".pem", stem + ".key")
    assert checked.usable
    assert checked.days_left < -0.9
    later = check_certificate(stem + ".pem", "", now=time.time() + 86400 * 10)
    assert later.days_left < -10.9


def test_self_signed(authority):
    checked = check_certificate(
        authority.cafile, os.path.join(authority.directory, "ca.key"), names=["x.test"]
    )
    assert (checked.usable, checked.self_signed) == (True, True)
    assert checked.missing_names == ["x.test"]


def test_without_a_key_the_certificate_alone_is_read(pair):
    checked = check_certificate(pair[0], "")
    assert (checked.usable, checked.key_matches) == (True, None)


def test_missing_files(pair, tmp_path):
    assert check_certificate("/nope.pem", pair[1]).problem == "/nope.pem does not exist"
    assert check_certificate(pair[0], "/nope.key").problem == "/nope.key does not exist"
    link = tmp_path / "fullchain.pem"
    os.symlink("../archive/gone.pem", link)
    assert (
        "is a symlink to ../archive/gone.pem, which does not exist"
        in check_certificate(str(link), "").problem
    )
    assert not check_certificate(str(link), "").usable


def test_files_that_hold_something_else(pair, tmp_path):
    empty, nonsense = tmp_path / "empty", tmp_path / "nonsense"
    empty.write_text("")
    nonsense.write_text("nonsense\n")
    assert "is empty" in check_certificate(str(empty), pair[1]).problem
    assert "holds no PEM certificate" in check_certificate(str(nonsense), pair[1]).problem
    assert "holds no PEM certificate" in check_certificate(pair[1], pair[1]).problem
    checked = check_certificate(pair[0], str(nonsense))
    assert not checked.usable
    assert "no private key" in checked.problem
    assert "cannot be read: Is a directory" in check_certificate(str(tmp_path), "").problem


def test_encrypted_key_fails_instead_of_asking(pair, tmp_path):
    key = str(tmp_path / "secret.key")
    subprocess.run(
        ["openssl", "pkey", "-in", pair[1], "-aes128", "-passout", "pass:x", "-out", key],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    checked = check_certificate(pair[0], key)
    assert not checked.usable
    assert "encrypted" in checked.problem


@pytest.mark.parametrize(
    "pattern, name, covered",
    [
        ("a.test", "A.test.", True),
        ("*.a.test", "b.a.test", True),
        ("*.a.test", "a.test", False),
        ("*.a.test", "c.b.a.test", False),
        ("*.a.test", ".a.test", False),
        ("a.test", "ba.test", False),
    ],
)
def test_wildcards_stand_for_one_label(pattern, name, covered):
    assert covers(pattern, name) is covered


def block(certificate, key="k.pem", names=("A.test",)):
    return ServerBlock(
        names=list(names), listen=[], file="", line=1, certificate=certificate, certificate_key=key
    )


@pytest.mark.parametrize(
    ("certificate", "carried"),
    [
        ("live/c.pem", ("/etc/nginx/live/c.pem", "/etc/nginx/k.pem")),
        ("/srv/c.pem", ("/srv/c.pem", "/etc/nginx/k.pem")),
        ("$ssl_server_name.pem", ("", "")),
        ("engine:pkcs11:c", ("", "")),
        ("", ("", "")),
    ],
)
def test_a_certificate_is_carried_over_by_the_path_that_nginx_opens(certificate, carried):
    assert carried_over([block(certificate)], ["a.test"], "/etc/nginx/nginx.conf") == carried


def test_the_first_name_that_has_a_certificate_decides():
    servers = [block("/b.pem", "/b.key", ["b.test"]), block("/a.pem", "/a.key"), block("", "", ["c.test"])]
    assert carried_over(servers, ["c.test", "a.test", "b.test"], "/n.conf") == ("/a.pem", "/a.key")
    assert carried_over(servers, ["d.test"], "/n.conf") == ("", "")
