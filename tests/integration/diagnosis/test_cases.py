"""Every case against real nginx: the recorded failures get their cause, what works gets "works".

``-s`` shows the tables; CASES_ALL=1 runs all cases on every nginx version, not on bookworm's alone.
"""

from __future__ import annotations

import json
import os

import pytest

from tests.cases.run_cases import table
from tests.integration.contained import python_beside_nginx

# Where nginx's versions differ: defaults of proxy_http_version and Connection (1.29.7), http2 on a plain
# listen
# (1.25.1), the map that is switched off with them; and one case of each kind beside them.
EDGES = [
    "001-",
    "005-",
    "006-",
    "017-",
    "024-",
    "026-",
    "068-",
    "090-",
    "115-",
    "118-",
    "122-",
    "128-",
    "136-",
    "http10-",
    "http2-",
    "ok-http10",
    "ok-key-only",
    "ok-two-hops",
    "worker-connections",
    "limit-conn",
]


# What the page hid is the backend's own refusal, which no line of nginx cures. The socket that opens through
# two servers of nginx is ended by the second one's proxy_read_timeout of 4 s.
ANOTHER_CAUSE_BEHIND = {
    "026-hardcoded-upgrade-behind-stripping-proxy",
    "111-error-page-hides-refusal",
    "server-name-typo-tls",
}


def run_cases(suite, data, words, modules=False):
    arguments = ["-m", "tests.cases.run_cases", "--json", "--data", data, *words]
    return json.loads(python_beside_nginx(suite, *arguments, modules=modules))


def judge(results):
    """Every case is right, and every diff that was offered opens the socket."""
    wrong = {
        result["name"]: (
            result["expected"],
            result["verdict"],
            result["causes"],
            result["report"].get("error"),
        )
        for result in results
        if not result["right"]
    }
    assert not wrong
    # A diff that is offered cures: the same question, asked again after it, gets "works".
    uncured = {
        result["name"]: result["cured"]
        for result in results
        if result["cured"] not in ("", "works") and result["name"] not in ANOTHER_CAUSE_BEHIND
    }
    assert not uncured


@pytest.mark.parametrize("suite", ["bullseye", "bookworm", "trixie", "forky"])
@pytest.mark.parametrize(
    "data",
    [f"tests/cases/{folder}" for folder in ("data", "own", "reported", "applications", "situations")],
)
def test_cases(suite, data):
    words = [] if suite == "bookworm" or os.environ.get("CASES_ALL") else EDGES
    if words and data.endswith(("reported", "applications", "situations")):
        pytest.skip("what differs between versions stands in the others; CASES_ALL=1 runs these, too")
    results = run_cases(suite, data, words)
    print("\n" + table(results))
    judge(results)
    assert len(results) >= (50 if not words else 5)


@pytest.mark.parametrize("suite", ["bullseye", "bookworm", "trixie", "forky"])
def test_cases_of_modules_that_are_packages_of_their_own(suite):
    """``stream`` in front, and headers-more: hosts of the lab have neither."""
    if suite != "bookworm" and not os.environ.get("CASES_ALL"):
        pytest.skip("CASES_ALL=1 runs them on every version")
    results = []
    for folder in ("reported", "applications", "situations"):
        results += run_cases(suite, f"tests/cases/{folder}", ["--modules"], modules=True)
    print("\n" + table(results))
    judge(results)
    assert len(results) >= (18 if suite != "bullseye" else 17)
