"""What nginx says of a tree that is not live: its answer is read, and the live tree left alone.

The binary is a small program that reads configurations with our own reader and speaks as ``nginx -T`` does.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import pytest

from module_utils.nginx_websocket.transaction.site.model import ABSENT, Entry, Refused
from module_utils.nginx_websocket.transaction.tree import namespace, validation
from module_utils.nginx_websocket.transaction.tree.namespace import NamespaceRefused
from module_utils.nginx_websocket.transaction.tree.overlay import Overlay
from module_utils.nginx_websocket.transaction.tree.rewriting import rewritten_tree
from module_utils.nginx_websocket.transaction.tree.validation import (
    REWRITTEN,
    candidate_changes,
    validate,
    was_read,
)

ROOT = Path(__file__).resolve().parents[4]
NGINX = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
sys.dont_write_bytecode = True
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError

main = sys.argv[sys.argv.index("-c") + 1]
try:
    configuration = load(main)
except ConfSyntaxError as error:
    sys.exit(f"nginx: [emerg] {{error.message}} in {{error.file}}:{{error.line}}\\nnginx: test failed")
for directive in configuration.walk():
    if directive.name == b"warning":
        print(f"nginx: [warn] odd in {{directive.file}}:{{directive.line}}", file=sys.stderr)
    if directive.name == b"ssl_certificate":
        path = directive.args[0].decode()
        sys.exit(f'nginx: [emerg] cannot load certificate "{{path}}": No such file')
    if directive.name == b"silent":
        sys.exit(3)
for path, content in configuration.files.items():
    sys.stdout.write("# configuration file " + path + ":\\n" + content.decode() + "\\n")
"""


@pytest.fixture(params=["as the kernel lets it", "without a namespace"])
def ask(request, tree, tmp_path_factory, monkeypatch):
    """Validates the tree with some files changed: path → content, or None."""
    binary = tmp_path_factory.mktemp("sbin") / "nginx"
    binary.write_text(NGINX)
    binary.chmod(0o755)
    if request.param == "without a namespace":

        def refuse(*_arguments):
            raise NamespaceRefused("not permitted")

        monkeypatch.setattr(validation, "run_staged", refuse)
    nginx = dataclasses.replace(tree.instance(), binary=str(binary))

    def validated(wanted):
        before = {path: path.read_bytes() for path in Path(tree.root).rglob("*") if path.is_file()}
        verdict = validate(candidate_changes(wanted), nginx)
        assert before == {path: path.read_bytes() for path in Path(tree.root).rglob("*") if path.is_file()}
        assert request.param != "without a namespace" or verdict.method == REWRITTEN
        return verdict

    return validated


def test_a_valid_tree_with_a_new_file(ask, tree):
    path, content = tree.path("conf.d/new.conf"), b"server { listen 80; }"
    verdict = ask({path: content})
    assert verdict.valid and not verdict.errors and was_read(verdict, path, content)
    assert not was_read(verdict, tree.path("conf.d/other.conf"), content)


def test_a_file_that_goes_is_not_read(ask, tree):
    path = tree.write("conf.d/old.conf", "server { listen 80; }")
    assert was_read(ask({}), path, b"server { listen 80; }")
    verdict = ask({path: None})
    assert verdict.valid and not was_read(verdict, path, b"server { listen 80; }")


def test_one_that_goes_beside_others_is_not_read_either(ask, tree):
    """Where it stands among files that stay, and by its link."""
    tree.write("conf.d/stays.conf", "# stays")
    link = tree.enable("a.conf", "server { listen 80; }")
    gone = tree.write("conf.d/gone.conf", "server { listen 81; }")
    verdict = ask({gone: None, link: None})
    assert verdict.valid and b"listen 8" not in verdict.dump and b"# stays" in verdict.dump


def test_an_error_has_the_real_path_the_line_and_its_surroundings(ask, tree):
    path = tree.path("conf.d/new.conf")
    verdict = ask({path: b"# one\n# two\nserver { listen 80;\n"})
    assert not verdict.valid
    (error,) = verdict.errors
    assert (error.file, error.line) == (path, 4) or error.file == path
    assert "nginx-websocket-" not in error.message and any("server" in line for line in error.context)


def test_a_warning_is_no_error(ask, tree):
    verdict = ask({tree.path("conf.d/new.conf"): b"\nwarning 1;"})
    assert verdict.valid and not verdict.errors
    (warning,) = verdict.warnings
    assert (warning.file, warning.line, warning.message) == (tree.path("conf.d/new.conf"), 2, "odd")


def test_a_message_without_a_place_gets_that_of_what_it_names(ask, tree):
    verdict = ask({tree.path("conf.d/new.conf"): b"\n\nserver { ssl_certificate /nowhere/c.pem; }"})
    (error,) = verdict.errors
    assert (error.file, error.line) == (tree.path("conf.d/new.conf"), 3)


def test_an_end_without_a_word_is_an_error_with_its_status(ask, tree):
    (error,) = ask({tree.path("conf.d/new.conf"): b"silent on;"}).errors
    assert "ended with 3" in error.message and "no message" in error.message


def test_a_tree_that_is_broken_already_is_tested_all_the_same(ask, tree):
    broken = tree.write("conf.d/broken.conf", "server {")
    (error,) = ask({tree.path("conf.d/a.conf"): b"# fine"}).errors
    assert error.file == broken


@pytest.mark.parametrize("path", ["relative.conf", "/nowhere/at/all.conf"])
def test_a_candidate_needs_a_place(path):
    with pytest.raises(Refused, match="absolute path in a directory that exists"):
        candidate_changes({path: b""})


def test_a_candidate_is_no_directory(tree):
    with pytest.raises(Refused, match="a directory or a device"):
        candidate_changes({tree.path("conf.d"): b""})


def test_an_include_that_never_ends_is_told_without_asking_nginx(ask, tree, monkeypatch):
    os.mkfifo(tree.path("conf.d/hang.conf"))
    monkeypatch.setattr(validation, "run_quietly", lambda *_: pytest.fail("nginx was asked"))
    verdict = validate([], tree.instance())
    assert not verdict.valid and verdict.method == ""
    (error,) = verdict.errors
    assert tree.path("conf.d/hang.conf") in error.sentence()


def test_the_copy_of_the_tree_is_gone_afterwards_whatever_happened(tree):
    seen = []

    def use():
        with rewritten_tree(Overlay(), tree.instance()) as (top, main):
            assert os.path.isfile(main) and main.startswith(top)
            seen.append(top)
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert not os.path.exists(seen[0])


def test_the_workshop_is_outside_of_what_is_staged(tmp_path, monkeypatch):
    names = [str(tmp_path / name) for name in ("missing", "link", "file", "above", "below/it", "beside")]
    (tmp_path / "file").write_text("")
    for name in ("above/it", "below/it", "beside", "beside-it"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / "link").symlink_to(tmp_path / "beside")
    monkeypatch.setattr(namespace, "_WORKSHOPS", names)
    staged = [str(tmp_path / name) for name in ("above/it", "below", "beside-it")]
    assert namespace._workshop(staged) == str(tmp_path / "beside")
    with pytest.raises(OSError, match="no directory to mount"):
        namespace._workshop([*staged, str(tmp_path / "beside")])


def test_an_entry_is_staged_as_what_it_is(tmp_path):
    namespace._write_entry(str(tmp_path / "link"), Entry("link", target="../x"))
    namespace._write_entry(str(tmp_path / "file"), Entry("file", content=b"x", mode=0o640))
    namespace._write_entry(str(tmp_path / "none"), ABSENT)
    assert os.readlink(tmp_path / "link") == "../x" and (tmp_path / "file").read_bytes() == b"x"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]
