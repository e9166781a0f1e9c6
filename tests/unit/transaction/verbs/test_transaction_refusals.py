"""What stops a transaction before, in and after its middle, and what the host is like then."""

from __future__ import annotations

import dataclasses
import errno

import pytest
from simulated_host import MAIN, ROOT, STATE, SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.deployed_state import deployed_state
from module_utils.nginx_websocket.transaction.rollback import kept
from module_utils.nginx_websocket.transaction.site.model import Entry

LIVE = f"{ROOT}/sites-available/a.conf"


@pytest.fixture
def host() -> SimulatedHost:
    host = SimulatedHost()
    assert host.deploy(candidate("a", "one")).outcome == "applied"
    return host


def stays(host: SimulatedHost, done, files) -> str:
    """A refusal: the files are as they were, and so is what nginx serves; returns the message."""
    assert done.failed and not done.changed
    assert host.files() == files
    return done.message


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (candidate("../a"), "cannot be a file name"),
        (candidate(""), "cannot be a file name"),
        (dataclasses.replace(candidate("b"), server_names=()), "has no server name"),
        (dataclasses.replace(candidate("b"), content=b"server { }"), "@RELEASE@"),
    ],
)
def test_a_site_that_cannot_be_one(host, site, words):
    assert words in stays(host, host.deploy(site), host.files())


@pytest.mark.parametrize("option", ["on_drift", "on_takeover", "on_loss"])
def test_an_option_that_is_none(host, option):
    assert f"{option} is 'perhaps'" in stays(
        host, host.deploy(candidate("a"), **{option: "perhaps"}), host.files()
    )


def test_no_site_and_one_twice(host):
    before = host.files()
    assert "no site" in stays(host, host.deploy(), before)
    assert "is used twice" in stays(host, host.deploy(candidate("b"), candidate("b", "2")), before)


def test_without_a_layout_each_site_needs_a_path(host):
    host.nginx = dataclasses.replace(host.nginx, layout=None, layout_error="no include of a directory")
    assert "no include of a directory" in stays(host, host.deploy(candidate("b")), host.files())


def test_a_host_that_cannot_be_read(host, monkeypatch):
    def locked(*_arguments, **_more):
        raise OSError(errno.EIO, "Input/output error")

    before = host.files()
    monkeypatch.setattr(host.world, "locked", locked)
    for done in (host.deploy(candidate("a", "two")), host.rollback()):
        assert "nothing was changed" in stays(host, done, before)


def test_a_full_disk_at_the_snapshot_changes_nothing(host, monkeypatch):
    def full(path, entry):
        if path.startswith(STATE):
            raise OSError(errno.ENOSPC, "No space left on device")
        return type(host.world.files).create(host.world.files, path, entry)

    before = host.files()
    monkeypatch.setattr(host.world.files, "create", full)
    message = stays(host, host.deploy(candidate("a", "two")), before)
    assert "the snapshot could not be written" in message and "nothing was changed" in message
    monkeypatch.undo()
    assert host.deploy(candidate("a", "two")).outcome == "applied"


def test_a_file_that_is_a_mount_of_its_own_is_told_with_the_way_out(host, monkeypatch):
    def busy(old, new):
        if new == LIVE and "two" in host.world.files.read(old).decode():
            raise OSError(errno.EBUSY, "Device or resource busy")
        type(host.world.files).rename(host.world.files, old, new)

    before = host.files()
    monkeypatch.setattr(host.world.files, "rename", busy)
    done = host.deploy(candidate("a", "two"))
    assert done.outcome == "rolled back" and f"umount {LIVE}" in done.message and host.files() == before


def test_without_systemd_a_window_is_none_and_that_is_told(host, monkeypatch):
    monkeypatch.setattr(host.world, "guard", lambda *_arguments: None)
    done = host.deploy(candidate("a", "two"), confirm_window=60.0)
    assert done.outcome == "applied" and not done.confirm_by
    assert [finding.code for finding in done.findings] == ["not-guarded"]
    assert not [f for f in host.deploy(candidate("a", "three")).findings if f.code == "not-guarded"]


def test_a_guard_that_cannot_be_armed_is_told_and_taken_away(host, monkeypatch):
    def refuse(*_arguments):
        host.world.watch.armed_for = 1  # half of it is there
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(host.world.watch, "arm", refuse)
    done = host.deploy(candidate("a", "two"), confirm_window=60.0)
    assert done.outcome == "applied" and not done.confirm_by and not host.world.watch.armed()
    (found,) = [finding for finding in done.findings if finding.code == "not-guarded"]
    assert "Read-only file system" in found.message


def test_what_cannot_be_tidied_is_told_and_the_release_stays(host, monkeypatch):
    def refuse(path):
        if path.endswith("journal.json"):
            raise OSError(errno.EROFS, "Read-only file system")
        type(host.world.files).unlink(host.world.files, path)

    monkeypatch.setattr(host.world.files, "unlink", refuse)
    done = host.deploy(candidate("a", "two"))
    assert done.outcome == "applied" and not done.failed
    assert "not-tidied" in [finding.code for finding in done.findings]


def test_a_rollback_without_a_backup():
    host = SimulatedHost()
    done = host.rollback()
    assert "nothing was deployed here" in stays(host, done, host.files())


def test_a_rollback_that_is_asked_for_wrongly(host):
    assert "on_drift is 'perhaps'" in stays(host, host.rollback(on_drift="perhaps"), host.files())


def test_a_rollback_in_check_mode_says_what_it_would_do(host):
    host.deploy(candidate("a", "two"))
    before = host.files()
    done = host.rollback(check=True)
    assert done.changed and not done.failed and "would go back to" in done.message
    assert host.files() == before and len(done.diff) == 1


def test_a_rollback_onto_something_that_is_no_file(host):
    host.deploy(candidate("a", "two"))
    host.world.files.names_seen[LIVE].entry = Entry("other")
    done = host.rollback()
    assert done.failed and "neither a file nor a link any more" in done.message


def test_a_rollback_tells_whose_file_is_wrong(host):
    host.deploy(candidate("a", "two"))
    host.world.files.plant(f"{ROOT}/conf.d/theirs.conf", Entry("file", content=b"server {"))
    done = host.rollback()
    assert done.failed and "theirs.conf" in done.message and "nothing was changed" in done.message


def test_a_rollback_tells_of_an_application_that_is_down(host, monkeypatch):
    host.deploy(candidate("a", "two"))
    monkeypatch.setattr(host.world, "silent_backends", lambda *_arguments: ["127.0.0.1:8000"])
    done = host.rollback()
    assert done.outcome == "applied"
    assert [finding.code for finding in done.findings if finding.code == "backend-down"]


def test_what_is_kept_comes_newest_first(host):
    host.deploy(candidate("a", "two"), reason="why\nnot")
    listed = kept(state_dir=STATE, world=host.world)
    assert [one["number"] for one in listed] == [2, 1]
    assert "why not" in str(listed[0])


class TestDeployedState:
    def asked(self, host: SimulatedHost, *names: str):
        sites = [candidate(name) for name in names or ("a",)]
        return deployed_state(sites, nginx=host.nginx, state_dir=STATE, world=host.world)

    def test_a_release_that_stands(self, host):
        found = self.asked(host)
        assert found is not None and found.outcome == "unchanged" and set(found.releases) == {"a"}

    def test_a_site_that_was_never_deployed(self, host):
        assert self.asked(host, "a", "b") is None

    def test_an_edited_file(self, host):
        entry = host.world.files.names_seen[LIVE].entry
        host.world.files.names_seen[LIVE].entry = dataclasses.replace(
            entry, content=entry.content + b"# mine\n"
        )
        assert self.asked(host) is None

    def test_a_file_that_is_gone(self, host):
        del host.world.files.names_seen[LIVE]
        assert self.asked(host) is None

    def test_another_release_is_served(self, host):
        host.world.served = {MAIN: b""}
        assert self.asked(host) is None

    def test_what_cannot_be_read(self, host, monkeypatch):
        def broken(*_arguments, **_more):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(host.world, "secure", broken)
        assert self.asked(host) is None
