"""A site behind a password: 401 is the guard's answer, to the proof and to the verification alike."""

from __future__ import annotations

import yaml

from tests.integration.conftest import ROOT, LabUp

SITE = yaml.safe_load((ROOT / "inventory/lab/group_vars/nginx_websocket.yml").read_text())[
    "nginx_websocket_sites"
][0]


def test_a_password_before_the_whole_site_is_no_reason_to_undo(lab_up: LabUp) -> None:
    host = lab_up("it-password", scenes=["fresh"])
    host.write("/etc/nginx/users", "u:{PLAIN}p\n")
    host.write("/etc/nginx/password.conf", 'auth_basic "S";\nauth_basic_user_file /etc/nginx/users;\n')
    sites = {"nginx_websocket_sites": [{**SITE, "includes": ["/etc/nginx/password.conf"]}]}
    done = host.playbook("site.yml", variables=sites)
    assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout
    told = " ".join(done.stdout.split())
    assert "behind-password" in told and "401" in told, done.stdout
    ask = "curl -sk -o /dev/null -w '%{http_code} ' --resolve lammp.test:443:127.0.0.1"
    assert host.sh(f"{ask} https://lammp.test/; {ask} -u u:p https://lammp.test/").split() == ["401", "200"]
    gone = {"nginx_websocket_sites": [SITE]}
    refused = host.playbook("playbooks/deploy.yml", variables=gone)
    assert refused.returncode == 2 and "no longer stands" not in refused.stdout.partition("auth_basic")[0]
    assert "stands behind auth_basic S" in " ".join(refused.stdout.split()), refused.stdout
