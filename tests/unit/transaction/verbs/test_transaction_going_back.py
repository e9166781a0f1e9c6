"""What a rollback refuses, leaves alone and tells, on a host in memory."""

from __future__ import annotations

import dataclasses

import pytest
from simulated_host import MAIN, MASTER, ROOT, STATE, SimulatedHost, candidate

from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.history.journal import Record
from module_utils.nginx_websocket.transaction.history.states import Backup
from module_utils.nginx_websocket.transaction.live.instance import Masters
from module_utils.nginx_websocket.transaction.rollback import FIX
from module_utils.nginx_websocket.transaction.site.model import (
    ABSENT,
    Change,
    ConfError,
    Entry,
    Refused,
    Validation,
    ordered,
)
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
    reloads = host.world.reloads
    done = host.rollback(allow_invalid=True)
    assert (done.outcome, codes(done)) == ("applied", ["nginx-refuses"]), done.message
    assert "snippet" in done.findings[0].message and "include snippet;" in host.files()[FILE]
    assert host.world.reloads == reloads and "# two" in host.served()[0]


def test_a_file_that_is_broken_beside_it_is_named_as_what_it_is(host):
    host.world.files.plant(f"{ROOT}/conf.d/own.conf", Entry("file", content=b"server {"))
    said = refused(host)
    assert "would not be valid with backup 2 either" in said and "own.conf" in said


def test_a_complaint_without_a_file_blames_no_other(host, monkeypatch):
    monkeypatch.setattr(
        host.world, "validate", lambda *_: Validation(False, errors=[ConfError("no events section")])
    )
    said = refused(host)
    assert "what backup 2 holds does not pass nginx -t" in said and "no events section" in said


def test_a_site_that_no_include_reads_any_more_is_not_restored(host):
    edit(host, MAIN, "    include /simulated/nginx/sites-enabled/*;\n", "")
    said = refused(host)
    assert "nginx would not read it: no include leads there any more" in said


def test_a_link_that_somebody_took_away_comes_back(host):
    host.world.files.put(LINK, ABSENT)
    done = host.rollback()
    assert done.outcome == "applied", done.message
    assert host.files()[LINK] in (FILE, "../sites-available/a.conf") and "# one" in host.served()[0]


def test_a_copy_in_the_place_of_the_link_is_somebodys(host):
    copy = Entry("file", content=host.world.files.read(FILE))
    host.world.files.plant(LINK, copy)
    assert "nginx would not read it" in refused(host)


def test_the_link_that_a_state_has_itself_is_put_back_and_no_later_one(host):
    absolute = Entry("link", target=FILE)
    record(host, "rollback", Change(LINK, Entry("link", target="../sites-available/a.conf"), absolute, "a"))
    host.world.files.put(LINK, ABSENT)
    assert host.rollback("3").outcome == "applied"
    assert host.files()[LINK] == "../sites-available/a.conf"


def test_the_link_of_a_place_where_a_site_was_before_stays_away(host):
    """The site has moved; a link to its old place would lead nowhere."""
    own = f"{ROOT}/conf.d/moved.conf"
    for path in (LINK, FILE):  # by hand, so that no backup has it
        host.world.files.put(path, ABSENT)
    for tail in ("three", "four"):
        done = host.deploy(candidate("a", tail, path=own))
        assert done.outcome == "applied", done.message
    assert LINK not in host.files()
    done = host.rollback()
    assert done.outcome == "applied" and LINK not in host.files() and "# three" in host.files()[own]


def test_no_link_comes_back_for_a_site_that_is_to_go(host):
    host.world.files.put(LINK, ABSENT)
    done = host.rollback("original")
    assert done.outcome == "applied" and not {FILE, LINK} & {*host.files()}, done.message


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


def record(host: SimulatedHost, kind: str, *changes: Change) -> None:
    """Let changes stand there, with the backup of the transaction that made them."""
    for change in changes:
        host.world.files.plant(change.path, change.after)
    inner = Host(host.nginx, STATE, world=host.world)
    number, sites = inner.backups.next_number(), inner.deployed()
    inner.backups.save(Backup(number, kind, "then", "me", changes, sites, sites))


@pytest.fixture
def mended(host) -> SimulatedHost:
    """A file of somebody's own was mended, and edited by hand since."""
    path = f"{ROOT}/conf.d/own.conf"
    texts = b"# broken\n", b"# mended\n"
    record(host, FIX, Change(path, *(Entry("file", content=text) for text in texts)))
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


def test_a_mended_file_that_nobody_edited_has_no_drift(mended):
    mended.world.files.plant(f"{ROOT}/conf.d/own.conf", Entry("file", content=b"# mended\n"))
    done = mended.rollback()
    assert (done.outcome, codes(done), done.drift) == ("applied", [], []), done.message
    assert mended.world.files.read(f"{ROOT}/conf.d/own.conf") == b"# broken\n"


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


def test_a_main_file_that_somebody_broke_since_it_was_mended_comes_back(host):
    """There is nothing to compare with: nobody can read what nginx would do with the broken one."""
    good = host.world.files.read(MAIN)
    record(host, FIX, Change(MAIN, Entry("file", content=good), Entry("file", content=good + b"# mended\n")))
    host.world.files.plant(MAIN, Entry("file", content=good + b"http {"))
    done = host.rollback(on_drift="overwrite")
    assert (done.outcome, codes(done), done.comparison) == ("applied", ["drift"], {}), done.message
    assert host.world.files.read(MAIN) == good and "# two" in host.served()[0]


def test_a_main_file_that_nobody_can_read_comes_back_only_to_somebody_who_says_so(host):
    good, two = host.world.files.read(MAIN), host.world.files.entry(FILE)
    main = Change(MAIN, Entry("file", content=good + b"http {"), Entry("file", content=good))
    record(host, "deploy", main, Change(FILE, Entry("file", content=two.content + b"#"), two, "a"))
    assert "does not pass nginx -t on this host" in refused(host)
    done = host.rollback(allow_invalid=True)
    assert (done.outcome, codes(done)) == ("applied", ["nginx-refuses"]), done.message
    assert host.world.files.read(MAIN) == good + b"http {" and "# two" in host.served()[0]


def test_what_nginx_does_not_take_in_the_end_is_told_as_that(host):
    host.world.unready = ["nginx refused to reload"]
    before = host.files()
    done = host.rollback()
    assert (done.outcome, done.failed) == ("rolled back", True) and host.files() == before
    assert done.message.startswith("nginx refused to reload. The host was put back as it was")


def test_a_stopped_nginx_stays_so_and_that_is_told(host):
    host.nginx = dataclasses.replace(host.nginx, master=None)
    done = host.rollback()
    assert (done.outcome, "nginx-stopped" in codes(done)) == ("applied", True), done.message
    assert "# one" in host.files()[FILE] and "# two" in host.served()[0]


@pytest.mark.parametrize("to", ["previous", "1", "live"])
@pytest.mark.parametrize("start", [True, False])
def test_a_stopped_nginx_is_started_for_whoever_says_so(host, monkeypatch, to, start):
    def started(nginx, _deadline):
        host.world.reload(Configuration("", [], {}), nginx, MASTER, 0.0)
        return dataclasses.replace(nginx, master=MASTER)

    live = host.deploy(candidate("a", "two")).releases["a"]
    reloads = host.world.reloads
    monkeypatch.setattr(host.world, "start", started)
    monkeypatch.setattr(host.world, "masters", lambda nginx: Masters(nginx.master))
    host.nginx = dataclasses.replace(host.nginx, master=None)
    done = host.rollback(live if to == "live" else to, start=start)
    assert not done.failed, done.message
    assert (host.world.reloads == reloads + 1) is start and ("nginx-stopped" in codes(done)) is not start


def test_of_backends_that_are_down_those_of_the_restored_files_are_told(host, monkeypatch):
    asked = []

    def silent(tree, files):
        asked.append(files)
        return ["127.0.0.1:8000"]

    host.world.files.plant(f"{ROOT}/conf.d/own.conf", Entry("file", content=b"# somebody's own\n"))
    monkeypatch.setattr(host.world, "silent_backends", silent)
    done = host.rollback()
    assert asked == [{LINK}]
    (found,) = [one for one in done.findings if one.code == "backend-down"]
    assert "nothing listens at 127.0.0.1:8000" in found.message


def test_what_others_could_have_written_is_not_listed(host, monkeypatch):
    def insecure(state_dir):
        raise Refused(f"others may write to {state_dir}")

    assert host.kept() == [2, 1]
    monkeypatch.setattr(host.world, "secure", insecure)
    with pytest.raises(Refused, match=f"others may write to {STATE}"):
        host.kept()


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
