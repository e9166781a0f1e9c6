"""nginx_rollback on a real host: to the previous release, to any kept one, to before the first."""

from __future__ import annotations

import os

import pytest

from tests.integration.transaction_host import SUITE, TransactionHost, site

PATH = "/etc/nginx/sites-available/lammp.conf"


@pytest.fixture(scope="module")
def started(lab_up):
    host = TransactionHost(lab_up(f"tx-rollback-{os.getpid()}", suite=SUITE))
    host.releases = []
    for tail in ("# one", "# two", "# three"):
        done = host.deploy(site(tail=tail))
        assert done["outcome"] == "applied", done["message"]
        host.releases.append(done["releases"]["lammp"])
    host.remember("three")
    return host


@pytest.fixture
def host(started):
    """A host with three releases: backups 1, 2, 3."""
    started.reset("three")
    return started


def served(host: TransactionHost) -> str:
    """The tail of the live file, once the running nginx is shown to serve its release."""
    content = host.sh(f"cat {PATH}")
    release = content.split("release ", 1)[1].split()[0]
    assert host.serves(f"/.well-known/nginx-websocket/{release}") == f"200 {release}"
    return content.rstrip().rsplit("# ", 1)[1]


def test_previous_goes_one_release_back_each_time(host):
    done = host.rollback()
    assert (done["outcome"], done["changed"], done["failed"]) == ("applied", True, False), done["message"]
    assert served(host) == "two"
    assert done["releases"]["lammp"] == host.releases[1] and done["previous"]["lammp"] == host.releases[2]
    host.rollback()
    assert served(host) == "one"
    host.rollback()
    assert host.sh(f"ls {PATH} /etc/nginx/sites-enabled/lammp.conf 2>/dev/null || true") == ""
    end = host.rollback()
    assert end["failed"] and "everything that was deployed is undone already" in end["message"]


def test_a_number_is_the_same_state_whenever_it_is_asked_for(host):
    assert host.rollback("3")["outcome"] == "applied"
    assert served(host) == "two"
    again = host.rollback("3")
    assert (again["outcome"], again["changed"], again["failed"]) == ("unchanged", False, False)
    forward = host.rollback("4")
    assert forward["outcome"] == "applied" and served(host) == "three", "the rollback itself can be undone"


def test_original_is_what_was_there_before_we_came(host):
    done = host.rollback("original")
    assert done["outcome"] == "applied", done["message"]
    assert host.sh("ls /etc/nginx/sites-enabled /etc/nginx/sites-available").split().count("lammp.conf") == 0
    assert done["releases"] == {"lammp": ""}
    deployed = host.deploy(site(tail="# four"))
    assert deployed["outcome"] == "applied" and served(host) == "four"


def test_a_release_id_brings_its_site_back_and_leaves_others_alone(host):
    other = host.deploy(site("other", ("other.test",), routes=False))
    done = host.rollback(host.releases[0])
    assert done["outcome"] == "applied", done["message"]
    assert served(host) == "one"
    assert host.serves(host="other.test") == "200 other"
    assert done["releases"]["other"] == other["releases"]["other"]
    assert host.deploy(site(tail="# one"))["outcome"] == "unchanged", (
        "and the next run knows what is deployed"
    )


def test_an_unknown_target_is_refused_with_what_there_is(host):
    before = host.tree()
    number = host.rollback("17")
    assert number["failed"] and "kept are 1, 2, 3" in number["message"]
    release = host.rollback("0" * 32)
    assert release["failed"] and host.releases[0] in release["message"]
    assert host.tree() == before


def test_the_start_of_a_release_id_is_enough(host):
    assert host.rollback(host.releases[0][:8])["outcome"] == "applied" and served(host) == "one"
    assert "no backup holds release" in host.rollback(host.releases[1][:7])["message"], (
        "as the summary shows it"
    )


def test_a_link_that_somebody_took_away_comes_back(host):
    """The last transaction changed the file alone; without its link nginx would not read it."""
    host.sh("rm /etc/nginx/sites-enabled/lammp.conf; nginx -s reload")
    done = host.rollback()
    assert done["outcome"] == "applied", done["message"]
    assert served(host) == "two" and "lammp.conf" in host.sh("ls /etc/nginx/sites-enabled")


def test_what_nginx_would_not_read_is_not_called_proven(host):
    host.sh("sed -i 's|include /etc/nginx/sites-enabled/\\*;||' /etc/nginx/nginx.conf; nginx -s reload")
    before = host.tree()
    done = host.rollback()
    assert done["failed"] and "nginx would not read it" in done["message"]
    assert host.tree() == before


def test_a_backend_that_is_not_there_any_more_is_told(host):
    gone = site(tail="# gone")
    gone["content"] = gone["content"].replace(
        "proxy_pass http://127.0.0.1:8000", "proxy_pass http://127.0.0.1:8123"
    )
    gone["routes"] = []
    assert host.deploy(gone)["outcome"] == "applied"
    assert host.deploy(site(tail="# three"))["outcome"] == "applied"
    done = host.rollback()
    assert (done["outcome"], done["failed"]) == ("applied", False), done["message"]
    (finding,) = (finding for finding in done["findings"] if finding["code"] == "backend-down")
    assert finding["message"].startswith("nothing listens at 127.0.0.1:8123")


def test_a_manifest_that_is_none_is_named(host):
    path = "/var/lib/nginx_websocket/backups/0002/manifest.json"
    host.write(path, "nonsense")
    done = host.rollback("original")
    assert done["failed"] and f"{path} is no manifest" in done["message"]


def test_it_works_when_the_tree_is_broken(host):
    host.sh(f"echo 'nonsense;' >> {PATH}")
    assert not host.valid()
    done = host.rollback()
    assert done["outcome"] == "applied", done["message"]
    assert "drift" in [finding["code"] for finding in done["findings"]]
    assert host.valid() and served(host) == "two"
    saved = host.sh(f"cat /var/lib/nginx_websocket/backups/{done['backup']:04d}/before/*")
    assert "nonsense;" in saved


def test_it_works_when_nginx_is_down(host):
    host.sh(f"systemctl stop nginx; echo 'nonsense;' >> {PATH}")
    done = host.rollback()
    assert (done["outcome"], done["failed"]) == ("applied", False), done["message"]
    assert "nginx-stopped" in [finding["code"] for finding in done["findings"]]
    assert host.valid() and host.sh("systemctl is-active nginx || true").strip() == "inactive"
    host.sh(f"echo 'nonsense;' >> {PATH}")
    done = host.rollback(start=True)
    assert done["outcome"] == "applied", done["message"]
    assert host.sh("systemctl is-active nginx").strip() == "active" and served(host) == "one"


def test_starting_alone_is_a_change_too(host):
    host.sh("systemctl stop nginx")
    done = host.rollback("4", start=True)
    assert done["failed"], "there is no backup 4"
    host.rollback("3")
    done = host.rollback("3", start=True)
    assert done["changed"] and not done["failed"], done["message"]
    assert served(host) == "two"


def test_a_state_that_the_host_does_not_take_any_more_is_refused(host):
    host.write("/etc/nginx/conf.d/theirs.conf", "nonsense;\n")
    before = host.tree()
    done = host.rollback()
    assert done["failed"] and done["outcome"] == "refused"
    assert "/etc/nginx/conf.d/theirs.conf:1" in done["message"]
    assert host.tree() == before


def test_a_rollback_that_nginx_does_not_take_is_undone(host):
    for tail in ("server { listen 8085; server_name x.lammp.test; }", "# five"):
        done = host.deploy(site(tail=tail), on_loss="accept")
        assert done["outcome"] == "applied", done["message"]
    host.sh("for i in $(seq 50); do ss -ltn | grep -q :8085 || exit 0; sleep 0.1; done")
    host.take_port(8085)
    before = host.tree()
    done = host.rollback()
    assert done["outcome"] == "rolled back" and "8085" in done["message"], done
    assert host.tree() == before and served(host) == "five"


def test_check_mode_shows_and_touches_nothing(host):
    before = host.everything()
    done = host.rollback(check=True)
    assert done["changed"] and not done["failed"]
    assert "# three" in done["diff"][0]["before"] and "# two" in done["diff"][0]["after"]
    assert host.everything() == before


def test_retention_keeps_the_first_and_the_newest(host):
    for number in range(4, 9):
        host.deploy(site(tail=f"# {number}"), keep=3)
    assert host.sh("ls -I last /var/lib/nginx_websocket/backups").split() == ["0001", "0007", "0008"]
    assert host.rollback("original", keep=3)["outcome"] == "applied"
    assert host.sh(f"ls {PATH} 2>/dev/null || true") == ""


def test_what_a_pruned_backup_alone_knew_still_comes_back(host):
    """The second site is in a backup that retention removes; going back behind it must remove the site."""
    host.deploy(site("other", ("other.test",), routes=False))
    for number in range(5, 9):
        host.deploy(site(tail=f"# {number}"), keep=2)
    assert host.sh("ls -I last /var/lib/nginx_websocket/backups").split() == ["0001", "0008"]
    assert host.rollback("original", keep=2)["outcome"] == "applied"
    assert host.sh("ls /etc/nginx/sites-enabled").split() == ["default"]


def test_a_killed_rollback_is_healed_by_the_next_run(host):
    kill = (
        "import os\n"
        "from module_utils.nginx_websocket.transaction.surroundings.world import World\n"
        "World.prove = lambda *a, **k: os.kill(os.getpid(), 9)\n"
    )
    outcome, code, _ = host.begin("rollback", before=kill, to="previous")
    assert outcome is None and code == 137 and host.valid()
    done = host.deploy(site(tail="# three"))
    assert done["recovered"] and (done["outcome"], done["failed"]) == ("unchanged", False)
    assert served(host) == "three"


def test_the_module_through_ansible(host):
    listed = host.lab.module("nginx_rollback", {"list": True})
    assert [backup["number"] for backup in listed["backups"]] == [3, 2, 1]
    assert listed["backups"][0]["releases"] == {"lammp": host.releases[2]}
    assert listed["backups"][0]["changed"][0]["before"] == f"release {host.releases[1]}"
    assert listed["backups"][2]["changed"][0]["before"] == "absent"
    done = host.lab.module("nginx_rollback", {"to": "2"})
    assert done["outcome"] == "applied" and served(host) == "one"
