"""A hand-written file that does more than the site: lost only knowingly, and given back by an undo."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.conftest import ROOT, LabHost, LabUp
from tests.integration.role.wrong_input import OVERWRITE, SITE_FILE

SITE = yaml.safe_load((ROOT / "inventory/lab/group_vars/nginx_websocket.yml").read_text())[
    "nginx_websocket_sites"
][0]
GRAFANA = "location /grafana/ { return 200 grafana; }"


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    host = lab_up("takeover", scenes=["broken"])
    host.sh(f"sed -i '/client_max_body_size/a {GRAFANA}' {SITE_FILE} && nginx -t && systemctl reload nginx")
    return host


def grafana(host: LabHost) -> str:
    """What the location that the site does not have answers."""
    return host.sh("curl -sk --resolve lammp.test:443:127.0.0.1 https://lammp.test/grafana/")


def test_check_mode_says_what_would_be_lost(host: LabHost) -> None:
    done = host.playbook("playbooks/deploy.yml", "--check")
    assert done.returncode == 2 and "https://lammp.test/grafana/" in done.stdout
    assert "nginx_websocket_on_takeover" in done.stdout, (
        "the variable is named, not the module's option alone"
    )
    assert grafana(host) == "grafana"


def test_a_file_of_ones_own_keeps_it(host: LabHost) -> None:
    host.sh(f"printf '%s\\n' '{GRAFANA}' > /etc/nginx/grafana.conf")
    site = {**SITE, "includes": ["/etc/nginx/grafana.conf"]}
    sites = {"nginx_websocket_sites": [site]}
    done = host.playbook("playbooks/deploy.yml", variables=sites)
    assert done.returncode == 0, done.stdout
    assert "grafana" not in done.stdout and grafana(host) == "grafana"
    assert "changed=0" in host.playbook("playbooks/deploy.yml", variables=sites).stdout
    host.sh("sed -i s/200.grafana/'200 changed'/ /etc/nginx/grafana.conf")
    looked = host.playbook("playbooks/deploy.yml", "--check", variables=sites)
    assert "/etc/nginx/grafana.conf changed after nginx had read it" in looked.stdout + looked.stderr
    assert grafana(host) == "grafana"
    again = host.playbook("playbooks/deploy.yml", variables=sites)
    assert "changed=1" in again.stdout and grafana(host) == "changed"
    assert "changed=0" in host.playbook("playbooks/deploy.yml", variables=sites).stdout
    back = host.playbook("playbooks/rollback.yml", variables={"nginx_websocket_rollback_to": "original"})
    assert back.returncode == 0, back.stdout
    assert GRAFANA in host.sh(f"cat {SITE_FILE}")


def test_it_is_lost_knowingly_and_comes_back(host: LabHost) -> None:
    done = host.playbook("playbooks/deploy.yml", variables=OVERWRITE)
    assert done.returncode == 0, done.stdout
    assert "lost-in-takeover" in done.stdout and "https://lammp.test/grafana/" in done.stdout
    assert "<!doctype html>" in grafana(host).lower()
    again = host.playbook("playbooks/deploy.yml")
    assert again.returncode == 0 and "changed=0" in again.stdout, "what is ours is not taken over again"
    back = host.playbook("playbooks/rollback.yml", variables={"nginx_websocket_rollback_to": "original"})
    assert back.returncode == 0, back.stdout
    assert grafana(host) == "grafana"


def test_a_file_of_any_name_is_taken_over_and_verified(lab_up: LabUp) -> None:
    """Verified in that run, in the next one, and without a deployment; with values given as text."""
    host = lab_up("takeover-name", scenes=["fresh"])
    host.write(
        "/etc/nginx/sites-available/myapp",
        "server {\n    listen 443 ssl;\n    server_name lammp.test;\n"
        "    ssl_certificate /etc/letsencrypt/live/lammp.test/fullchain.pem;\n"
        "    ssl_certificate_key /etc/letsencrypt/live/lammp.test/privkey.pem;\n"
        "    location / {\n        proxy_pass http://127.0.0.1:8000;\n    }\n}\n",
    )
    host.sh("ln -s ../sites-available/myapp /etc/nginx/sites-enabled/ && systemctl reload nginx")
    soak = ("-e", "nginx_websocket_soak=1", "-e", "nginx_websocket_soak_interval=1")
    done = host.playbook("site.yml", *soak, variables=OVERWRITE)
    assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout
    assert "Keep checking the first batch" in done.stdout
    assert "# lammp.test, release" in host.sh("cat /etc/nginx/sites-available/myapp")
    for playbook in ("site.yml", "playbooks/verify.yml"):
        again = host.playbook(playbook)
        assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout
