"""The state directory must be root's alone, with all that is believed of it; each refusal has its command."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from module_utils.nginx_websocket.transaction.safety.statedir import secure
from module_utils.nginx_websocket.transaction.site.model import Refused

MALLORY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


@pytest.fixture
def place():
    """A directory that root alone can write; /tmp is not on the way there."""
    path = Path(tempfile.mkdtemp(dir="/var/lib"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def state(place):
    """The state after one deployment."""
    directory = place / "state"
    backup = directory / "backups/0001"
    (backup / "before").mkdir(parents=True)
    for name in ("lock", "journal.json", "guard.zip", "gone-back.json", "backups/last"):
        (directory / name).write_text("1\n")
    (backup / "manifest.json").write_text("{}")
    (backup / "before/000-x.conf").write_text("# x\n")
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    return directory


BELIEVED = [
    "lock",
    "journal.json",
    "guard.zip",
    "gone-back.json",
    "backups",
    "backups/last",
    "backups/0001",
    "backups/0001/manifest.json",
    "backups/0001/before",
    "backups/0001/before/000-x.conf",
]


def refusal(state, conf_dir="/etc/nginx", mend=True):
    with pytest.raises(Refused) as told:
        secure(str(state), conf_dir, mend=mend)
    return str(told.value)


def test_what_a_deployment_left_is_trusted(state):
    secure(str(state), "/etc/nginx", mend=True)


def test_what_does_not_exist_yet_will_be_ours(place):
    secure(str(place / "a/b"), "/etc/nginx", mend=True)


@pytest.mark.parametrize("name", BELIEVED)
def test_what_somebody_else_owns_is_not_believed(state, name):
    os.chown(state / name, MALLORY, 0)
    said = refusal(state)
    assert f"{state / name} belongs to " in said
    assert f"chown -h root {state / name}" in said


@pytest.mark.parametrize("name", BELIEVED)
def test_what_somebody_else_may_write_is_not_believed(state, name):
    (state / name).chmod(0o666 if (state / name).is_file() else 0o777)
    assert f"chmod go-w {state / name}" in refusal(state)


@pytest.mark.parametrize("name", BELIEVED)
@pytest.mark.parametrize("kind", ["link", "fifo", "other"])
def test_what_is_of_another_type_is_not_believed(state, name, kind):
    path = state / name
    was_file = path.is_file()
    path.rename(state / ".away.nginx-websocket.tmp")
    if kind == "link":
        path.symlink_to(state / ".away.nginx-websocket.tmp")
    elif kind == "fifo":
        os.mkfifo(path)
    elif was_file:
        path.mkdir()
    else:
        path.write_text("")
    if name == "backups/0001/manifest.json" and kind != "link":
        return  # then it is no backup of ours
    if name in ("backups/0001", "backups/0001/before") and kind != "link":
        return
    assert f"mv {path} /root/" in refusal(state) or name == "backups/last"


def test_a_second_name_of_a_file_is_refused(state):
    os.link(state / "journal.json", state.parent / "other")
    assert "hard links" in refusal(state)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711])
def test_what_others_could_only_read_is_mended(state, mode):
    state.chmod(mode)
    secure(str(state), "/etc/nginx", mend=False)
    assert state.stat().st_mode & 0o777 == mode
    secure(str(state), "/etc/nginx", mend=True)
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o733, 0o1777])
def test_what_others_could_write_is_not(state, mode):
    state.chmod(mode)
    said = refusal(state)
    assert f"{state} has mode {mode:04o}" in said
    assert "ls -laR" in said
    (command,) = re.findall(r"chmod 0700 \S+?(?=\.? |\.$)", said)
    subprocess.run(command, shell=True, check=True)
    secure(str(state), "/etc/nginx", mend=False)
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("parent", ["place", "above"])
def test_the_directories_above_count(place, parent):
    (place / "above/state").mkdir(parents=True)
    weak = place if parent == "place" else place / "above"
    os.chown(weak, MALLORY, 0)
    assert f"{weak} belongs to" in refusal(place / "above/state")
    assert f"{weak} belongs to" in refusal(place / "above/not-there-yet")


@pytest.mark.parametrize(
    "path", ["/tmp/x", "/var/tmp/x", "/tmp", "/", "/etc/nginx", "/etc/nginx/state", "/etc"]
)
def test_places_that_can_never_be_ours(path):
    assert "cannot be the state directory" in refusal(path)


@pytest.mark.parametrize("path", ["/var", "/etc", "/root", "/usr/lib"])
def test_a_directory_of_others_is_left_alone(path, place):
    before = os.stat(path).st_mode
    assert "cannot be the state directory" in refusal(path, conf_dir=str(place))
    assert os.stat(path).st_mode == before


def test_an_empty_directory_of_somebody_is_not_changed(place):
    (place / "state").mkdir(mode=0o755)
    assert f"chmod 0700 {place}/state" in refusal(place / "state")


def test_an_empty_directory_that_is_private_will_do(place):
    (place / "state").mkdir(mode=0o700)
    secure(str(place / "state"), "/etc/nginx", mend=True)


def test_a_file_is_no_directory(place):
    (place / "state").write_text("")
    assert "is no directory" in refusal(place / "state")


def test_a_link_of_root_to_a_directory_of_root_will_do(state):
    link = state.parent / "link"
    link.symlink_to(state)
    secure(str(link), "/etc/nginx", mend=True)


def test_what_a_person_put_beside_ours_is_his(state):
    (state / "notes.txt").write_text("")
    os.chown(state / "notes.txt", MALLORY, 0)
    (state / "backups/20240101").mkdir()
    os.chown(state / "backups/20240101", MALLORY, 0)
    (state / "backups/0099").write_text("")
    secure(str(state), "/etc/nginx", mend=True)


def test_a_first_run_that_was_killed_left_a_directory_of_ours(place):
    """The lock, and the journal that was being written under its hidden name."""
    (place / "state").mkdir(mode=0o700)
    for name in ("lock", ".journal.json.nginx-websocket.tmp"):
        (place / "state" / name).write_text("")
    secure(str(place / "state"), "/etc/nginx", mend=True)
    for name in ("journal.json.nginx-websocket.tmp", ".journal.json"):
        other = place / "state" / name
        other.write_text("")
        assert "cannot be the state directory" in refusal(place / "state")
        other.unlink()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("file", "is a file; expected: a directory of ours"),
        ("fifo", "is a FIFO; expected"),
        ("link", "is a symbolic link; expected"),
        ("socket", "is a device or socket; expected"),
    ],
)
def test_what_stands_in_the_place_of_the_backups_is_named(state, kind, words):
    backups = state / "backups"
    backups.rename(state.parent / "away")
    with socket.socket(socket.AF_UNIX) as listener:
        {
            "file": lambda: backups.write_text(""),
            "fifo": lambda: os.mkfifo(backups),
            "link": lambda: backups.symlink_to(state.parent / "away"),
            "socket": lambda: listener.bind(str(backups)),
        }[kind]()
        assert f"{backups} {words}" in refusal(state)


def test_a_directory_in_the_place_of_a_file_is_named(state):
    (state / "lock").unlink()
    (state / "lock").mkdir()
    assert "lock is a directory; expected: a file of ours" in refusal(state)
