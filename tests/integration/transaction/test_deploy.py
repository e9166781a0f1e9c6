"""nginx_deploy on a real host: what it promises when all goes well, and when it does not."""

from __future__ import annotations

import json
import os
import re
import threading
import time

import pytest

from tests.integration.transaction_host import PACKAGE, SUITE, URL, TransactionHost, site


@pytest.fixture(scope="module")
def started(lab_up):
    return TransactionHost(lab_up(f"tx-deploy-{os.getpid()}", suite=SUITE))


@pytest.fixture
def host(started):
    started.reset()
    return started


def test_the_straight_path(host):
    done = host.deploy(site())
    assert (done["outcome"], done["changed"], done["failed"]) == ("applied", True, False), done["message"]
    assert done["files"] == [
        {
            "site": "lammp",
            "path": "/etc/nginx/sites-available/lammp.conf",
            "read_as": "/etc/nginx/sites-enabled/lammp.conf",
        }
    ]
    release = done["releases"]["lammp"]
    assert host.serves(f"/.well-known/nginx-websocket/{release}") == f"200 {release}"
    assert host.sh(
        "stat -c '%a %U' /etc/nginx/sites-available/lammp.conf /var/lib/nginx_websocket"
    ).split() == [
        "644",
        "root",
        "700",
        "root",
    ]
    assert [step["name"] for step in done["steps"]] == [
        "lock",
        "compare",
        "validate",
        "check",
        "compare requests",
        "snapshot",
        "activate",
        "reload",
        "prove",
        "commit",
    ]
    assert host.sh("ls /var/lib/nginx_websocket").split() == ["backups", "lock"], "no journal is left"
    assert (
        host.sh(
            "ls -A /etc/nginx /etc/nginx/sites-enabled /etc/nginx/sites-available | grep -c '^\\.' || true"
        ).strip()
        == "0"
    )


def test_a_second_run_changes_nothing_and_reloads_nothing(host):
    host.deploy(site())
    before, workers = host.everything(), host.lab.workers()
    again = host.deploy(site())
    assert (again["outcome"], again["changed"], again["failed"]) == ("unchanged", False, False)
    assert host.lab.workers() == workers
    # the lock file names its last holder; everything else is untouched
    strip = re.compile(r"^.*/var/lib/nginx_websocket/lock$", re.MULTILINE)
    assert strip.sub("", host.everything()) == strip.sub("", before)


def test_a_new_release_replaces_the_old_one_and_keeps_group_and_mode(host):
    first = host.deploy(site())
    host.sh("cd /etc/nginx/sites-available; chown www-data:adm lammp.conf; chmod 640 lammp.conf")
    second = host.deploy(site(tail="# two"))
    assert second["previous"] == first["releases"]
    assert second["releases"] != first["releases"]
    assert [one["code"] for one in second["findings"]] == ["owner-changed"]
    assert host.sh("stat -c '%a %U %G' /etc/nginx/sites-available/lammp.conf").split() == [
        "640",
        "root",
        "adm",
    ]


def test_check_mode_validates_shows_the_diff_and_touches_nothing(host):
    before, workers = host.everything(), host.lab.workers()
    done = host.deploy(site(), check=True)
    assert (done["outcome"], done["changed"], done["failed"]) == ("unchanged", True, False)
    assert [piece["after_header"] for piece in done["diff"]] == [
        "/etc/nginx/sites-available/lammp.conf",
        "/etc/nginx/sites-enabled/lammp.conf",
    ]
    assert done["releases"]["lammp"] in done["diff"][0]["after"]
    assert host.everything() == before and host.lab.workers() == workers
    refused = host.deploy(site(tail="nonsense;"), check=True)
    assert refused["failed"] and "unknown directive" in refused["message"]
    assert host.everything() == before and host.lab.workers() == workers


def test_the_diff_of_check_mode_is_what_the_real_run_does(host):
    host.deploy(site())
    predicted = host.deploy(site(tail="# two"), check=True)
    assert predicted["diff"] == host.deploy(site(tail="# two"))["diff"]


def test_a_candidate_that_nginx_refuses_changes_nothing(host):
    before, workers = host.tree(), host.lab.workers()
    done = host.deploy(site(tail="server { listen 81; nonsense on; }"))
    assert done["failed"] and done["outcome"] == "refused"
    error = done["errors"][0]
    assert error["file"] == "/etc/nginx/sites-enabled/lammp.conf"
    assert error["message"] == 'unknown directive "nonsense"'
    marked = [line for line in error["context"] if line.startswith(">")]
    assert len(marked) == 1 and "nonsense on;" in marked[0] and f" {error['line']}  " in marked[0]
    assert host.tree() == before and host.lab.workers() == workers
    assert host.sh("ls /var/lib/nginx_websocket").split() == ["lock"]


def test_a_missing_certificate_is_found_where_it_is_named(host):
    done = host.deploy(
        site(
            listen="443 ssl",
            routes=False,
            tail="",
            top="",
            ws="ssl_certificate /etc/none/fullchain.pem; ssl_certificate_key /etc/none/privkey.pem;",
        )
    )
    assert done["failed"] and "/etc/none/fullchain.pem" in done["message"]
    assert done["errors"][0]["file"] == "/etc/nginx/sites-enabled/lammp.conf"
    assert done["errors"][0]["line"] == 8, "the line of ssl_certificate, which nginx does not tell"


def test_testing_leaves_no_log_and_no_pid_file(host):
    host.sh("systemctl stop nginx; rm -f /run/nginx.pid /var/log/nginx/new.log")
    before = host.sh("md5sum /var/log/nginx/error.log")
    done = host.deploy(
        site(tail="server { listen 81; access_log /var/log/nginx/new.log; nonsense; }"), check=True
    )
    assert "unknown directive" in done["message"]
    done = host.deploy(site(tail="server { listen 81; access_log /var/log/nginx/new.log; }"), check=True)
    assert not done["failed"], done["message"]
    assert host.sh("ls /run/nginx.pid /var/log/nginx/new.log 2>/dev/null || true") == ""
    assert host.sh("md5sum /var/log/nginx/error.log") == before


def test_nginx_that_is_stopped_is_refused_before_anything_changes(host):
    host.sh("systemctl stop nginx")
    before = host.tree()
    done = host.deploy(site())
    assert (
        done["failed"]
        and "nginx is not running" in done["message"]
        and "systemctl start nginx" in done["message"]
    )
    assert host.tree() == before


def test_a_taken_port_is_undone_and_named(host):
    host.deploy(site())
    host.take_port(8085)
    before = host.tree()
    started = time.monotonic()
    done = host.deploy(site(tail="server { listen 8085; server_name other.lammp.test; }"))
    assert (done["outcome"], done["changed"], done["failed"]) == ("rolled back", False, True), done
    assert "bind() to 0.0.0.0:8085 failed" in done["message"] and "http.server 8085" in done["message"]
    assert time.monotonic() - started < 10, "nginx gives up after 2.5 s; so do we"
    assert host.tree() == before and host.valid()
    assert host.serves() == "200 lammp"
    assert host.sh("ls /var/lib/nginx_websocket").split() == ["backups", "lock"]


def test_a_release_that_nginx_does_not_serve_is_undone(host):
    first = host.deploy(site())
    before = host.tree()
    done = host.deploy(
        site(
            tail="# no mark, so the running nginx cannot answer @RELEASE@",
            marked=False,
            ws="location = /.well-known/nginx-websocket/@RELEASE@ { return 404; }",
            routes=False,
        )
    )
    assert done["outcome"] == "rolled back" and "does not serve the release" in done["message"]
    assert host.tree() == before
    release = first["releases"]["lammp"]
    assert host.serves(f"/.well-known/nginx-websocket/{release}") == f"200 {release}"


def test_a_socket_that_opens_at_the_backend_but_not_through_nginx_is_undone(host):
    """The backend is behind a variable that nginx maps elsewhere: the configuration alone does not tell."""
    host.deploy(site())
    before = host.tree()
    broken = site(
        top="map $host $lammp_backend { default 127.0.0.1:8000; lammp.test 127.0.0.1:9; }",
        ws="location ~ ^/api/mqtt/ws/ { proxy_pass http://$lammp_backend; proxy_http_version 1.1; "
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $lammp_connection; }",
    )
    done = host.deploy(broken)
    assert done["outcome"] == "rolled back" and done["failed"], done
    assert "opens straight at the backend" in done["message"] and "502" in done["message"]
    assert host.tree() == before and host.serves() == "200 lammp"


def test_a_backend_that_is_down_is_a_finding_and_not_a_failure(host):
    host.sh("systemctl stop lammp-backend")
    done = host.deploy(site())
    assert (done["outcome"], done["failed"]) == ("applied", False), done["message"]
    assert [finding["code"] for finding in done["findings"]] == ["backend-down"]
    again = host.deploy(site())
    assert (again["outcome"], again["changed"], again["failed"]) == ("unchanged", False, False)


def test_a_url_that_does_not_reach_an_upgrade_is_refused_before_activation(host):
    before = host.tree()
    done = host.deploy(site(ws="location /api/ { proxy_pass http://127.0.0.1:8000; }"))
    assert done["failed"] and done["outcome"] == "refused"
    assert (
        "/api/mqtt/ws/hints/" in done["message"] and "/etc/nginx/sites-enabled/lammp.conf:" in done["message"]
    )
    assert host.tree() == before


def test_hand_edits_are_reported_and_kept_or_overwritten_as_told(host):
    host.deploy(site())
    path = "/etc/nginx/sites-available/lammp.conf"
    host.sh(f"sed -i 's/return 200 lammp;/return 200 byhand;/' {path}")
    edited = host.tree()
    failed = host.deploy(site())
    assert failed["failed"] and "edited by hand" in failed["message"] and path in failed["message"]
    assert "byhand" in failed["diff"][0]["before"] and "byhand" not in failed["diff"][0]["after"]
    assert "+    location / { return 200 byhand; }" in failed["drift"][0]["diff"].replace("\n        ", " ")
    assert host.tree() == edited
    kept = host.deploy(site(tail="# two"), on_drift="keep")
    assert (kept["failed"], kept["changed"]) == (False, False) and kept["findings"][0]["code"] == "drift"
    assert host.tree() == edited
    over = host.deploy(site(), on_drift="overwrite")
    assert over["outcome"] == "applied"
    assert "byhand" not in host.sh(f"cat {path}")
    assert "byhand" in host.sh(f"cat /var/lib/nginx_websocket/backups/{over['backup']:04d}/before/*")


def test_a_file_that_holds_only_our_names_is_taken_over_where_it_is(host):
    host.write(
        "/etc/nginx/sites-available/lammp", "server { listen 80; server_name lammp.test; return 200 old; }\n"
    )
    host.sh("ln -s ../sites-available/lammp /etc/nginx/sites-enabled/lammp; nginx -s reload")
    done = host.deploy(site(), on_takeover="overwrite")
    assert done["outcome"] == "applied", done["message"]
    assert done["files"][0]["path"] == "/etc/nginx/sites-available/lammp"
    assert done["previous"] == {"lammp": ""} and done["replaced"] == []
    assert host.sh("readlink /etc/nginx/sites-enabled/lammp").strip() == "../sites-available/lammp"
    assert host.sh("ls /etc/nginx/sites-enabled").split() == ["default", "lammp"]


def test_a_link_that_somebody_took_away_is_made_again(host):
    host.deploy(site())
    host.sh("rm /etc/nginx/sites-enabled/lammp.conf; nginx -s reload")
    assert host.deploy(site(), check=True)["changed"]
    done = host.deploy(site())
    assert done["outcome"] == "applied", done["message"]
    assert host.serves() == "200 lammp" and host.deploy(site())["outcome"] == "unchanged"


def test_several_files_that_hold_only_our_names_become_one(host):
    for name, listen in (("a", "80"), ("b", "8081")):
        host.write(
            f"/etc/nginx/conf.d/{name}.conf",
            f"upstream backend_{name} {{ server 127.0.0.1:1; }}\n"
            f"server {{ listen {listen}; server_name lammp.test; return 200 {name}; }}\n",
        )
    host.sh("nginx -s reload")
    done = host.deploy(
        site(tail="server { listen 8081; server_name lammp.test; return 200 b; }"), on_takeover="overwrite"
    )
    assert done["outcome"] == "applied", done["message"]
    assert sorted(done["replaced"]) == ["/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf"]
    assert host.sh("ls /etc/nginx/conf.d") == ""
    undone = host.rollback("original")
    assert undone["outcome"] == "applied", undone["message"]
    assert host.sh("ls /etc/nginx/conf.d").split() == ["a.conf", "b.conf"]
    assert host.serves() == "200 a"


def test_the_same_name_on_other_ports_is_another_service(host):
    host.write(
        "/etc/nginx/conf.d/admin.conf", "server { listen 8444; server_name lammp.test; return 200 admin; }\n"
    )
    done = host.deploy(site())
    assert done["outcome"] == "applied" and done["replaced"] == []
    assert host.serves(port=8444) == "200 admin"


def test_a_file_with_our_names_and_others_is_refused_with_both_places(host):
    host.write(
        "/etc/nginx/conf.d/mixed.conf",
        "server { listen 80; server_name other.test; }\nserver { listen 80; server_name lammp.test; }\n",
    )
    before = host.tree()
    done = host.deploy(site())
    assert done["failed"] and "/etc/nginx/conf.d/mixed.conf:2" in done["message"]
    assert "other.test" in done["message"] and "/etc/nginx/conf.d/mixed.conf:1" in done["message"]
    assert host.tree() == before


@pytest.mark.parametrize(
    ("theirs", "ours", "what"),
    [
        ("map $uri $lammp_connection { default 1; }", {}, "variable $lammp_connection"),
        (
            "upstream pool { server 127.0.0.1:1; }",
            {"top": "upstream pool { server 127.0.0.1:2; }"},
            "upstream pool",
        ),
        (
            "limit_req_zone $uri zone=z:1m rate=1r/s;",
            {"top": "limit_req_zone $uri zone=z:1m rate=1r/s;"},
            "zone z",
        ),
        (
            "server { listen 8090 default_server; server_name a.test; }",
            {"tail": "server { listen 8090 default_server; server_name b.lammp.test; }"},
            "two default servers",
        ),
    ],
)
def test_what_a_neighbour_claims_is_refused_with_both_places(host, theirs, ours, what):
    host.write("/etc/nginx/conf.d/neighbour.conf", f"# theirs\n{theirs}\n")
    before = host.tree()
    done = host.deploy(site(**ours))
    assert done["failed"] and what in done["message"], done["message"]
    assert "/etc/nginx/conf.d/neighbour.conf:2" in done["message"]
    assert "/etc/nginx/sites-enabled/lammp.conf:" in done["message"]
    assert host.tree() == before


def test_a_tree_that_was_broken_before_we_came_is_said_to_be_so(host):
    host.write("/etc/nginx/conf.d/theirs.conf", "server { listen 80; server_name x.test; nonsense; }\n")
    before = host.tree()
    done = host.deploy(site())
    assert done["failed"] and "broken before we came" in done["message"]
    assert "/etc/nginx/conf.d/theirs.conf:1" in done["message"]
    assert host.tree() == before


def test_a_broken_file_of_our_own_site_is_repaired(host):
    host.write(
        "/etc/nginx/sites-available/lammp", "server { listen 80; server_name lammp.test; location / { \n"
    )
    host.sh("ln -s ../sites-available/lammp /etc/nginx/sites-enabled/lammp")
    assert not host.valid()
    done = host.deploy(site())
    assert done["outcome"] == "applied", done["message"]
    assert done["files"][0]["path"] == "/etc/nginx/sites-available/lammp"
    assert host.valid()


def test_a_disk_that_is_right_but_not_served_is_reloaded_and_proven(host):
    """What an earlier run left that died between writing and reloading, had it no journal."""
    host.deploy(site())
    host.deploy(site(tail="# two"))
    second = host.sh("cat /etc/nginx/sites-available/lammp.conf")
    host.deploy(site())
    host.write("/etc/nginx/sites-available/lammp.conf", second)
    predicted = host.deploy(site(tail="# two"), check=True)
    assert predicted["changed"]
    done = host.deploy(site(tail="# two"))
    assert (done["outcome"], done["changed"]) == ("applied", True) and done["diff"] == []
    assert host.serves(f"/.well-known/nginx-websocket/{done['releases']['lammp']}").startswith("200")


KILL = """\
import os
from module_utils.nginx_websocket.transaction import execute
from module_utils.nginx_websocket.transaction.surroundings.world import World
from module_utils.nginx_websocket.transaction.tree import files
die = lambda *a, **k: os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(
    ("where", "hook"),
    [
        (
            "before the first file",
            "files.Filesystem.put = (lambda old: lambda self, path, entry, **more: "
            "die() if path.startswith('/etc/nginx') else old(self, path, entry, **more))"
            "(files.Filesystem.put)",
        ),
        (
            "between two files",
            "files.Filesystem.symlink = (lambda old: lambda self, target, path: "
            "die() if path.startswith('/etc/nginx') else old(self, target, path))(files.Filesystem.symlink)",
        ),
        ("before the reload", "execute.bring_to_life = die"),
        ("after the reload", "World.prove = die"),
        ("after the proof", "execute.tidy = die"),
    ],
)
def test_a_run_killed_anywhere_is_healed_by_the_next(host, where, hook):
    host.killed(KILL + hook)
    assert host.valid(), f"killed {where}: the tree on the disk must pass nginx -t"
    done = host.deploy(site())
    assert not done["failed"], done["message"]
    if where != "after the proof":
        assert "ended unfinished" in done["recovered"] and done["outcome"] == "applied"
    else:
        assert done["outcome"] == "unchanged"
    assert done["changed"] and done["recovered"]
    assert host.serves() == "200 lammp"
    again = host.deploy(site())
    assert (again["outcome"], again["changed"], again["recovered"]) == ("unchanged", False, "")


def test_healing_brings_the_old_release_back_when_the_new_one_is_not_asked_for_again(host):
    host.deploy(site())
    before = host.tree()
    host.killed(KILL + "World.prove = die", site(tail="# two"))
    assert host.tree() != before
    done = host.deploy(site())
    assert "ended unfinished" in done["recovered"] and "restored" in done["recovered"]
    assert (done["outcome"], done["changed"], done["failed"]) == ("unchanged", True, False)
    assert host.tree() == before


def test_two_runs_at_once_one_waits_or_stops_clearly(host):
    slow = (
        "import time\n"
        "from module_utils.nginx_websocket.transaction.surroundings.world import World\nold = World.prove\n"
        "World.prove = lambda *a, **k: (time.sleep(2), old(*a, **k))\n"
    )
    results = {}
    thread = threading.Thread(target=lambda: results.update(first=host.deploy(site(), before=slow)))
    thread.start()
    host.sh(
        "for i in $(seq 200); do [ -e /var/lib/nginx_websocket/journal.json ] && exit 0; sleep 0.02; done; "
        "exit 1"
    )
    held = _second(host, lock_timeout=0.2)
    assert held["failed"] and "another transaction runs on this host (process " in held["message"]
    waited = _second(host, lock_timeout=30)
    thread.join()
    assert results["first"]["outcome"] == "applied"
    assert (waited["outcome"], waited["changed"]) == ("unchanged", False)


def test_certbot_is_waited_for_and_kept_out(host):
    hold = (
        "import fcntl,os,sys,time; fd=os.open('/etc/nginx/.certbot.lock', os.O_CREAT|os.O_WRONLY, 0o600); "
        "fcntl.lockf(fd, fcntl.LOCK_EX); open('/run/held','w').close(); time.sleep(20)"
    )
    host.sh(
        f'rm -f /run/held; nohup python3 -c "{hold}" >/dev/null 2>&1 & echo $! >> /run/thieves; '
        "for i in $(seq 100); do [ -e /run/held ] && exit 0; sleep 0.05; done; exit 1"
    )
    done = host.deploy(site(), lock_timeout=0.3)
    assert done["failed"] and "certbot holds /etc/nginx/.certbot.lock" in done["message"]


def test_a_hundred_sites_are_one_transaction_with_one_reload(host):
    sites = [site(f"s{i}", (f"s{i}.lammp.test",), routes=False) for i in range(100)]
    host.sh(
        "sed -i '1i error_log /var/log/nginx/error.log notice;' /etc/nginx/nginx.conf; "
        "systemctl restart nginx; truncate -s 0 /var/log/nginx/error.log"
    )
    done = host.deploy(*sites)
    assert done["outcome"] == "applied", done["message"]
    assert len(done["releases"]) == 100 and done["backup"] == 1
    assert host.sh("grep -c 'signal 1 (SIGHUP)' /var/log/nginx/error.log").strip() == "1"
    seconds = sum(step["seconds"] for step in done["steps"])
    assert seconds < 15, done["steps"]


def test_without_a_mount_namespace_includes_are_rewritten(host):
    refuse = (
        "from module_utils.nginx_websocket.transaction.tree import namespace, validation\n"
        "def no(*a, **k): raise namespace.NamespaceRefused('not permitted')\nvalidation.run_staged = no\n"
    )
    done = host.deploy(site(tail="nonsense;"), before=refuse)
    assert done["failed"] and done["method"] == "rewritten includes"
    assert done["errors"][0]["file"] == "/etc/nginx/sites-enabled/lammp.conf"
    done = host.deploy(site(), before=refuse)
    assert (done["outcome"], done["method"]) == ("applied", "rewritten includes"), done["message"]
    assert host.sh("ls -d /tmp/nginx-websocket-* 2>/dev/null || true") == ""


def test_an_open_socket_outlives_the_deployment_and_is_counted(host):
    host.deploy(site())
    hold = (
        "import socket,sys,time; s=socket.create_connection(('127.0.0.1',80)); s.sendall(b'GET "
        + URL.partition("lammp.test")[2]
        + " HTTP/1.1\\r\\nHost: lammp.test\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade"
        "\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n'); "
        "open('/run/opened','wb').write(s.recv(100)); time.sleep(30)"
    )
    host.write("/opt/hold.py", hold)
    host.sh(
        "rm -f /run/opened; nohup python3 /opt/hold.py >/dev/null 2>&1 & echo $! >> /run/thieves; "
        "for i in $(seq 100); do grep -q 101 /run/opened 2>/dev/null && exit 0; sleep 0.05; done; exit 1"
    )
    done = host.deploy(site(tail="# two"))
    assert done["outcome"] == "applied"
    assert done["old_workers"]["workers"] == 1
    # None: the lab's kernel does not show root a worker's sockets, for want of CAP_SYS_PTRACE
    assert done["old_workers"]["connections"] in (2, None)
    assert host.sh("kill -0 $(tail -n1 /run/thieves) && echo alive").strip() == "alive"


def test_the_module_through_ansible(host):
    arguments = {"sites": [site()]}
    first = host.lab.module("nginx_deploy", arguments, "--diff")
    assert first["outcome"] == "applied" and first["changed"], first
    assert first["files"][0]["path"] == "/etc/nginx/sites-available/lammp.conf"
    second = host.lab.module("nginx_deploy", arguments)
    assert not second["changed"] and second["outcome"] == "unchanged"
    bad = host.lab.module("nginx_deploy", {"sites": [site(tail="nonsense;")]})
    assert bad["outcome"] == "refused" and "unknown directive" in bad["msg"]


def _second(host, **arguments):
    """A second run beside the first: with files of its own."""
    given = {"verb": "deploy", "before": "", "arguments": arguments, "sites": [site()]}
    out = host.lab.run("sh", "-c", f"python3 {PACKAGE}/driver.py", data=json.dumps(given).encode())
    return json.loads(out.strip().splitlines()[-1])
