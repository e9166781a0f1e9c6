"""A certificate that does not verify: what of it is a fault, and what only unknown to this host."""

from __future__ import annotations

import time

import pytest

from module_utils.nginx_websocket.diagnosis.tls.issuer import certificate_fault, unknown_issuer
from module_utils.nginx_websocket.exchange.result import Probe
from tests.unit.diagnosis.seen import URL

LOCAL = "unable to get local issuer certificate"


def at(days: float) -> str:
    """A time so many days from now, as a certificate says it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86400))


def probe(**tls) -> Probe:
    """A handshake whose certificate did not verify."""
    given = {"verify_error": LOCAL, "names": ["app.test"], "issuer": "CN=house", **tls}
    return Probe(URL, error_kind="tls", tls={"not_before": at(-9), "not_after": at(9), **given})


@pytest.mark.parametrize(
    "problem",
    [LOCAL, "unable to verify the first certificate", "self-signed certificate in certificate chain"],
)
def test_an_issuer_of_the_house_is_only_unknown(problem):
    assert unknown_issuer(probe(verify_error=problem))


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ({"not_after": at(-1)}, "it expired"),
        ({"not_before": at(1)}, "not valid before"),
        ({"names": ["other.test"]}, "it is for other.test, not for app.test"),
    ],
)
def test_a_certificate_that_is_wrong_by_its_own_words_is_a_fault_whoever_issued_it(tls, words):
    found = probe(**tls)
    assert words in certificate_fault(found, URL)
    assert not unknown_issuer(found)


@pytest.mark.parametrize("names", [["app.test"], ["*.test"], ["x.test", "app.test"], []])
def test_a_name_that_fits_is_none(names):
    assert certificate_fault(probe(names=names), URL) == ""


def test_the_missing_intermediate_of_a_public_authority_is_a_fault():
    assert not unknown_issuer(probe(issuer="C=US, O=Let's Encrypt, CN=R11"))


@pytest.mark.parametrize("problem", ["", "self-signed certificate", "certificate has expired"])
def test_other_problems_are_not_about_the_issuer(problem):
    assert not unknown_issuer(probe(verify_error=problem))
