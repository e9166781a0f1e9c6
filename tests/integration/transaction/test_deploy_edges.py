"""nginx_deploy where there is nothing good to go back to, and where somebody edits under its feet."""

from __future__ import annotations

import os

import pytest

from tests.integration.transaction_host import SUITE, TransactionHost, site

PATH = "/etc/nginx/sites-available/lammp.conf"
THIEF = "server { listen 8099; }"


@pytest.fixture(scope="module")
def started(lab_up):
    return TransactionHost(lab_up(f"tx-edges-{os.getpid()}", suite=SUITE))


@pytest.fixture
def host(started):
    started.reset()
    return started


def test_a_broken_tree_is_not_put_back_when_the_repair_is_not_proven(host):
    host.deploy(site())
    host.write(PATH, "server { listen 80; server_name lammp.test; nonsense on; }\n")
    host.take_port(8099)
    assert not host.valid()
    done = host.deploy(site(tail=THIEF), on_drift="overwrite", on_loss="accept", deadline=6)
    assert (done["outcome"], done["failed"]) == ("rollback failed", True), done["message"]
    assert "nonsense" in done["message"] and "held by" in done["message"]
    assert host.valid(), "the disk keeps the tree that nginx accepts"
    assert host.serves() == "200 lammp" and done["remedy"]
    host.sh("kill $(cat /run/thieves)")
    again = host.deploy(site(tail=THIEF), on_loss="accept")
    assert (again["outcome"], again["failed"]) == ("applied", False), again["message"]


def test_an_undo_keeps_inode_and_time_of_what_it_brings_back(host):
    host.deploy(site())
    before = host.sh(f"stat -c '%i %Y %a' {PATH}")
    host.take_port(8099)
    done = host.deploy(site(tail=THIEF), deadline=6)
    assert done["outcome"] == "rolled back" and host.sh(f"stat -c '%i %Y %a' {PATH}") == before


@pytest.mark.parametrize("how", ["in place", "by rename"])
def test_an_edit_in_the_middle_of_the_activation_survives(host, how):
    host.deploy(site())
    write = (
        "open(path, 'a').write('# a person was here\\n')"
        if how == "in place"
        else "(open(path + '~', 'w').write(open(path).read() + '# a person was here\\n'), "
        "os.rename(path + '~', path))"
    )
    before = (
        "from module_utils.nginx_websocket.transaction.tree import files\n"
        "def edit(old):\n"
        "    def sync(self, path, here=None):\n"
        "        old(self, path)\n"
        "        if path.startswith('/etc/nginx'):\n"
        f"            path = {PATH!r}\n"
        f"            {write}\n"
        "    return sync\n"
        "files.Filesystem.sync = edit(files.Filesystem.sync)\n"
    )
    done = host.deploy(site(tail="# two"), before=before)
    assert done["failed"] and "edited by somebody else while the transaction" in done["message"]
    text = host.sh(f"cat {PATH}")
    assert "# a person was here" in text and "# two" not in text
    assert host.valid() and host.serves() == "200 lammp"
    assert host.sh("ls -A /etc/nginx/sites-available").split() == ["default", "lammp.conf"]
