"""load(): includes, the resolved tree, overlays, errors."""

import gc
import os

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError


@pytest.fixture
def tree(tmp_path):
    def write(**files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/").replace("_conf", ".conf")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return str(tmp_path / "main")

    return write


def outline(directives):
    return [
        (d.name.decode(), *(a.decode() for a in d.args))
        + ((outline(d.block),) if d.block is not None else ())
        for d in directives
    ]


def test_tree_with_includes_in_blocks(tree, tmp_path):
    main = tree(
        main=b"a;\nhttp {\n  include d/*.conf;\n  b;\n}\nc;",
        d__2_conf=b"server { x; }",
        d__1_conf=b"one;\ninclude e;\nthree;",
        e=b"two;",
        d__3=b"not matched",
    )
    configuration = load(main)
    assert outline(configuration.root) == [
        ("a",),
        ("http", [("one",), ("two",), ("three",), ("server", [("x",)]), ("b",)]),
        ("c",),
    ]
    http = configuration.root[1]
    assert all(child.parent is http for child in http.block)
    assert http.block[3].block[0].parent is http.block[3]
    names = ["main", "d/1.conf", "e", "d/2.conf"]
    assert list(configuration.files) == [str(tmp_path / name) for name in names]
    assert [directive.where() for directive in configuration.walk()][1:4] == [
        f"{main}:2",
        f"{tmp_path}/d/1.conf:1",
        f"{tmp_path}/e:1",
    ]
    pattern, inner = configuration.includes
    assert pattern.pattern == f"{tmp_path}/d/*.conf"
    assert pattern.files == [f"{tmp_path}/d/1.conf", f"{tmp_path}/d/2.conf"]
    assert (inner.directive.line, inner.files) == (2, [f"{tmp_path}/e"])


def test_offsets_quotes_and_raw(tree):
    main = tree(main=b'# c\n \'a\' "b c" d;\nx_by_lua_block { "}" }\ny { z; }')
    configuration = load(main)
    data = configuration.files[main]
    a, lua, y = configuration.root
    assert [data[d.start : d.end] for d in configuration.root] == [
        b"'a' \"b c\" d;",
        b'x_by_lua_block { "}" }',
        b"y { z; }",
    ]
    assert (lua.raw, lua.block, lua.opaque) == (b' "}" ', [], True)
    assert (y.raw, y.opaque, a.block) == (b"", False, None)
    assert [child.name for child in y.children(b"z")] == [b"z"]


def test_include_is_relative_to_the_main_file_not_to_the_includer(tree):
    main = tree(main=b"include d/a;", d__a=b"include b;", b=b"right;", d__b=b"wrong;")
    assert outline(load(main).root) == [("right",)]


def test_relative_main_is_below_the_prefix(tree, tmp_path):
    tree(main=b"include b;", b=b"x;")
    assert load("main", prefix=str(tmp_path)).main == str(tmp_path / "main")


def test_pattern_without_match_is_no_error_but_a_missing_name_is(tree, tmp_path):
    assert load(tree(main=b"include none/*.conf;")).root == []
    with pytest.raises(ConfSyntaxError) as caught:
        load(tree(main=b"\ninclude\n none;"))
    assert caught.value.message == f'open() "{tmp_path}/none" failed (2: No such file or directory)'
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "main"), 3)


def test_missing_main_file(tmp_path):
    with pytest.raises(ConfSyntaxError, match="No such file") as caught:
        load(str(tmp_path / "main"))
    assert caught.value.line == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a {", 'unexpected end of file, expecting "}"'),
        (b"}", 'unexpected "}"'),
        (b"a { } }", 'unexpected "}"'),
        (b"include a b;", 'invalid number of arguments in "include" directive'),
        (b"include;", 'invalid number of arguments in "include" directive'),
        (b"include a { }", 'directive "include" is not terminated by ";"'),
        (b"map $a $b { c { } }", 'unexpected "{"'),
        (b"a { include close; }", 'unexpected "}"'),
        (b"include open; }", 'unexpected end of file, expecting "}"'),
        (b"include main;", "include loop"),
        (b"include loop;", "include loop"),
        (b"include dir;", "failed (21: Is a directory)"),
        (b"include self;", "failed (40: Too many levels of symbolic links)"),
        (b"include fifo;", "it is a FIFO"),
    ],
)
def test_errors(tree, tmp_path, content, message):
    main = tree(
        main=content, close=b"}", open=b"b {", loop=b"include loop2;", loop2=b"include loop*;", dir__x=b""
    )
    os.symlink("self", tmp_path / "self")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfSyntaxError) as caught:
        load(main)
    assert message in str(caught.value)


def test_unreadable_file(tree, tmp_path):
    def read(path):
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        with open(path, "rb") as file:
            return file.read()

    main = tree(main=b"include s*;", secret=b"")
    with pytest.raises(ConfSyntaxError, match="Permission denied") as caught:
        load(main, read=read)
    assert caught.value.file == main


def test_entries_named_include(tree):
    main = tree(main=b"split_clients $a $b { include c; } map $a $m { include m; }", m=b"x y;")
    split, mapping = load(main).root
    assert outline(split.block) == [("include", "c")]
    assert outline(mapping.block) == [("x", "y")]


def test_devices_are_empty_as_nginx_reads_them(tree):
    assert load(tree(main=b"include /dev/zero; include /dev/null; a;")).root[0].name == b"a"


def test_fast_path_gives_way_to_the_exact_one(tree):
    main = tree(main=b"a b\x0bc d;\na ${b} {c;}a x#y;a x}y;a b\\;c;\na $b{d;}" + b"# c\n" * 100 + b"e f;")
    assert outline(load(main).root) == [
        ("a", "b\x0bc", "d"),
        ("a", "${b}", [("c",)]),
        ("a", "x#y"),
        ("a", "x}y"),
        ("a", "b\\;c"),
        ("a", "$b", [("d",)]),
        ("e", "f"),
    ]


def test_non_utf8_names_and_values(tree, tmp_path):
    (tmp_path / os.fsdecode(b"\xff.conf")).write_bytes(b"x \xfe;")
    configuration = load(tree(main=b"include *.conf; include \xff.conf;"))
    assert [d.args for d in configuration.root] == [(b"\xfe",)] * 2
    assert "\\xfe" in repr(configuration.root[0])


def test_garbage_collection_is_as_before(tree):
    assert gc.isenabled()
    with pytest.raises(ConfSyntaxError):
        load(tree(main=b"}"))
    assert gc.isenabled()
