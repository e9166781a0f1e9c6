"""What people do to files and directories of a real host: nothing of theirs is lost or refused falsely."""

from __future__ import annotations

import os

import pytest

from tests.integration.transaction_host import SUITE, TransactionHost, site

AVAILABLE, ENABLED = "/etc/nginx/sites-available/lammp.conf", "/etc/nginx/sites-enabled/lammp.conf"


@pytest.fixture(scope="module")
def started(lab_up):
    return TransactionHost(lab_up(f"tx-ownership-{os.getpid()}", suite=SUITE))


@pytest.fixture
def host(started):
    yield started
    started.sh("rm -rf /srv/nginx /srv/xx.conf; [ -L /etc/nginx ] && rm /etc/nginx; true")
    started.reset()


def test_rules_for_all_sites_under_the_sites_name_stay(host):
    host.write(AVAILABLE, "deny 10.0.0.0/8;\nssl_protocols TLSv1.3;\n")
    host.sh(f"ln -s {AVAILABLE} {ENABLED}")
    before = host.tree()
    done = host.deploy(site(), on_takeover="overwrite")
    assert done["failed"] and AVAILABLE in done["message"] and host.tree() == before


def test_the_hosts_mime_types_are_no_place_for_a_site(host):
    before = host.tree()
    done = host.deploy(site(path="/etc/nginx/mime.types"))
    assert done["failed"] and "/etc/nginx/mime.types" in done["message"] and host.tree() == before


def test_our_file_that_was_removed_comes_back(host):
    host.deploy(site())
    before = host.tree()
    host.sh(f"rm {AVAILABLE}")
    assert not host.valid()
    done = host.deploy(site())
    assert done["outcome"] == "applied" and host.tree() == before, done["message"]


@pytest.mark.parametrize(
    "by_hand",
    [
        f"mv {AVAILABLE} /srv/xx.conf; ln -s /srv/xx.conf {AVAILABLE}",
        f"cp --remove-destination {AVAILABLE} {ENABLED}",
    ],
)
def test_a_moved_or_copied_file_is_rolled_back(host, by_hand):
    host.deploy(site())
    host.sh(by_hand)
    assert host.deploy(site(tail="# two"))["outcome"] == "applied"
    done = host.rollback()
    assert done["outcome"] == "applied", done["message"]
    assert host.serves() == "200 lammp" and "# two" not in host.sh(f"cat {ENABLED}")


@pytest.mark.parametrize(
    "linked",
    [
        "mkdir -p /srv/nginx; mv /etc/nginx/sites-enabled /srv/nginx/; "
        "ln -s /srv/nginx/sites-enabled /etc/nginx/sites-enabled",
        "mv /etc/nginx /srv/nginx; ln -s /srv/nginx /etc/nginx",
    ],
)
def test_directories_that_are_links_are_no_hindrance(host, linked):
    host.sh(f"set -e; {linked}; nginx -t; nginx -s reload")
    done = host.deploy(site())
    assert done["outcome"] == "applied", done["message"]
    assert host.serves() == "200 lammp"
    assert host.deploy(site())["outcome"] == "unchanged"
    assert host.deploy(site(tail="# two"))["outcome"] == "applied"
    assert host.rollback("original")["outcome"] == "applied" and host.serves() != "200 lammp"


def test_a_file_that_others_may_write_is_roots_afterwards(host):
    host.write("/etc/nginx/conf.d/lammp.conf", "server { listen 80; server_name lammp.test; }\n")
    host.sh("chown www-data:www-data /etc/nginx/conf.d/lammp.conf; chmod 664 /etc/nginx/conf.d/lammp.conf")
    done = host.deploy(site(), on_takeover="overwrite")
    assert done["outcome"] == "applied", done["message"]
    assert host.sh("stat -c '%a %U' /etc/nginx/conf.d/lammp.conf").split() == ["644", "root"]
    host.rollback()
    assert host.sh("stat -c '%a %U' /etc/nginx/conf.d/lammp.conf").split() == ["664", "www-data"]


def test_a_server_that_wants_a_certificate_of_everybody_is_refused(host):
    host.sh(
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=lammp.test -days 9 "
        "-keyout /etc/ssl/lammp.key -out /etc/ssl/lammp.pem 2>/dev/null"
    )
    host.write(
        "/etc/nginx/mtls.inc",
        "ssl_certificate /etc/ssl/lammp.pem; ssl_certificate_key /etc/ssl/lammp.key;\n"
        "ssl_client_certificate /etc/ssl/lammp.pem;\nssl_verify_client on;\n",
    )
    before = host.tree()
    done = host.deploy(site(listen="443 ssl; include /etc/nginx/mtls.inc", routes=False))
    assert done["failed"] and "/etc/nginx/mtls.inc:3" in done["message"], done["message"]
    assert done["outcome"] == "refused" and host.tree() == before
