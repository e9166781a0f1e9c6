"""fix on a real host: the user's own file, a real nginx, a real backend and a real handshake."""

from __future__ import annotations

import json

import pytest

from release import pyz

URL = "wss://lammp.test/api/mqtt/ws/hints/session-874q8t"
LIVE = "/etc/nginx/sites-available/lammp.test"
PORT = 8095
SITE = f"""\
# by hand
server {{
    listen {PORT};
    server_name chat.test;
    location / {{ return 200 "plain\\n"; }}
    location /api/mqtt/ws/ {{
        proxy_pass http://127.0.0.1:8000;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header Host $host;
    }}
    location /private/ {{
        auth_basic "private";
        auth_basic_user_file /etc/nginx/nobody;
        try_files /none =404;
    }}
}}
"""
WRONG_PORT = SITE.replace("127.0.0.1:8000", "127.0.0.1:8001")
OWN_API = "    location /api/ { proxy_pass http://127.0.0.1:8000; }\n"
SOCKET = f"ws://chat.test:{PORT}/api/mqtt/ws/hints/x"
PATH = "/etc/nginx/conf.d/chat.conf"


@pytest.fixture(scope="module")
def host(lab_up, tmp_path_factory):
    host = lab_up("fix-it", scenes=["broken"])
    host.run("sh", "-c", "cat > /root/it.pyz", data=pyz.archive())
    host.run("sh", "-c", ": > /etc/nginx/nobody")
    host.pristine = host.digest("/etc/nginx")
    return host


def run(host, *arguments):
    """The one file on the host: its status, and its data."""
    done = host.run("sh", "-c", 'python3 /root/it.pyz "$@" --json; echo "status=$?"', "sh", *arguments)
    data, _, status = done.rpartition("status=")
    return int(status), json.loads(data)


def load(host, text, path=PATH):
    host.write(path, text)
    host.sh("nginx -t 2>&1 && systemctl reload nginx && sleep 0.3")


def without(*lines):
    return "".join(line for line in SITE.splitlines(True) if not any(part in line for part in lines))


def test_the_broken_scene_is_opened_by_one_run_and_taken_back_byte_for_byte(host):
    before = host.digest("/etc/nginx")
    old, workers = host.sh(f"cat {LIVE}"), host.workers()
    status, seen = run(host, "fix", URL, "--check")
    assert (status, seen["changed"], host.digest("/etc/nginx")) == (0, True, before), seen["msg"]
    assert host.workers() == workers

    status, done = run(host, "fix", URL)
    assert (status, done["outcome"]) == (0, "applied"), done["msg"]
    assert done["causes"] == ["ws-missing-in-tls-server"]
    assert [(len(one["before"]), len(one["after"])) for one in done["edits"]] == [(0, 3)]
    new = host.sh(f"cat {LIVE}")
    start = next(index for index, (one, other) in enumerate(zip(old, new)) if one != other)
    assert new.endswith(old[start:]), "a block came, and every other byte is as it was"
    status, again = run(host, "fix", URL)
    assert (status, again["changed"], host.sh(f"cat {LIVE}")) == (0, False, new), again["msg"]

    status, _ = run(host, "rollback")
    assert (status, host.digest("/etc/nginx")) == (0, before)


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (without("proxy_http_version", "Upgrade $http_upgrade", 'Connection "upgrade"'), 3),
        (SITE.replace('Connection "upgrade"', "Connection close"), 2),
        (WRONG_PORT.replace("    location / {", OWN_API + "    location / {"), 2),
        (SITE.replace("127.0.0.1:8000;", "127.0.0.1:8000/;"), 2),
        (SITE.replace("    location / {", "    location ~ x$ { return 404; }\n    location / {"), 2),
    ],
    ids=["headers", "constant", "port", "uri-part", "regex-shadows"],
)
def test_a_cause_is_cured_with_few_lines_and_nothing_else_changes(host, text, most):
    load(host, text)
    before = host.digest("/etc/nginx")
    status, done = run(host, "fix", SOCKET)
    assert (status, done["outcome"]) == (0, "applied"), done["msg"]
    assert sum(len(edit["before"]) + len(edit["after"]) for edit in done["edits"]) <= most, done["edits"]
    answers = host.sh(
        f"for p in / /private/; do curl -s -o /dev/null -w '%{{http_code}} ' -H 'Host: chat.test' "
        f"http://127.0.0.1:{PORT}$p; done"
    )
    assert answers.split() == ["200", "401"]
    assert run(host, "fix", SOCKET)[1]["changed"] is False
    status, _ = run(host, "rollback")
    assert (status, host.digest("/etc/nginx")) == (0, before)


def test_no_request_goes_to_the_application_of_another_site(host):
    load(host, WRONG_PORT)
    before = host.digest("/etc/nginx")
    status, refused = run(host, "fix", SOCKET)
    assert (status, host.digest("/etc/nginx")) == (1, before)
    assert "lammp.test" in refused["msg"] and "another site" in refused["msg"], refused["msg"]


def test_a_site_that_was_never_linked_is_linked_and_the_link_is_taken_back(host):
    load(host, "")
    host.sh(f"rm {PATH}")
    host.write("/etc/nginx/sites-available/chat.test", SITE)
    host.sh("systemctl reload nginx; sleep 0.3")
    before = host.digest("/etc/nginx")
    status, done = run(host, "fix", SOCKET)
    assert (status, done["causes"]) == (0, ["not-included-file"]), done["msg"]
    target = host.sh("readlink /etc/nginx/sites-enabled/chat.test").strip()
    assert target == "/etc/nginx/sites-available/chat.test"
    assert run(host, "fix", SOCKET)[1]["changed"] is False
    assert (run(host, "rollback")[0], host.digest("/etc/nginx")) == (0, before)
    host.sh("rm /etc/nginx/sites-available/chat.test")


def test_killed_at_any_moment_the_next_run_heals(host):
    load(host, without("Upgrade $http_upgrade", 'Connection "upgrade"'))
    before = host.digest("/etc/nginx")
    for seconds in (1.0, 2.0, 2.5, 3.0, 3.5, 4.0):
        host.sh(f"timeout -s KILL {seconds} python3 /root/it.pyz fix {SOCKET} >/dev/null 2>&1; nginx -t 2>&1")
        status, done = run(host, "fix", SOCKET)
        assert (status, done["outcome"] in ("applied", "unchanged")) == (0, True), done["msg"]
        assert host.sh("ls /var/lib/nginx_websocket/journal.json 2>/dev/null || true") == ""
        assert run(host, "rollback")[0] == 0
        assert host.digest("/etc/nginx") == before, f"killed after {seconds} s"


def test_a_panels_layout_is_mended_where_its_nginx_reads(lab_up):
    host = lab_up("fix-panel", scenes=["panel"])
    host.run("sh", "-c", "cat > /root/it.pyz", data=pyz.archive())
    before = host.digest("/www/server/nginx/conf", "/etc/nginx")
    status, refused = run(host, "fix", URL)
    assert status == 1 and "aaPanel" in refused["msg"], refused["msg"]
    status, done = run(host, "fix", URL, "--managed")
    assert (status, done["outcome"]) == (0, "applied"), done["msg"]
    assert all(edit["file"].startswith("/www/") for edit in done["edits"])
    assert run(host, "rollback")[0] == 0
    assert host.digest("/www/server/nginx/conf", "/etc/nginx") == before


def test_what_is_no_fault_of_a_file_is_told_and_nothing_is_changed(host):
    load(host, SITE.replace("127.0.0.1:8000", "127.0.0.1:9"))
    host.sh("systemctl stop lammp-backend 2>/dev/null || systemctl stop 'lammp*' || true; sleep 0.3")
    before = host.digest("/etc/nginx")
    status, done = run(host, "fix", SOCKET)
    host.sh("systemctl start 'lammp*' --all; true")
    assert (status, host.digest("/etc/nginx")) == (1, before)
    assert done["outcome"] == "refused" and "backend-down" in done["msg"], done["msg"]


def test_files_that_nginx_has_not_read_cost_one_reload(host):
    load(host, without("Upgrade $http_upgrade"))
    host.sh("sleep 1.2")
    host.write(PATH, SITE)
    before, workers = host.digest("/etc/nginx"), host.workers()
    status, done = run(host, "fix", SOCKET)
    assert (status, done["outcome"], done["edits"]) == (0, "applied", []), done["msg"]
    assert host.digest("/etc/nginx") == before and host.workers() != workers


def test_the_one_files_status_tells_what_nobody_can_tell_and_wrong_use_apart(host):
    two = "        if ($msec) { return 403; }\n        if ($pid) { return 403; }\n        proxy_pass"
    load(host, SITE.replace("        proxy_pass", two))
    before, workers = host.digest("/etc/nginx"), host.workers()
    status, done = run(host, "fix", SOCKET)
    assert status == 2 and not done["changed"] and "nothing was changed" in done["msg"], done["msg"]
    for wrong in (["fix", "https://"], ["fix", "ftp://chat.test/"], ["fix", SOCKET, "--no-such-option"]):
        said = host.sh(f"python3 /root/it.pyz {' '.join(wrong)} 2>&1; echo status=$?").splitlines()
        assert said[-1] == "status=3" and len(said) > 1, (wrong, said)
    assert (host.digest("/etc/nginx"), host.workers()) == (before, workers)


def test_without_a_url_what_fails_is_mended_and_a_second_run_finds_nothing_to_do(host):
    load(host, without("Upgrade $http_upgrade"))
    host.sh("systemctl start 'lammp*' --all; true")
    status, done = run(host, "fix")
    assert status == 0 and done["outcome"] == "applied", done["msg"]
    mended, workers = host.digest("/etc/nginx"), host.workers()
    status, again = run(host, "fix")
    assert (status, again["outcome"], again["changed"]) == (0, "unchanged", False), again["msg"]
    assert "nothing to do" in again["msg"]
    assert (host.digest("/etc/nginx"), host.workers()) == (mended, workers)


def test_a_file_that_somebody_edited_since_is_taken_back_only_when_told(host):
    load(host, without("Upgrade $http_upgrade"))
    before = host.digest("/etc/nginx")
    assert run(host, "fix", SOCKET)[0] == 0
    host.sh(f"echo '# added later' >> {PATH}")
    edited, workers = host.digest("/etc/nginx"), host.workers()
    status, refused = run(host, "rollback")
    assert status == 1 and not refused["changed"], refused["msg"]
    assert "# added later" in json.dumps(refused["drift"]) and PATH in refused["msg"], refused
    shown = host.sh("python3 /root/it.pyz rollback 2>&1; true")
    assert "+# added later" in shown, shown
    assert (host.digest("/etc/nginx"), host.workers()) == (edited, workers)
    status, back = run(host, "rollback", "--on-drift", "overwrite")
    assert (status, host.digest("/etc/nginx")) == (0, before), back["msg"]


def test_a_file_of_another_tool_is_edited_only_when_told(host):
    load(host, "# Ansible managed\n" + without("Upgrade $http_upgrade"))
    before = host.digest("/etc/nginx")
    status, refused = run(host, "fix", SOCKET)
    assert (status, host.digest("/etc/nginx")) == (1, before) and "--managed" in refused["msg"]
    assert run(host, "fix", SOCKET, "--managed")[1]["outcome"] == "applied"


def test_the_playbook_tells_confirms_and_goes_back(host):
    load(host, without("Upgrade $http_upgrade", 'Connection "upgrade"'))
    before = host.digest("/etc/nginx")
    seen = host.playbook("playbooks/fix.yml", "--check", "--diff", variables={"url": SOCKET})
    assert seen.returncode == 0 and "proxy_set_header Upgrade" in seen.stdout, seen.stdout + seen.stderr
    assert host.digest("/etc/nginx") == before
    done = host.playbook("playbooks/fix.yml", variables={"url": SOCKET})
    assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout + done.stderr
    assert host.sh("ls /var/lib/nginx_websocket/journal.json 2>/dev/null || true") == "", "confirmed"
    again = host.playbook("playbooks/fix.yml", variables={"url": SOCKET})
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout + again.stderr
    host.sh(f"echo '# added later' >> {PATH}")
    refused = host.playbook("playbooks/rollback.yml")
    assert refused.returncode != 0 and "added later" in refused.stdout
    back = host.playbook("playbooks/rollback.yml", variables={"nginx_websocket_on_drift": "overwrite"})
    assert back.returncode == 0, back.stdout + back.stderr
    assert host.digest("/etc/nginx") == before
