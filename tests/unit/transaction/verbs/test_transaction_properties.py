"""Any small transaction, stopped anywhere, also while it heals: old or new whole, never a bit of each."""

from __future__ import annotations

from typing import Dict

from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import PowerCut, SimulatedFilesystem, Without

from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.execute import Plan, execute
from module_utils.nginx_websocket.transaction.running import LEAVE
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import ABSENT, Change, Entry
from module_utils.nginx_websocket.transaction.surroundings.host import Host
from module_utils.nginx_websocket.transaction.undo import recover

STATE = "/var/lib/state"
PATHS = [f"/etc/nginx/{place}" for place in ("a/one", "a/two", "b/one", "b/.hidden")]

entries = st.one_of(
    st.just(ABSENT),
    st.builds(lambda content: Entry("file", content=content), st.binary(max_size=6)),
    st.builds(lambda target: Entry("link", target=target), st.sampled_from(["../a/one", "/nowhere"])),
)


@st.composite
def transactions(draw):
    paths = draw(st.lists(st.sampled_from(PATHS), min_size=1, unique=True))
    changes = []
    for path in paths:
        before = draw(entries)
        changes.append(Change(path, before, draw(entries.filter(lambda after, b=before: not after.same(b)))))
    return changes


def machine(changes) -> SimulatedFilesystem:
    disk = SimulatedFilesystem()
    disk.plant(f"{STATE}/lock", Entry("file"))
    for place in ("a", "b"):
        disk.plant(f"/etc/nginx/{place}/neighbour", Entry("file", content=b"not ours"))
    for change in changes:
        if change.before.kind != "absent":
            disk.plant(change.path, change.before)
    return disk


def host(disk: SimulatedFilesystem) -> Host:
    return Host(Instance("/usr/sbin/nginx", "/etc/nginx/nginx.conf"), STATE, world=Without(disk))


def shown(disk: SimulatedFilesystem) -> Dict[str, tuple]:
    return {path: (e.kind, e.content, e.target) for path, e in disk.tree("/etc/nginx").items()}


def stopped(disk: SimulatedFilesystem, work, number: int) -> bool:
    disk.operations, disk.stop_after = 0, number
    try:
        work()
    except PowerCut:
        return True
    finally:
        disk.stop_after = None
    return False


def found(disk: SimulatedFilesystem, choice: int) -> SimulatedFilesystem:
    """What the next run finds: the same disk after a kill, or one of those after a power cut."""
    disks = [disk, *disk.after_power_cut(limit=16)]
    return disks[choice % len(disks)]


@settings(max_examples=150, deadline=None)
@given(transactions(), st.integers(0, 120), st.integers(0, 40), st.integers(0, 16), st.integers(0, 16))
def test_a_transaction_is_old_or_new(changes, first, second, how, how_then):
    disk = machine(changes)
    old = shown(disk)
    new = dict(old)
    for change in changes:
        new.pop(change.path, None)
        if change.after.kind != "absent":
            new[change.path] = (change.after.kind, change.after.content, change.after.target)
    plan = Plan("deploy", changes, Configuration("", [], {}), {}, {})
    cut = stopped(disk, lambda: execute(host(disk), plan, stopped=LEAVE), first)
    disk = found(disk, how)
    stopped(disk, lambda: recover(host(disk)), second)
    disk = found(disk, how_then)
    recover(host(disk))
    state = shown(disk)
    assert state in (old, new), "neither old nor new"
    assert cut or state == new, "what was committed is lost"
    assert disk.names(STATE) in (["lock"], ["backups", "lock"])
    assert recover(host(disk)) == ""
