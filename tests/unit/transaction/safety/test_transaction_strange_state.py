"""Backups and journals that we did not make, or cannot follow: left alone, or refused with the way out."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.transaction.history.backup import Backups
from module_utils.nginx_websocket.transaction.history.journal import ACTIVATE, UNCONFIRMED, Journal, Record
from module_utils.nginx_websocket.transaction.history.states import Backup
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import ABSENT, Change, Entry, Refused
from module_utils.nginx_websocket.transaction.surroundings.host import Host
from module_utils.nginx_websocket.transaction.tree.files import Filesystem
from module_utils.nginx_websocket.transaction.undo import recover
from tests.unit.transaction.simulated import Without


@pytest.fixture
def backups(tmp_path):
    """One backup of ours, number 1."""
    made = Backups(Filesystem(), str(tmp_path))
    save(made, 1)
    return made


def save(made, number):
    change = Change("/etc/nginx/sites-available/x", ABSENT, Entry("file", content=b"# x\n"))
    made.save(Backup(number, "deploy", "t", "b", [change], {}, {}))


def host_of(tmp_path):
    nginx = Instance("/usr/sbin/nginx", "/etc/nginx/nginx.conf")
    return Host(nginx, str(tmp_path), world=Without(Filesystem()))


@pytest.mark.parametrize("name", ["0099", "20240101", "0002", "²", "٣", "00001", "1", "+1", "1_0", "notes"])
@pytest.mark.parametrize("kind", ["file", "directory", "full directory", "link"])
def test_what_a_person_puts_beside_the_backups_is_his(tmp_path, backups, name, kind):
    path = tmp_path / "backups" / name
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to("/nowhere")
    else:
        path.mkdir()
        if kind == "full directory":
            (path / "mine").write_text("mine")
    assert backups.numbers() == [1]
    assert backups.unfinished() == []
    number = backups.next_number()
    assert number == (3 if name == "0002" else 2)
    save(backups, number)
    assert backups.latest().number == number
    backups.sweep()
    backups.remove(number)
    if (name, kind) != ("0002", "directory"):  # empty, private or not: as a save that was cut off leaves it
        assert path.is_symlink() or path.exists()


def test_a_copy_of_a_backup_is_none(tmp_path, backups):
    import shutil

    shutil.copytree(tmp_path / "backups/0001", tmp_path / "backups/0099")
    assert backups.numbers() == [1]
    assert backups.next_number() == 2


def test_what_a_person_put_into_a_backup_outlives_it(tmp_path, backups):
    save(backups, 2)
    (tmp_path / "backups/0002/notes.txt").write_text("mine")
    backups.remove(2)
    assert (backups.numbers(), backups.next_number()) == ([1], 3)
    backups.sweep()
    assert (tmp_path / "backups/0002/notes.txt").read_text() == "mine"


def test_what_we_left_half_is_swept(tmp_path, backups):
    save(backups, 2)
    (tmp_path / "backups/0002/manifest.json").unlink()
    assert backups.unfinished() == [2]
    backups.sweep()
    assert not (tmp_path / "backups/0002").exists()


@pytest.mark.parametrize("step", [ACTIVATE, UNCONFIRMED])
def test_a_journal_that_names_a_missing_backup_is_refused_with_the_way_out(tmp_path, backups, step):
    Journal(Filesystem(), str(tmp_path)).write(Record(7, step, "2026-01-01T00:00:00Z"))
    with pytest.raises(Refused, match=rf"backup 7 cannot be read .*rm {tmp_path}/journal.json"):
        recover(host_of(tmp_path))
    assert (tmp_path / "journal.json").exists()


def test_a_journal_with_a_step_of_a_newer_version_is_not_undone(tmp_path, backups):
    (tmp_path / "journal.json").write_text('{"backup": 1, "step": "prepared", "started": "then"}')
    with pytest.raises(Refused, match=rf"'prepared' is none .*newer version .*rm {tmp_path}/journal.json"):
        recover(host_of(tmp_path))
    assert backups.numbers() == [1]
