"""A small transaction, stopped after any write, sync or rename, by a kill or by a power cut.

After each: every live path holds its old or its new content, whole; the next run heals; healing itself may
be stopped anywhere.
"""

from __future__ import annotations

from typing import Iterator, Tuple

import pytest
from simulated import PowerCut, SimulatedFilesystem, Without

from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.execute import Plan, execute
from module_utils.nginx_websocket.transaction.running import LEAVE
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import ABSENT, Change, Entry
from module_utils.nginx_websocket.transaction.surroundings.host import Host
from module_utils.nginx_websocket.transaction.tree.files import TEMPORARY_SUFFIX
from module_utils.nginx_websocket.transaction.undo import recover

STATE = "/var/lib/state"
OLD = {
    "/etc/nginx/a/site": Entry("file", content=b"old site, long enough to be torn"),
    "/etc/nginx/a/gone": Entry("file", content=b"to be replaced"),
    "/etc/nginx/b/other": Entry("file", content=b"somebody else's"),
}
CHANGES = (
    Change(
        "/etc/nginx/a/site",
        OLD["/etc/nginx/a/site"],
        Entry("file", content=b"new site, long enough to be torn"),
    ),
    Change("/etc/nginx/a/fresh", ABSENT, Entry("file", content=b"a file that was not there")),
    Change("/etc/nginx/b/link", ABSENT, Entry("link", target="/etc/nginx/a/fresh")),
    Change("/etc/nginx/a/gone", OLD["/etc/nginx/a/gone"], ABSENT),
)
NEW = {change.path: change.after for change in CHANGES}


def machine() -> SimulatedFilesystem:
    disk = SimulatedFilesystem()
    for path, entry in OLD.items():
        disk.plant(path, entry)
    disk.plant(f"{STATE}/lock", Entry("file"))
    return disk


def host(disk: SimulatedFilesystem, keep: int = 10) -> Host:
    return Host(Instance("/usr/sbin/nginx", "/etc/nginx/nginx.conf"), STATE, keep=keep, world=Without(disk))


def run(disk: SimulatedFilesystem) -> None:
    plan = Plan("deploy", CHANGES, Configuration("", [], {}), {}, {"site": {"path": "/etc/nginx/a/site"}})
    execute(host(disk), plan, stopped=LEAVE)


def operations() -> int:
    disk = machine()
    run(disk)
    return disk.operations


def state_of(disk: SimulatedFilesystem) -> str:
    """``old`` or ``new`` when the whole tree is, else ``between``; torn or strange content fails."""
    tree = disk.tree("/etc/nginx")
    for path, entry in tree.items():
        if path.rpartition("/")[2].endswith(TEMPORARY_SUFFIX):
            assert path.rpartition("/")[2].startswith("."), "nginx would read it"
            continue
        allowed = [side[path] for side in (OLD, NEW) if path in side]
        assert any(entry.same(one) for one in allowed), f"{path} holds {entry.content!r}"
    shown = {path: entry for path, entry in tree.items() if not path.endswith(TEMPORARY_SUFFIX)}
    if {path: (e.kind, e.content, e.target) for path, e in shown.items()} == _plain(OLD):
        return "old"
    after = {**OLD, **NEW}
    if {path: (e.kind, e.content, e.target) for path, e in shown.items()} == _plain(
        {path: entry for path, entry in after.items() if entry.kind != "absent"}
    ):
        return "new"
    return "between"


def _plain(tree):
    return {path: (entry.kind, entry.content, entry.target) for path, entry in tree.items()}


def stopped_at(number: int) -> SimulatedFilesystem:
    disk = machine()
    disk.stop_after = number
    with pytest.raises(PowerCut):
        run(disk)
    return disk


def survivors(disk: SimulatedFilesystem) -> Iterator[Tuple[str, SimulatedFilesystem]]:
    """The disks that the next run may find: after a kill, and after each kind of power cut."""
    for cut in disk.after_power_cut():
        yield "power cut", cut
    yield "kill", disk.killed()


def check_healed(disk: SimulatedFilesystem, committed: bool) -> None:
    wanted = ("new",) if committed else ("old", "new")
    state = state_of(disk)
    assert state in wanted, state
    names = disk.names(STATE)
    assert "journal.json" not in names, "a transaction is still open"
    left = [path for path in disk.names_seen if path.endswith(TEMPORARY_SUFFIX) and path.startswith("/etc")]
    assert not left, left
    backups = host(disk).backups
    left = set(disk.names(backups.directory)) - {f"{number:04d}" for number in backups.numbers()}
    assert left <= {"last"}, "half a backup is left"
    for number in backups.numbers():
        backups.load(number)
    assert (state == "new") == bool(backups.numbers()), "a backup belongs to a transaction that happened"


def test_the_transaction_itself():
    disk = machine()
    run(disk)
    assert state_of(disk) == "new"
    check_healed(disk, True)
    assert all(node is disk.names_on_disk.get(path) for path, node in disk.names_seen.items()), (
        "all is on the disk"
    )


@pytest.mark.parametrize("number", range(operations()))
def test_stopped_anywhere_the_next_run_heals(number):
    for how, disk in survivors(stopped_at(number)):
        state_of(disk)
        try:
            healed = recover(host(disk))
        except BaseException as error:
            raise AssertionError(f"after a {how} at operation {number}") from error
        check_healed(disk, False)
        assert bool(healed) or state_of(disk) in ("old", "new")
        assert recover(host(disk)) == "", "healing is done once"


@pytest.mark.parametrize("number", range(operations()))
def test_healing_may_be_stopped_anywhere_too(number):
    base = [disk for _, disk in survivors(stopped_at(number))]
    for disk in base[:3] + base[-1:]:
        state = dict(disk.names_seen), dict(disk.names_on_disk), set(disk.directories)
        steps = _operations_of_recovery(disk)
        for stop in range(steps):
            disk.names_seen, disk.names_on_disk, disk.directories = (
                dict(state[0]),
                dict(state[1]),
                set(state[2]),
            )
            disk.operations, disk.stop_after = 0, stop
            with pytest.raises(PowerCut):
                recover(host(disk))
            for _, again in survivors(disk):
                state_of(again)
                recover(host(again))
                check_healed(again, False)


def _operations_of_recovery(disk: SimulatedFilesystem) -> int:
    kept = dict(disk.names_seen), dict(disk.names_on_disk), set(disk.directories)
    disk.operations = 0
    recover(host(disk))
    disk.names_seen, disk.names_on_disk, disk.directories = kept
    return disk.operations


def test_a_power_cut_after_success_keeps_the_release():
    disk = machine()
    run(disk)
    for cut in disk.after_power_cut():
        assert recover(host(cut)) == ""
        check_healed(cut, True)


def test_the_number_of_an_undone_transaction_never_means_another_one():
    """Whoever is about to confirm or undo it must not meet the next run's release."""
    disk = stopped_at(operations() - 1)
    used = host(disk.killed()).backups.next_number() - 1
    assert used == 1
    host(disk).backups.remove(used)
    assert host(disk).backups.numbers() == [] and host(disk).backups.next_number() == used + 1


def test_retention_may_be_stopped_anywhere():
    """Three transactions with one backup kept: pruning merges and removes, stopped at every operation.

    The newest stays beside the first, for its undo.
    """

    def three(disk: SimulatedFilesystem) -> None:
        for round_ in range(3):
            path = f"/etc/nginx/b/{round_}"
            plan = Plan(
                "deploy",
                [Change(path, ABSENT, Entry("file", content=b"x"))],
                Configuration("", [], {}),
                {},
                {},
            )
            execute(host(disk, keep=1), plan, stopped=LEAVE)

    disk = machine()
    three(disk)
    total = disk.operations
    first = host(disk).backups
    assert first.numbers() == [1, 3]
    assert [change.path for change in first.load(1).changes] == [f"/etc/nginx/b/{n}" for n in range(2)]
    for number in range(total):
        stopped = machine()
        stopped.stop_after = number
        with pytest.raises(PowerCut):
            three(stopped)
        for _, found in survivors(stopped):
            recover(host(found, keep=1))
            recover(host(found, keep=1))
            backups = host(found).backups
            known = {change.path for n in backups.numbers() for change in backups.load(n).changes}
            there = {path for path in found.tree("/etc/nginx/b") if path != "/etc/nginx/b/other"}
            assert there <= known, "what a transaction made, a kept backup can take away"


def test_two_backups_become_one_at_every_instant():
    """The same file each time: the merged backup has the oldest content before, and the newest after."""
    path = "/etc/nginx/b/site"

    def content(number: int) -> Entry:
        return Entry("file", content=b"release %d" % number)

    def run_some(disk: SimulatedFilesystem, count: int = 4) -> None:
        for number in range(count):
            change = Change(path, content(number - 1) if number else ABSENT, content(number))
            plan = Plan("deploy", [change], Configuration("", [], {}), {}, {})
            execute(host(disk, keep=1), plan, stopped=LEAVE)

    disk = machine()
    run_some(disk, 3)
    begin = disk.operations
    disk = machine()
    run_some(disk)
    backups = host(disk).backups
    assert backups.numbers() == [1, 4]
    assert [(one.before, one.after.content) for one in backups.load(1).changes] == [(ABSENT, b"release 2")]
    for number in range(begin, disk.operations):
        stopped = machine()
        stopped.stop_after = number
        with pytest.raises(PowerCut):
            run_some(stopped)
        for _, found in survivors(stopped):
            recover(host(found, keep=1))
            kept = host(found).backups
            history = [kept.load(one) for one in kept.numbers()]
            assert not history or history[0].changes[0].before == ABSENT
            assert (found.entry(path).kind == "absent") == (not history)
            if history:
                assert history[-1].changes[0].after.same(found.entry(path)), "what we wrote last is known"
