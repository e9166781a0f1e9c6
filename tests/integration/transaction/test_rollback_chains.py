"""Chains of deployments, rollbacks and prunings on a real host, against a plain list of states."""

from __future__ import annotations

import os
import random

import pytest

from tests.integration.transaction_host import SUITE, TransactionHost, site

STEPS = 14
SITES = ("one", "two")


@pytest.fixture(scope="module")
def host(lab_up):
    return TransactionHost(lab_up(f"tx-chains-{os.getpid()}", suite=SUITE))


def tails(host: TransactionHost) -> dict:
    """Site → revision that the disk holds, once the running nginx is shown to serve it."""
    found = {}
    for name in SITES:
        content = host.sh(f"cat /etc/nginx/sites-enabled/{name}.conf 2>/dev/null || true")
        if content:
            release = content.split("release ", 1)[1].split()[0]
            answer = host.serves(f"/.well-known/nginx-websocket/{release}", f"{name}.test")
            assert answer == f"200 {release}"
            found[name] = content.rstrip().rsplit("# ", 1)[1]
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chain_ends_where_the_list_of_states_says(host, seed):
    host.reset()
    chance = random.Random(seed)
    states, ahead, kept = {}, None, []
    for revision in range(STEPS):
        keep, before = chance.choice((1, 2, 3, 10)), tails(host)
        verb = chance.choice(("deploy", "deploy", "previous", "previous", "number"))
        if verb == "deploy":
            name = chance.choice(SITES)
            candidate = site(name, (f"{name}.test",), tail=f"# {revision}", routes=False)
            done = host.deploy(candidate, keep=keep)
            assert done["outcome"] == "applied", done["message"]
            states[done["backup"]], ahead = (before, ahead), done["backup"]
            assert tails(host) == {**before, name: str(revision)}
        else:
            number = ahead if verb == "previous" else chance.choice(kept or [1])
            done = host.rollback("previous" if verb == "previous" else str(number), keep=keep)
            if number not in kept:
                assert done["failed"] and not done["changed"] and tails(host) == before, done["message"]
            else:
                wanted, earlier = states[number]
                assert tails(host) == wanted, done["message"]
                assert done["outcome"] == ("unchanged" if wanted == before else "applied"), done["message"]
                if wanted != before:
                    states[done["backup"]], ahead = (before, ahead), earlier
        kept = sorted(
            int(one) for one in host.sh("ls -I last /var/lib/nginx_websocket/backups || true").split()
        )
        assert not states or (kept[0] == 1 and kept[-1] == max(states))


def test_a_run_that_keeps_one_backup_is_undone_by_its_number(host):
    """As undo.yml and take_back.yml ask for it, without a window."""
    host.reset()
    for tail in ("# first", "# second"):
        done = host.deploy(site("one", ("one.test",), tail=tail, routes=False), keep=1)
    back = host.rollback(str(done["backup"]), keep=1)
    assert back["outcome"] == "applied" and tails(host) == {"one": "first"}, back["message"]
