"""What a rollback refuses, leaves alone and tells, on a host in memory."""

from __future__ import annotations

import dataclasses

import pytest
from simulated_host import MAIN, ROOT, STATE, SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.history.journal import Record
from module_utils.nginx_websocket.transaction.rollback import FIX
from module_utils.nginx_websocket.transaction.site.model import ABSENT, Change, Entry, ordered
from module_utils.nginx_websocket.transaction.surroundings.host import Host

FILE = f"{ROOT}/sites-available/a.conf"
LINK = f"{ROOT}/sites-enabled/a.conf"


@pytest.fixture
def host() -> SimulatedHost:
    """Two releases of one site; the second is live."""
    host = SimulatedHost()
    for tail in ("one", "two"):
        done = host.deploy(candidate("a", tail))
        assert (done.outcome, done.failed) == ("applied", False), done.message
    return host


def codes(done):
    return [finding.code for finding in done.findings]


def edit(host: SimulatedHost, path: str, *words: str) -> None:
    """Put one text in the place of another, as a person would."""
    text = host.world.files.read(path).decode()
    for old, new in zip(words[::2], words[1::2]):
        assert old in text
        text = text.replace(old, new)
    host.world.files.plant(path, Entry("file", content=text.encode()))


def refused(host: SimulatedHost, *to: object, **more: object) -> str:
    """The message of a rollback that changes nothing."""
    before, reloads = host.files(), host.world.reloads
    done = host.rollback(*to, **more)
    assert done.failed and not done.changed and host.files() == before and host.world.reloads == reloads
    return done.message


def test_a_backup_that_cannot_be_read_is_told(host):
    host.world.files.plant(f"{STATE}/backups/0002/manifest.json", Entry("file", content=b"{"))
    assert "0002" in refused(host)


def test_a_live_tree_that_somebody_broke_is_mended_by_it(host):
    edit(host, FILE, "listen 80;", "listen 80; {")
    done = host.rollback()
    assert (done.outcome, codes(done)) == ("applied", ["drift"]), done.message
    assert "# one" in host.served()[0]


def test_what_nginx_took_once_and_does_not_any_more_is_refused():
    host = SimulatedHost()
    host.world.files.plant(f"{ROOT}/snippet", Entry("file", content=b"# lines\n"))
    site = candidate("a", "one")
    with_snippet = type(site)(
        "a", site.content.replace(b"listen 80;", b"listen 80; include snippet;"), ("a.test",)
    )
    assert host.deploy(with_snippet).outcome == "applied"
    assert host.deploy(candidate("a", "two")).outcome == "applied"
    host.world.files.put(f"{ROOT}/snippet", ABSENT)
    said = refused(host)
    assert "does not pass nginx -t on this host" in said and "snippet" in said


def test_a_site_that_no_include_reads_any_more_is_not_restored(host):
    edit(host, MAIN, "    include /simulated/nginx/sites-enabled/*;\n", "")
    said = refused(host)
    assert "nginx would not read it: no include leads there any more" in said


def test_a_link_that_somebody_took_away_comes_back(host):
    host.world.files.put(LINK, ABSENT)
    done = host.rollback()
    assert done.outcome == "applied", done.message
    assert host.files()[LINK] in (FILE, "../sites-available/a.conf") and "# one" in host.served()[0]


def test_what_was_left_open_is_undone_first_and_told(host):
    journal = Host(host.nginx, STATE, world=host.world).journal
    journal.write(Record(2, "activate", "then"))
    done = host.rollback("1")
    assert done.recovered and done.changed, done.message
    assert not journal.read()


def test_a_file_of_the_users_own_is_left_as_they_edited_it(host):
    assert host.deploy(candidate("a", "three"), max_sockets=100).outcome == "applied"
    edit(host, MAIN, "worker_connections ", "multi_accept on; worker_connections ")
    kept = host.world.files.read(MAIN)
    done = host.rollback()
    assert (done.outcome, codes(done)) == ("applied", ["edited-since"]), done.message
    assert "it is left as it is" in done.findings[0].message
    assert host.world.files.read(MAIN) == kept and "# two" in host.served()[0]


@pytest.fixture
def mended(host) -> SimulatedHost:
    """A file of somebody's own was mended, and edited by hand since."""
    path = f"{ROOT}/conf.d/own.conf"
    host.world.files.plant(path, Entry("file", content=b"# mended\n"))
    inner = Host(host.nginx, STATE, world=host.world)
    number = inner.backups.next_number()
    change = Change(path, Entry("file", content=b"# broken\n"), host.world.files.entry(path))
    sites = inner.deployed()
    inner.backups.save(
        number, [change], kind=FIX, time="then", by="me", sites_before=sites, sites=sites, restores=0
    )
    host.world.files.plant(path, Entry("file", content=b"# mended\n# and edited\n"))
    return host


def test_an_edit_of_a_mended_file_is_never_lost_unasked(mended):
    done = mended.rollback()
    assert (
        done.failed
        and "drift: " in done.message
        and "own.conf was edited since it was mended" in done.message
    )
    assert "+# and edited" in done.drift[0]["diff"]
    assert mended.world.files.read(f"{ROOT}/conf.d/own.conf") == b"# mended\n# and edited\n"


def test_it_goes_into_the_backup_where_the_user_says_overwrite(mended):
    done = mended.rollback(on_drift="overwrite")
    assert (done.outcome, codes(done)) == ("applied", ["drift"]), done.message
    assert mended.world.files.read(f"{ROOT}/conf.d/own.conf") == b"# broken\n"
    kept = Host(mended.nginx, STATE, world=mended.world).backups.load(done.backup)
    assert [change.before.content for change in kept.changes] == [b"# mended\n# and edited\n"]


def test_and_stays_where_the_user_says_keep(mended):
    done = mended.rollback(on_drift="keep")
    assert codes(done) == ["edited-since"], done.message
    assert mended.world.files.read(f"{ROOT}/conf.d/own.conf") == b"# mended\n# and edited\n"


def test_a_stopped_nginx_stays_so_and_that_is_told(host):
    host.nginx = dataclasses.replace(host.nginx, master=None)
    done = host.rollback()
    assert (done.outcome, "nginx-stopped" in codes(done)) == ("applied", True), done.message
    assert "# one" in host.files()[FILE] and "# two" in host.served()[0]


NEW, LED = Entry("file", content=b"a"), Entry("link", target=FILE)


@pytest.mark.parametrize(
    ("changes", "order"),
    [
        ([Change(LINK, ABSENT, LED, "a"), Change(FILE, ABSENT, NEW, "a")], [FILE, LINK]),
        ([Change(FILE, NEW, ABSENT, "a"), Change(LINK, LED, ABSENT, "a")], [LINK, FILE]),
        ([Change("/gone", NEW, ABSENT, "a"), Change(FILE, ABSENT, NEW, "a")], [FILE, "/gone"]),
        ([Change(LINK, LED, NEW, "a"), Change(FILE, NEW, ABSENT, "a")], [LINK, FILE]),
        ([Change(LINK, NEW, LED, "a"), Change(FILE, ABSENT, NEW, "a")], [FILE, LINK]),
    ],
)
def test_no_link_leads_nowhere_at_any_moment(changes, order):
    """A link to nothing in an included directory is an error of nginx, in the middle of a rollback too."""
    assert [change.path for change in ordered(changes)] == order


def test_what_users_will_notice_is_told_when_going_back(host):
    site = candidate("a", "three")
    more = site.content.replace(b"}\n#", b"    location /new/ { return 204; }\n}\n#")
    assert host.deploy(dataclasses.replace(site, content=more)).outcome == "applied"
    done = host.rollback()
    (finding,) = [one for one in done.findings if one.code == "changes-for-users"]
    assert done.outcome == "applied" and "/new/" in finding.message
