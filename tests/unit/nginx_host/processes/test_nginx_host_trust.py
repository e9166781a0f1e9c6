"""Who can write a path: the host's rule and the verification's, which share no code, judge one table."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest

from module_utils.nginx_websocket.host.processes.trust import is_trusted, owner_fault, weakness
from verify.host_report.rights import weak_step

MALLORY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


def tree(top):
    """/opt/nginx/sbin/nginx of root."""
    place = top / "opt/nginx/sbin"
    place.mkdir(parents=True)
    (place / "nginx").write_bytes(b"")
    for path in (place / "nginx", place, place.parent, place.parent.parent):
        path.chmod(0o755)
    return place / "nginx"


def untouched(top, path):
    return None


def of_somebody(top, path):
    os.chown(path, MALLORY, 0)
    return path


def parent_of_somebody(top, path):
    os.chown(path.parent, MALLORY, 0)
    return path.parent


def grandparent_of_somebody(top, path):
    os.chown(top / "opt", MALLORY, 0)
    return top / "opt"


def for_all(top, path):
    path.chmod(0o757)
    return path


def for_a_group_with_members(top, path):
    group = next(user.pw_gid for user in pwd.getpwall() if user.pw_gid != 0)
    os.chown(path, 0, group)
    path.chmod(0o775)
    return path


def for_a_group_without_a_name(top, path):
    os.chown(path, 0, 4_000_000)
    path.chmod(0o775)
    return path


def for_roots_own_group(top, path):
    path.chmod(0o775)


def directory_for_all(top, path):
    path.parent.chmod(0o777)
    return path.parent


def sticky_directory_on_the_way(top, path):
    path.parent.chmod(0o1777)


def sticky_directory_with_a_file_of_somebody(top, path):
    path.parent.chmod(0o1777)
    os.chown(path, MALLORY, 0)
    return path


def link_of_root(top, path):
    real = path.rename(top / "real")
    path.symlink_to(real)


def relative_link_upwards(top, path):
    path.rename(top / "opt/real")
    path.symlink_to("../../real")


def link_to_a_file_of_somebody(top, path):
    real = path.rename(top / "real")
    path.symlink_to(real)
    os.chown(real, MALLORY, 0)
    return real


def link_of_somebody_in_a_sticky_directory(top, path):
    path.parent.chmod(0o1777)
    real = path.rename(top / "real")
    path.symlink_to(real)
    os.lchown(path, MALLORY, 0)
    return path


def link_to_a_directory_of_somebody(top, path):
    home = top / "home"
    path.parent.rename(home)
    path.parent.symlink_to(home)
    os.chown(home, MALLORY, 0)
    return home


def missing(top, path):
    path.unlink()


def missing_below_a_directory_for_all(top, path):
    path.unlink()
    path.parent.chmod(0o777)
    return path.parent


def link_that_leads_nowhere(top, path):
    path.unlink()
    path.symlink_to(path)


def with_an_access_list(top, path):
    path.chmod(0o775)
    try:
        os.setxattr(path, "system.posix_acl_access", acl(MALLORY))
    except OSError:
        pytest.skip("this file system has no access lists")
    return path


def acl(uid):
    """An access list (linux/posix_acl_xattr.h, version 2) that lets one user write."""
    import struct

    none = 0xFFFFFFFF
    entries = [(1, 7, none), (2, 7, uid), (4, 5, none), (16, 7, none), (32, 5, none)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


CASES = [
    untouched,
    of_somebody,
    parent_of_somebody,
    grandparent_of_somebody,
    for_all,
    for_a_group_with_members,
    for_a_group_without_a_name,
    for_roots_own_group,
    directory_for_all,
    sticky_directory_on_the_way,
    sticky_directory_with_a_file_of_somebody,
    link_of_root,
    relative_link_upwards,
    link_to_a_file_of_somebody,
    link_of_somebody_in_a_sticky_directory,
    link_to_a_directory_of_somebody,
    missing,
    missing_below_a_directory_for_all,
    link_that_leads_nowhere,
    with_an_access_list,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_way_to_a_file(tmp_path, case):
    path = tree(tmp_path)
    weak = case(tmp_path, path)
    found, told = weakness(str(path)), weak_step(str(path))
    assert (found.path if found else None) == (str(weak) if weak else None)
    assert bool(told) == bool(weak)
    if weak:
        assert told.startswith(f"{weak} ")


@pytest.mark.parametrize("case", [of_somebody, for_all, directory_for_all, parent_of_somebody])
def test_the_command_mends_it(tmp_path, case):
    path = tree(tmp_path)
    case(tmp_path, path)
    subprocess.run(weakness(str(path)).command, shell=True, check=True)
    assert weakness(str(path)) is None


def test_the_end_must_not_be_sticky_for_all(tmp_path):
    tmp_path.chmod(0o1777)
    assert weakness(str(tmp_path)).path == str(tmp_path)
    assert weak_step(str(tmp_path))


def test_our_own_user_is_trusted_too(tmp_path, monkeypatch):
    path = tree(tmp_path)
    os.chown(path, MALLORY, 0)
    monkeypatch.setattr(os, "geteuid", lambda: MALLORY)
    assert weakness(str(path)) is None
    assert not weak_step(str(path))


def test_an_open_file_is_judged_by_itself(tmp_path):
    path = tree(tmp_path)
    path.chmod(0o757)
    with open(path, "rb") as stream:
        assert "chmod go-w" in owner_fault(str(path), os.fstat(stream.fileno())).sentence()


def test_all_ids_of_a_process_must_be_trusted():
    assert is_trusted([0, 0, 0, 0])
    assert not is_trusted([1000, 0, 0, 0])  # a setuid program: its caller chose its title
    assert not is_trusted([33, 33, 33, 33])
