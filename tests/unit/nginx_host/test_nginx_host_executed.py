"""What root executes by testing a configuration, and what others may write of it: by module and question."""

from __future__ import annotations

import os
import shlex

import pytest

from module_utils.nginx_websocket.host.executed import is_private, without_words
from module_utils.nginx_websocket.host.survey import survey
from module_utils.nginx_websocket.transaction.live import instance
from module_utils.nginx_websocket.transaction.site.model import Refused
from tests.unit.nginx_host.fake_proc import FakeProc
from verify.host_report import on_host
from verify.host_report.rights import statements

MALLORY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")

MAIN = (
    "include modules-enabled/*.conf;\nload_module modules/ngx_http_echo_module.so;\nevents {{}}\n"
    "http {{\n {more}\n include conf.d/*.conf;\n include snippets/one.conf;\n}}\n"
)
MODULE = "modules/ngx_http_echo_module.so"
CODE = ["", "nginx.conf", "modules-enabled", "modules-enabled/a.conf", "modules", MODULE]
DATA = ["conf.d", "conf.d/site.conf", "snippets", "snippets/one.conf"]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A stopped nginx that is in PATH, and its whole tree."""
    prefix = tmp_path / "tree"
    for name in ("modules-enabled", "modules", "conf.d", "snippets"):
        (prefix / name).mkdir(parents=True)
    (prefix / "nginx.conf").write_text(MAIN.format(more=""))
    (prefix / "modules-enabled/a.conf").write_text("worker_rlimit_nofile 100;\n")
    (prefix / "modules/ngx_http_echo_module.so").write_text("")
    (prefix / "conf.d/site.conf").write_text("server { server_name a.test; }\n")
    (prefix / "snippets/one.conf").write_text("gzip off;\n")
    (tmp_path / "bin").mkdir()
    binary = tmp_path / "bin/nginx"
    binary.write_text(
        f"#!/bin/sh\nexec >&2\necho nginx version: nginx/1.22.1\necho 'configure arguments: "
        f"--prefix={prefix} --conf-path={prefix}/nginx.conf'\n"
    )
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    # Tests beside these start processes with the title of a master.
    monkeypatch.setattr(instance, "_masters", lambda _strangers: ([], []))
    return prefix


def look(tmp_path):
    return survey(proc=FakeProc(tmp_path / "proc").proc)


def verified(tmp_path, said="nothing is run: "):
    """Whether the verification's question refuses to test the tree; what it says then has these words."""
    found = on_host.tested({"exe": str(tmp_path / "bin/nginx"), "title": "nginx: master process nginx"}, "")
    assert (found["rc"] == -1) == found["err"].startswith("nothing is run: ")
    return found["rc"] == -1 and said in found["err"]


def test_a_tree_of_root_alone(tree, tmp_path):
    found = look(tmp_path)
    assert (found.found, found.warnings) == (True, [])
    assert not verified(tmp_path)


@pytest.mark.parametrize("path", CODE)
def test_what_is_executed_is_refused(tree, tmp_path, path):
    os.chown(tree / path, MALLORY, 0)
    found = look(tmp_path)
    assert not found.found
    assert f"chown -h root {(tree / path)}" in found.message
    assert verified(tmp_path, f"{str(tree / path).rstrip('/')} belongs to user {MALLORY}")
    with pytest.raises(Refused, match="has root run his code"):
        instance.find_instance()


@pytest.mark.parametrize("path", DATA)
def test_what_is_only_read_is_told(tree, tmp_path, path):
    os.chown(tree / path, MALLORY, 0)
    found = look(tmp_path)
    assert found.found
    (warning,) = found.warnings
    assert f"chown -h root {tree / path}" in warning
    instance.find_instance()
    assert not verified(tmp_path)


@pytest.mark.parametrize(
    "more, path",
    [
        ("perl_modules perl;", "perl"),
        ("perl_require perl/x.pm;", "perl/x.pm"),
        ("init_by_lua_file lua/init.lua;", "lua/init.lua"),
        ("ssl_certificate_key engine:{tree}/evil.so:key;", "evil.so"),
        ('server {{ proxy_ssl_certificate_key  # why\n "engine:{tree}/evil\\".so:key"; }}', 'evil".so'),
    ],
)
def test_code_of_interpreters_is_code(tree, tmp_path, more, path):
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).mkdir()
    (tree / "nginx.conf").write_text(MAIN.format(more=more.format(tree=tree)))
    os.chown(tree / path, MALLORY, 0)
    assert f"chown -h root {shlex.quote(str(tree / path))}" in look(tmp_path).message
    assert verified(tmp_path, f"{tree / path} belongs")


@pytest.mark.parametrize("path", DATA)
def test_an_engine_in_any_file_is_code(tree, tmp_path, path):
    """OpenSSL loads it as soon as nginx reads the key's line."""
    evil, file = tree / "evil.so", tree / path
    evil.write_text("")
    os.chown(evil, MALLORY, 0)
    (file / "more.conf" if file.is_dir() else file).write_text(f"ssl_certificate_key engine:{evil}:x;\n")
    if path == "snippets":
        (tree / "snippets/one.conf").write_text("include snippets/more.conf;\n")
    assert not look(tmp_path).found
    assert verified(tmp_path, str(evil))


@pytest.mark.parametrize("module", ["http_lua", "http_perl"])
def test_with_an_interpreter_every_file_may_bring_code(tree, tmp_path, module):
    (tree / "modules-enabled/a.conf").write_text(f"load_module modules/ngx_{module}_module.so;\n")
    os.chown(tree / "conf.d/site.conf", MALLORY, 0)
    assert not look(tmp_path).found
    assert verified(tmp_path)


@pytest.mark.parametrize("module", ["../ngx_lua-0.10.26", "/www/server/nginx/src/lua_nginx_module"])
def test_so_it_may_with_one_that_is_compiled_in(tree, tmp_path, module):
    binary = tmp_path / "bin/nginx"
    binary.write_text(binary.read_text().replace("arguments: ", f"arguments: --add-module={module} "))
    assert not verified(tmp_path)
    os.chown(tree / "conf.d/site.conf", MALLORY, 0)
    assert not look(tmp_path).found
    assert verified(tmp_path)


@pytest.mark.parametrize(
    "files, text, size",
    [(1, b"", 300 * 2**20), (9, b"include x;" + b" " * 2**20, 0), (5100, b"", 0)],
    ids=["sparse", "large", "many"],  # not their contents: the name of a test stands in its environment
)
def test_what_is_too_large_to_be_looked_at_is_not_run(tree, tmp_path, files, text, size):
    for number in range(files):
        with (tree / f"conf.d/{number}.conf").open("wb") as stream:
            stream.write(text)
            stream.truncate(size or len(text))
    assert verified(tmp_path, "more than can be looked at")


@pytest.mark.parametrize("filling", [b" ", b"\n", b"#x {\n", b"a;", b'"b\\" {";', b"${x};"])
def test_words_are_found_behind_whatever_a_stranger_writes(filling):
    found = list(statements(filling * (2**18 // len(filling)) + b"\ninclude 'x y';"))
    assert found[-1] == (0, [b"include", b"x y"])


def test_a_broken_tree_is_looked_at_too(tree, tmp_path):
    (tree / "conf.d/site.conf").write_text("server {\n")
    (tree / "modules-enabled/a.conf").chmod(0o666)
    found = look(tmp_path)
    assert not found.found
    assert f"chmod go-w {tree}/modules-enabled/a.conf" in found.message
    assert verified(tmp_path)


def test_an_installed_binary_of_somebody_is_not_executed(tree, tmp_path):
    proof = tmp_path / "executed"
    binary = tmp_path / "bin/nginx"
    binary.write_text(f"#!/bin/sh\ntouch {proof}\n")
    os.chown(binary, MALLORY, 0)
    found = look(tmp_path)
    assert (found.found, proof.exists()) == (False, False)
    assert f"chown -h root {binary}" in found.message


@pytest.mark.parametrize(
    ("path", "mode", "private"),
    [
        ("root/secret", 0o600, True),
        ("home/x.conf", 0o600, True),
        ("root/secret", 0o644, False),
        ("etc/nginx/conf.d/own.conf", 0o600, False),
        ("etc/nginx/missing.conf", None, False),
        ("home/missing.conf", None, False),
    ],
)
def test_a_private_file_is_not_quoted(tmp_path, path, mode, private):
    """nginx tells the first word of /etc/shadow, where a stranger's file includes it or is a link to it."""
    for name in ("root", "home", "etc/nginx/conf.d"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home/x.conf").symlink_to(tmp_path / "root/secret")
    if mode is not None:
        (tmp_path / path).write_text("secret\n")
        (tmp_path / path).chmod(mode)
    assert is_private(str(tmp_path / path), str(tmp_path / "etc/nginx/nginx.conf")) is private


def test_what_is_left_of_a_message_about_a_private_file():
    assert without_words('unknown directive "root:$6$x" in /home/x:1') == 'unknown directive "…" in /home/x:1'
