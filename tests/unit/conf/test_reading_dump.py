"""load_dump(): the output of nginx -T, honest and misleading."""

import pathlib

import pytest

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError

N = "/etc/nginx/"


def dump(*files):
    return b"".join(
        b"# configuration file %s:\n%s\n" % ((N + name).encode(), content) for name, content in files
    )


def read_back(*files):
    configuration = load_dump(dump(*files))
    assert configuration.files == {N + name: content for name, content in files}
    return configuration


def test_files_and_patterns():
    configuration = read_back(
        ("nginx.conf", b"include mime; http { include d/*.conf; include /etc/nginx/last; }\n"),
        ("mime", b"types { }\n"),
        ("d/a.conf", b"a;\n"),
        ("d/b.conf", b"include mime; b;"),
        ("last", b""),
    )
    assert [d.name for d in configuration.root[1].block] == [b"a", b"types", b"b"]
    assert configuration.root[1].block[0].where() == "/etc/nginx/d/a.conf:1"


@pytest.mark.parametrize(
    "false",
    [
        b"# configuration file /etc/nginx/other:\n",  # never included
        b"# configuration file /etc/nginx/nginx.conf:\n",  # read already
        b"# configuration file /etc/nginx/a:\n",
        b"# configuration file /etc/nginx/b:\n",  # will be read, later
    ],
)
@pytest.mark.parametrize("place", ["top", "block", "string", "after the include", "in the file itself"])
def test_comment_that_looks_like_a_marker(false, place):
    main, a = b"include a;\nx { y; }\ninclude b;\n", b"z;\n"
    if place == "top":
        main = false + main
    elif place == "block":
        main = main.replace(b"y;", b"y;\n" + false)
    elif place == "string":
        main = main.replace(b"y;", b"y '\n" + false + b"';")
    elif place == "after the include":
        main = main.replace(b"x {", false + b"x {")
    else:
        a = false + a
    read_back(("nginx.conf", main), ("a", a), ("b", b"b;\n"))


def test_a_wrong_first_guess_is_taken_back():
    # The false marker comes first and looks as true as the other; but then the file would include itself.
    a = b"include b;\n\n# configuration file /etc/nginx/b:\ninclude b;\n"
    read_back(("nginx.conf", b"include a;"), ("a", a), ("b", b"c;\n"))


def test_messages_before_and_windows_line_ends():
    text = b"nginx: the configuration file x syntax is ok\n" + dump(("nginx.conf", b"a;\n"))
    assert load_dump(text.replace(b"\n", b"\r\n")).root[0].name == b"a"


@pytest.mark.parametrize("text", [b"", b"events {}\n", b"# configuration file"])
def test_no_dump_at_all(text):
    with pytest.raises(ConfSyntaxError, match="not the output of nginx -T"):
        load_dump(text)


def test_part_missing():
    with pytest.raises(ConfSyntaxError, match="the dump does not hold it"):
        load_dump(dump(("nginx.conf", b"include b;\n")))


def test_many_false_markers_end():
    line = b"# configuration file /etc/nginx/a%d:\n"
    text = dump(("nginx.conf", b"include a*;" + b"".join(line % number for number in range(20000)) + b"}"))
    with pytest.raises(ConfSyntaxError):
        load_dump(text)


def test_the_disk_is_never_read(tmp_path):
    pathlib.Path(tmp_path / "x").write_bytes(b"x;")
    with pytest.raises(ConfSyntaxError):
        load_dump(
            b"# configuration file /etc/nginx/nginx.conf:\ninclude %s;\n\n" % str(tmp_path / "x").encode()
        )
