"""A transaction and its undo while others end, restart, upgrade and stop nginx, or edit its files."""

from __future__ import annotations

import pytest
from machine import DIRECTORY, PATH, Machine, content, file, nothing, refuse
from simulated_host import STATE

from module_utils.nginx_websocket.transaction.deploy import _ordered
from module_utils.nginx_websocket.transaction.execute import Plan, execute
from module_utils.nginx_websocket.transaction.live.instance import Masters
from module_utils.nginx_websocket.transaction.site.model import (
    ABSENT,
    APPLIED,
    ROLLBACK_FAILED,
    ROLLED_BACK,
    Change,
    Entry,
    Refused,
)
from module_utils.nginx_websocket.transaction.tree.files import kept_name
from module_utils.nginx_websocket.transaction.undo import recover

OLD, NEW = content("old"), content("new")


def deploy(machine: Machine, *changes: Change, after: str = "new"):
    """Put the new release there; returns the outcome."""
    changes = changes or (Change(PATH, machine.files.entry(PATH), file(after), "site"),)
    host = machine.host()
    staged = host.tree(changes).configuration
    execute(host, Plan("deploy", changes, staged, {}, {"site": {"path": PATH}}))
    return host.outcome


def codes(outcome):
    return {finding.code for finding in outcome.findings}


def closed(machine: Machine) -> bool:
    return "journal.json" not in machine.files.names(STATE)


@pytest.fixture
def machine():
    return Machine("old")


def undone(machine, outcome):
    """All is as it was, and nginx serves it."""
    assert outcome.outcome == ROLLED_BACK and outcome.failed and not outcome.changed, outcome.message
    assert machine.files.read(PATH) == OLD and machine.serves()[PATH] == OLD
    assert closed(machine)
    return True


def test_a_release(machine):
    outcome = deploy(machine)
    assert (outcome.outcome, machine.serves()[PATH], machine.told) == (APPLIED, NEW, [100])
    assert closed(machine) and not outcome.findings


@pytest.mark.parametrize("moment", ["reload", "prove"])
def test_what_is_not_proven_is_undone_and_the_old_release_proven(machine, moment):
    machine.happens(moment, refuse("because"))
    outcome = deploy(machine)
    assert undone(machine, outcome) and machine.told == [100, 100]
    assert (
        outcome.message.startswith("because. The host was put back")
        and "reloaded and proven" in outcome.message
    )


def test_an_edit_after_the_activation_is_nobodys_to_undo(machine):
    def edited():
        machine.edit()
        raise_it()

    raise_it = refuse()
    machine.happens("reload", edited)
    outcome = deploy(machine)
    assert machine.files.read(PATH) == b"# by hand\n"
    assert "edited-meanwhile" in codes(outcome)


@pytest.mark.parametrize("hidden", [True, False])
def test_what_somebody_removed_after_the_activation_is_there_again(machine, hidden):
    def removed():
        machine.files.unlink(PATH)
        if hidden:  # what we keep beside it
            machine.files.unlink(kept_name(PATH))
        raise_it()

    raise_it = refuse()
    machine.happens("reload", removed)
    outcome = deploy(machine)
    assert undone(machine, outcome)
    assert "removed-meanwhile" in codes(outcome) and f"{PATH} restored" in outcome.message


def test_what_somebody_removed_during_the_proof_is_not_left_to_the_next_start(machine):
    machine.happens("prove", lambda: machine.files.unlink(PATH))
    outcome = deploy(machine)
    assert undone(machine, outcome) and "removed by somebody else" in outcome.message


def test_what_the_candidate_removes_is_nobody_elses_removal(machine):
    machine.happens("reload", refuse())
    outcome = deploy(machine, Change(PATH, machine.files.entry(PATH), ABSENT, "site"))
    assert undone(machine, outcome) and not codes(outcome)


def test_an_edit_in_the_moment_of_the_replacement_stands_again(machine):
    rename = machine.files.rename

    def edit_first(old, new):
        if new == PATH and machine.files.names_seen[PATH].entry.content == OLD:
            machine.edit()
        rename(old, new)

    machine.files.rename = edit_first
    outcome = deploy(machine)
    assert outcome.failed and "edited by somebody else" in outcome.message
    assert "edited-meanwhile" in codes(outcome)
    assert machine.files.read(PATH) == b"# by hand\n"


def test_the_undo_goes_back_in_the_opposite_order(machine):
    """Where a file has to be there before its link, it has to be there after it, too."""
    fresh, link = f"{DIRECTORY}/fresh", f"{DIRECTORY}/link.conf"
    happened = []
    for name in ("rename", "unlink"):
        original = getattr(machine.files, name)

        def watched(*paths, original=original):
            happened.extend(path for path in paths[-1:] if path in (fresh, link))
            original(*paths)

        setattr(machine.files, name, watched)
    machine.happens("prove", refuse())
    deploy(
        machine,
        Change(fresh, ABSENT, file("new"), "site"),
        Change(link, ABSENT, Entry("link", target=fresh), "site"),
    )
    shown = [path for index, path in enumerate(happened) if path not in happened[:index]]
    assert shown == [fresh, link]
    assert [path for path in reversed(happened) if path in (fresh, link)][:1] == [fresh]
    assert machine.files.entry(fresh).kind == machine.files.entry(link).kind == "absent"


# -- masters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["reload", "prove"])
def test_a_restart_on_the_way_costs_nothing(machine, moment):
    machine.happens(moment, lambda: machine.replace_master(200))
    outcome = deploy(machine)
    assert (outcome.outcome, outcome.failed) == (APPLIED, False)
    assert machine.serves()[PATH] == NEW and machine.told == [100, 200]
    assert codes(outcome) == {"nginx-replaced"} and "200 instead of 100" in outcome.findings[0].message


def test_a_restart_before_the_undo_has_read_the_new_tree_and_is_reloaded(machine):
    """The one that left disk and nginx different: the new master was asked, and never told."""

    def restart_and_fail():
        machine.replace_master(200)
        raise RuntimeError("something else")

    machine.happens("prove", restart_and_fail)
    outcome = deploy(machine)
    assert undone(machine, outcome) and machine.told[-1] == 200


def test_a_restart_under_way_is_waited_for(machine):
    def ends():
        machine.end_master()
        machine.restart_under_way = True

    machine.happens("reload", ends)
    machine.happens("pause", nothing, nothing, lambda: machine.replace_master(300))
    outcome = deploy(machine)
    assert (outcome.outcome, machine.serves()[PATH], machine.paused) == (APPLIED, NEW, 3)
    assert machine.starts == 0


def test_what_ended_for_good_is_started_by_the_undo(machine):
    machine.happens("reload", machine.end_master)
    outcome = deploy(machine)
    assert undone(machine, outcome) and machine.starts == 1
    assert "has ended meanwhile" in outcome.message and "was started again" in outcome.message


def test_what_was_told_to_quit_counts_as_ended(machine):
    machine.happens("reload", lambda: setattr(machine, "processes", Masters(quitting=(100,))))
    outcome = deploy(machine)
    assert undone(machine, outcome) and machine.starts == 1
    assert "told to quit" in outcome.message and "100" in outcome.message


def test_what_does_not_start_again_needs_a_person(machine):
    machine.happens("reload", machine.end_master)
    machine.happens("start", refuse("no room for nginx"))
    outcome = deploy(machine)
    assert outcome.outcome == ROLLBACK_FAILED and "no room for nginx" in outcome.message
    assert "has ended meanwhile" in outcome.message and outcome.remedy
    assert machine.files.read(PATH) == OLD and not closed(machine)


def test_an_unfinished_upgrade_is_named_before_anything_is_touched(machine):
    machine.replace_master(200, older=100)
    with pytest.raises(Refused, match=r"kill -QUIT 100.*kill -QUIT 200"):
        deploy(machine)
    assert machine.files.read(PATH) == OLD and machine.told == [] and closed(machine)


def test_an_upgrade_that_is_finished_in_time_is_waited_for(machine):
    machine.replace_master(200, older=100)
    machine.happens("pause", nothing, lambda: machine.replace_master(200))
    outcome = deploy(machine)
    assert (outcome.outcome, machine.told, machine.paused) == (APPLIED, [200], 2)


def test_an_upgrade_that_begins_before_the_reload_and_stays_is_undone(machine):
    """The old master serves the old release, and no signal makes it read another."""
    machine.happens("reload", lambda: machine.replace_master(200, older=100))
    outcome = deploy(machine)
    assert undone(machine, outcome) and machine.told == [100, 200]
    assert "kill -QUIT 100" in outcome.message


def test_an_upgrade_that_begins_after_the_proof_has_read_the_release(machine):
    machine.happens("prove", lambda: machine.replace_master(200, older=100))
    outcome = deploy(machine)
    assert (outcome.outcome, machine.serves()[PATH]) == (APPLIED, NEW)
    assert "nginx-upgrade" in codes(outcome) and machine.told == [100]


# -- reloads that are not taken ----------------------------------------------------------------


def test_a_reload_that_is_never_taken_leaves_the_old_release_proven(machine):
    machine.happens("reload", refuse("state T"), refuse("state T"))
    outcome = deploy(machine)
    assert undone(machine, outcome)
    assert codes(outcome) == {"reload-not-taken"} and "as before, proven" in outcome.message


def test_a_reload_that_is_not_taken_after_one_that_was_is_told(machine):
    machine.happens("reload", nothing, refuse("state D"))
    machine.happens("prove", refuse("not proven"))
    outcome = deploy(machine)
    assert outcome.outcome == ROLLBACK_FAILED
    assert all(words in outcome.message for words in ("state D", "another release is served", "not proven"))
    assert machine.files.read(PATH) == OLD and machine.serves()[PATH] == NEW and not closed(machine)


def test_the_next_run_heals_what_was_left(machine):
    test_a_reload_that_is_not_taken_after_one_that_was_is_told(machine)
    host = machine.host()
    healed = recover(host)
    assert "put back as it was" in healed and not host.outcome.failed
    assert machine.serves()[PATH] == OLD and closed(machine)


def test_where_nobody_can_be_asked_nothing_is_taken_for_proven():
    machine = Machine()
    plain = Entry("file", content=b"# a file without a server\n")
    machine.happens("reload", refuse("state T"), refuse("state T"))
    outcome = deploy(machine, Change(PATH, ABSENT, plain, "site"))
    assert outcome.outcome == ROLLBACK_FAILED and "nobody can be asked" in outcome.message


# -- recovery ----------------------------------------------------------------------------------


def test_a_broken_tree_is_not_put_back(machine):
    machine.edit(b"nonsense on;\n")
    machine.happens("prove", refuse("because"))
    outcome = deploy(machine, Change(PATH, Entry("file", content=b"nonsense on;\n"), file("new"), "site"))
    assert outcome.outcome == ROLLBACK_FAILED and "does not pass nginx -t" in outcome.message
    assert machine.files.read(PATH) == NEW and closed(machine)


def test_an_unreadable_journal_is_nobodys_to_guess(machine):
    machine.files.plant(f"{STATE}/journal.json", Entry("file", content=b"{"))
    with pytest.raises(Refused, match="cannot be read"):
        recover(machine.host())


# -- the order of several files ----------------------------------------------------------------


@pytest.mark.parametrize("needs_room", [True, False])
def test_old_files_go_last_unless_nginx_wants_them_gone_first(machine, needs_room):
    """Added first, two files may define one upstream; removed first, somebody may miss what is gone."""
    machine.refuses = (
        (lambda changes: {change.after.kind for change in changes} == {"file"}) if needs_room else None
    )
    old = Change(f"{DIRECTORY}/old.conf", file("old"), ABSENT)
    new = Change(f"{DIRECTORY}/new.conf", ABSENT, file("new"))
    for given in ([old, new], [new, old]):
        assert _ordered(machine.host(), given) == ([old, new] if needs_room else [new, old])
