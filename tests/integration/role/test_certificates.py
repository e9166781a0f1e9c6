"""Certificates over time: those of the old file are kept, and renewals take hold by themselves."""

from __future__ import annotations

import socket
import ssl

import pytest

from module_utils.nginx_websocket.exchange.probe import probe
from tests.integration.conftest import LabHost, LabUp

OLD = "/etc/nginx/sites-available/lammp.test"
LIVE = "/etc/letsencrypt/live/lammp.test"
OWN = "/srv/certificates/lammp"


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    return lab_up("certificates", scenes=["broken"])


def served(host: LabHost) -> bytes:
    """The certificate that nginx shows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((host.address, 443), 5) as raw, context.wrap_socket(
        raw, server_hostname="lammp.test"
    ) as tls:
        shown = tls.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def deploy(host: LabHost) -> str:
    done = host.playbook("playbooks/deploy.yml")
    assert done.returncode == 0, done.stdout
    # Warnings are on standard error, in lines as Ansible breaks them.
    return " ".join((done.stdout + done.stderr).split())


def test_certificates_of_the_old_file_are_carried_over(host: LabHost) -> None:
    """The variables name none; those in the file that is taken over lie elsewhere than certbot's."""
    host.sh(
        f"mkdir -p {OWN} && cp -L {LIVE}/fullchain.pem {LIVE}/privkey.pem {OWN}/ && rm -r {LIVE} && "
        f"sed -i 's|{LIVE}|{OWN}|' {OLD} && nginx -t && systemctl reload nginx"
    )
    before = served(host)
    deploy(host)
    content = host.sh(f"cat {OLD}")
    assert f"ssl_certificate {OWN}/fullchain.pem;" in content
    assert f"ssl_certificate_key {OWN}/privkey.pem;" in content
    assert LIVE not in content
    assert served(host) == before
    assert "changed=0" in deploy(host)


def test_a_renewal_takes_hold_and_the_release_stays_proven(host: LabHost) -> None:
    """As certbot does it: new files, links that point to them, `nginx -s reload` as the hook."""
    host.sh(
        f"cd {OWN} && for name in fullchain privkey; do "
        "mv $name.pem $name-1.pem; ln -s $name-1.pem $name.pem; done"
    )
    deploy(host)  # the inode changed, and only nginx knows what it has read: it is reloaded once
    assert "changed=0" in deploy(host)
    before = served(host)
    host.sh(
        f"cd {OWN} && openssl req -x509 -newkey rsa:2048 -nodes -keyout privkey-2.pem -out fullchain-2.pem "
        "-days 90 -subj /CN=lammp.test -addext subjectAltName=DNS:lammp.test,DNS:www.lammp.test "
        "2>/dev/null && "
        "for name in fullchain privkey; do ln -sfn $name-2.pem $name.pem; done && nginx -s reload"
    )
    # The signal comes back at once; the new workers take their time.
    assert any(served(host) != before for _look in range(100))
    workers = host.workers()
    assert "changed=0" in deploy(host)
    assert set(host.workers()) & set(workers)
    assert served(host) != before
    assert probe("wss://lammp.test/api/mqtt/ws/hints/x", address=(host.address, 443), verify=False).opened


def test_a_renewal_that_nobody_told_nginx_of_is_served_after_the_next_run(host: LabHost) -> None:
    """A hook that is missing shows months later, when the old certificate expires."""
    before = served(host)
    host.sh(f"cd {OWN} && for name in fullchain privkey; do cp $name-1.pem $name-2.pem; done")
    assert served(host) == before
    said = deploy(host)
    assert (
        "changed=1" in said and f"{OWN}/fullchain.pem" in said and "changed after nginx had read it" in said
    )
    assert served(host) != before
    assert "changed=0" in deploy(host)


def test_a_certificate_that_ends_soon_is_said_before_activation(host: LabHost) -> None:
    host.sh(
        f"cd {OWN} && openssl req -x509 -newkey rsa:2048 -nodes -keyout privkey.pem -out fullchain.pem "
        "-days 3 -subj /CN=lammp.test -addext subjectAltName=DNS:lammp.test,DNS:www.lammp.test 2>/dev/null"
    )
    said = deploy(host)
    assert f"{OWN}/fullchain.pem expires in 3 days; see `certbot renew --dry-run`." in said
