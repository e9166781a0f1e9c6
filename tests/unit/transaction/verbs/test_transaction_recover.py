"""The next run after one that was killed: what it finds at each step, what it does, and what it says."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import time

import pytest
from machine import DIRECTORY, PATH, Machine, content, file, refuse
from simulated_host import STATE, SimulatedGuard

from module_utils.nginx_websocket.transaction.history.journal import (
    ACTIVATE,
    PROVEN,
    RELOAD,
    SNAPSHOT,
    UNCONFIRMED,
    UNDO,
    UNDONE,
    Record,
)
from module_utils.nginx_websocket.transaction.history.states import Backup
from module_utils.nginx_websocket.transaction.live.instance import Masters
from module_utils.nginx_websocket.transaction.safety.guard import Note
from module_utils.nginx_websocket.transaction.site.model import (
    ROLLBACK_FAILED,
    ROLLED_BACK,
    UNCHANGED,
    Change,
    Entry,
    Refused,
)
from module_utils.nginx_websocket.transaction.surroundings.host import Host
from module_utils.nginx_websocket.transaction.tree.files import kept_name, temporary_name
from module_utils.nginx_websocket.transaction.undo import recover

OLD, NEW = content("old"), content("new")
KEPT = kept_name(PATH)
JOURNAL = f"{STATE}/journal.json"


def left(step: str, *, live: str = "new", **more: str) -> Machine:
    """A machine whose last run was killed at a step; the file holds ``live``, and nginx read that."""
    machine = Machine("old")
    inner = machine.host()
    change = Change(PATH, file("old"), file("new"), "site")
    inner.backups.save(Backup(1, "deploy", "then", "anne", [change], {}, {}))
    inner.journal.write(Record(1, step, "then", **more))
    machine.watch.armed_for = 1
    if live != "old":
        machine.files.plant(PATH, file(live))
        machine.files.plant(KEPT, file("old"))
        machine.running[100] = machine.live()
    return machine


def steps(host: Host):
    return [step.name for step in host.outcome.steps]


def healed(host: Host) -> bool:
    """Nothing is open, nothing waits, and the run goes on as if nothing had been."""
    assert host.journal.read() is None and not host.world.watch.armed()
    assert (host.outcome.outcome, host.outcome.failed, host.outcome.changed) == (UNCHANGED, False, False)
    assert host.outcome.message == "" and host.files.entry(KEPT).kind == "absent"
    return True


def test_a_snapshot_that_was_never_finished_goes():
    machine = left(SNAPSHOT, live="old")
    host = machine.host()
    assert recover(host) == (
        "the transaction of then ended unfinished at the step 'snapshot', before anything was changed; what "
        "it left behind is removed"
    )
    assert healed(host) and host.backups.numbers() == [] and machine.told == []
    assert steps(host) == ["recover"]


@pytest.mark.parametrize("step", [PROVEN, UNDONE])
def test_what_only_had_to_be_tidied_is(step):
    """A proven release stays with its backup; one that was undone leaves none."""
    machine = left(step, live="new" if step == PROVEN else "old")
    live = machine.files.read(PATH)
    host = machine.host()
    assert "when only tidying was left" in recover(host)
    assert host.backups.numbers() == ([1] if step == PROVEN else [])
    assert healed(host) and machine.files.read(PATH) == live and machine.told == []


def test_a_backup_that_is_gone_already_is_no_reason_to_stop_tidying():
    machine = left(PROVEN)
    machine.host().backups.remove(1)
    machine.files.unlink(KEPT)
    host = machine.host()
    assert recover(host) and healed(host)


@pytest.mark.parametrize(
    ("step", "live", "told"),
    [
        (ACTIVATE, "old", []),
        (ACTIVATE, "new", [100]),
        (RELOAD, "old", [100]),
        (RELOAD, "new", [100]),
        (UNDO, "new", [100]),
    ],
)
def test_what_was_in_the_middle_is_undone(step, live, told):
    """nginx is reloaded unless it cannot have read anything of it: others may have reloaded it meanwhile."""
    machine = left(step, live=live)
    host = machine.host()
    said = recover(host)
    restored = PATH if live == "new" else "nothing had to be"
    how = "nginx reloaded and proven" if told else "nginx had not been told"
    assert said == (
        f"the transaction of then ended unfinished at the step '{step}'. The host was put back as it was "
        f"({restored} restored; {how})."
    )
    assert healed(host) and machine.told == told and not host.outcome.findings
    assert machine.files.read(PATH) == OLD == machine.serves()[PATH] and host.backups.numbers() == []


def test_a_stopped_nginx_is_told_nothing():
    machine = left(RELOAD)
    machine.end_master()
    host = machine.host()
    assert "nginx had not been told" in recover(host)
    assert healed(host) and machine.starts == 0 and machine.files.read(PATH) == OLD


def test_why_it_was_being_undone_is_not_forgotten():
    machine = left(UNDO, reason="nginx refused to reload")
    assert recover(machine.host()).startswith("nginx refused to reload. The host was put back as it was")


@pytest.mark.parametrize(("by", "made"), [("anne", ", made by anne,"), ("", "")])
def test_a_release_that_nobody_confirmed_is_undone_with_its_author(by, made):
    machine = left(UNCONFIRMED, by=by, confirm_by="noon")
    host = machine.host()
    assert recover(host).startswith(
        f"the release of then{made} was proven on the host, but never confirmed. The host was put back"
    )
    assert healed(host) and machine.files.read(PATH) == OLD == machine.serves()[PATH]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (UNCONFIRMED, "the release of then is live, but waits to be confirmed until noon"),
        *(
            (step, f"the transaction of then ended unfinished at the step '{step}'")
            for step in (SNAPSHOT, ACTIVATE, RELOAD, PROVEN, UNDO, UNDONE)
        ),
    ],
)
def test_check_mode_heals_nothing(step, words):
    machine = left(step, confirm_by="noon")
    before = dict(machine.files.names_seen)
    host = machine.host()
    host.check = True
    with pytest.raises(Refused, match=words + "; check mode leaves it"):
        recover(host)
    assert machine.files.names_seen == before and machine.watch.armed() and machine.told == []


@pytest.mark.parametrize("broken", ["manifest", "gone"])
def test_without_its_backup_nothing_is_touched(broken):
    machine = left(RELOAD)
    if broken == "gone":
        machine.host().backups.remove(1)
    else:
        machine.files.plant(f"{STATE}/backups/0001/manifest.json", Entry("file", content=b"{"))
    with pytest.raises(Refused, match=r"its backup 1 cannot be read .*rm /simulated/state/journal.json"):
        recover(machine.host())
    assert machine.files.read(PATH) == NEW and machine.files.entry(JOURNAL).kind == "file"


def test_an_undo_that_fails_again_stops_the_run():
    machine = left(RELOAD)
    machine.happens("reload", refuse("state D"))
    with pytest.raises(Refused, match="step 'reload', and undoing it failed: ROLLBACK FAILED: state D"):
        recover(machine.host())
    assert machine.files.entry(JOURNAL).kind == "file"


# -- nothing is open ------------------------------------------------------------------------------


def tell(machine: Machine) -> None:
    """The host went back by itself, and a run was killed before it began."""
    machine.host().notes.write(Note(1, "noon", "undone at noon"))
    machine.files.plant(temporary_name(JOURNAL), Entry("file"))
    machine.files.plant(f"{STATE}/backups/0009/before/0", Entry("file"))
    machine.watch.armed_for = 1


def test_what_the_host_did_by_itself_is_told_once_and_leavings_go():
    machine = Machine("old")
    tell(machine)
    assert machine.host().backups.unfinished()
    host = machine.host()
    assert recover(host) == "undone at noon" and healed(host)
    assert machine.files.entry(temporary_name(JOURNAL)).kind == "absent"
    assert not host.backups.unfinished()
    assert recover(machine.host()) == ""


def test_check_mode_tells_it_and_leaves_all_for_the_next_run():
    machine = Machine("old")
    tell(machine)
    before = dict(machine.files.names_seen)
    host = machine.host()
    host.check = True
    assert recover(host) == "undone at noon"
    assert machine.files.names_seen == before and machine.watch.armed()


# -- what an undo does when something else goes wrong ----------------------------------------------


def failed(host: Host, *words: str) -> bool:
    """A person is needed, and is told what to do; the next run tries again."""
    outcome = host.outcome
    assert (outcome.outcome, outcome.failed, outcome.changed) == (ROLLBACK_FAILED, True, True)
    assert all(word in outcome.message for word in words), outcome.message
    assert outcome.remedy[-1] == f"rm {JOURNAL}" and host.journal.read() is not None
    return True


def undone_by(machine: Machine, **more: object) -> Host:
    """The host after ``recover``, which may be refused."""
    host = machine.host(**more)
    with contextlib.suppress(Refused):
        recover(host)
    return host


def test_the_journal_says_undo_while_it_is_being_undone():
    machine = left(RELOAD)
    seen = []
    machine.happens("reload", lambda: seen.append(machine.host().journal.read()))
    recover(machine.host())
    (record,) = seen
    assert record.step == UNDO and "ended unfinished" in record.reason


def test_a_tree_that_another_file_spoils_is_told():
    """Neither tree passes: then the older one stands at least."""
    machine = left(RELOAD)
    machine.files.plant(f"{DIRECTORY}/own.conf", Entry("file", content=b"nonsense on;\n"))
    host = undone_by(machine)
    assert failed(host, "after the snapshot was restored the tree is not valid", "own.conf")
    assert machine.files.read(PATH) == OLD and machine.told == []


def test_an_upgrade_that_begins_meanwhile_is_named_with_its_way_out():
    machine = left(RELOAD)

    def upgrade():
        machine.replace_master(200, older=100)
        refuse("state D")()

    machine.happens("reload", upgrade, refuse("state D"))
    assert failed(undone_by(machine), "state D", "kill -QUIT 100")


def test_what_was_started_again_is_proven():
    machine = left(RELOAD)
    machine.happens("reload", machine.end_master)
    machine.happens("prove", refuse("another release is served"))
    host = undone_by(machine)
    assert failed(host, "another release is served") and machine.starts == 1
    assert steps(host)[-4:] == ["start", "prove", "undo", "recover"]


@pytest.mark.parametrize("ended", [True, False])
def test_each_proof_has_a_deadline_of_its_own(monkeypatch, ended):
    machine = left(RELOAD)
    machine.happens("reload", machine.end_master if ended else refuse("state T"))
    until = []

    def prove(*_arguments, **_more):
        until.append(_arguments[-1] - time.monotonic())

    for name in ("prove", "prove_untouched"):
        monkeypatch.setattr(machine, name, prove)
    recover(machine.host(deadline=30.0))
    assert until and all(20.0 < seconds <= 30.0 for seconds in until)


@pytest.mark.parametrize("unit", ["openresty.service", ""])
def test_the_commands_for_a_person_name_their_nginx(unit):
    machine = left(RELOAD)
    machine.happens("reload", refuse("state D"))
    host = machine.host()
    host.nginx = dataclasses.replace(host.nginx, unit=unit)
    with pytest.raises(Refused):
        recover(host)
    assert host.outcome.remedy[-2] == f"systemctl reload-or-restart {unit or 'nginx'}"
    assert host.outcome.remedy[-3] == "/usr/sbin/nginx -t -c /simulated/nginx/nginx.conf"


def test_a_candidate_that_is_better_than_what_stood_there_stays_with_its_backup():
    machine = left(RELOAD)
    machine.refuses = lambda changes: bool(changes)
    host = undone_by(machine)
    outcome = host.outcome
    assert (outcome.outcome, outcome.changed, outcome.backup) == (ROLLBACK_FAILED, True, 1)
    assert outcome.remedy[-1] == "systemctl reload-or-restart nginx"
    assert host.journal.read() is None and machine.files.read(PATH) == NEW and host.backups.numbers() == [1]


@pytest.mark.parametrize("unlucky", [UNDO, UNDONE])
def test_a_full_disk_does_not_stop_an_undo(monkeypatch, unlucky):
    machine = left(RELOAD)

    def full(path, entry):
        if path == temporary_name(JOURNAL) and f'"{unlucky}"'.encode() in entry.content:
            raise OSError(errno.ENOSPC, "No space left on device")
        return type(machine.files).create(machine.files, path, entry)

    monkeypatch.setattr(machine.files, "create", full)
    host = machine.host()
    assert "put back as it was" in recover(host) and healed(host)
    assert machine.files.read(PATH) == OLD and host.backups.numbers() == []


def test_units_that_cannot_be_removed_are_told(monkeypatch):
    machine = left(RELOAD)

    def refused(guard):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(SimulatedGuard, "disarm", refused)
    host = machine.host()
    assert "put back as it was" in recover(host)
    (found,) = host.outcome.findings
    assert found.code == "not-tidied" and "Read-only file system" in found.message


def test_what_stands_as_before_already_is_not_touched_again():
    """Of two changes the first was never made."""
    machine = Machine("old")
    other = f"{DIRECTORY}/other.conf"
    machine.files.plant(other, file("other"))
    changes = [
        Change(PATH, file("old"), file("new"), "site"),
        Change(other, file("other"), file("more"), "site"),
    ]
    inner = machine.host()
    inner.backups.save(Backup(1, "deploy", "then", "", changes, {}, {}))
    inner.journal.write(Record(1, ACTIVATE, "then"))
    machine.files.plant(PATH, file("new"))
    machine.files.plant(temporary_name(other), Entry("file", content=b"half"))
    host = machine.host()
    assert f"({PATH} restored; nginx reloaded and proven)" in recover(host)
    assert healed(host) and not host.outcome.findings
    assert machine.files.read(other) == content("other")
    assert machine.files.entry(temporary_name(other)).kind == "absent"


def test_an_edit_that_is_left_alone_keeps_nothing_hidden_beside_it():
    machine = left(RELOAD)
    machine.edit()
    host = machine.host()
    recover(host)
    (found,) = host.outcome.findings
    assert found.code == "edited-meanwhile" and f"{STATE}/backups/0001" in found.fix
    assert machine.files.read(PATH) == b"# by hand\n" and machine.files.entry(KEPT).kind == "absent"


def test_a_file_that_nothing_was_kept_of_comes_back_from_the_backup():
    machine = left(RELOAD)
    machine.files.unlink(KEPT)
    host = machine.host()
    recover(host)
    assert healed(host) and not host.outcome.findings and machine.files.read(PATH) == OLD


def test_a_master_that_was_told_to_quit_has_ended():
    machine = left(RELOAD)
    machine.happens("reload", lambda: setattr(machine, "processes", Masters(quitting=(100,))))
    host = machine.host()
    assert "nginx had ended and was started again" in recover(host)
    assert healed(host) and machine.starts == 1 and host.outcome.outcome != ROLLED_BACK
