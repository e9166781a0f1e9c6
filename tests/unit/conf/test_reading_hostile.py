"""Input made to crash or hang a reader: an answer or one of the two declared errors, in seconds."""

import contextlib
import random
import time

import pytest

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError

MIB = 1 << 20


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a{" * 200000 + b"}" * 200000, id="deep"),
        pytest.param(b"a{" * 200000, id="deep and open"),
        pytest.param(b"a '" + b"x" * 10 * MIB, id="open quote"),
        pytest.param(b"x" * 10 * MIB, id="one word"),
        pytest.param(b"\\" * 10 * MIB, id="backslashes"),
        pytest.param(b"${" * 5 * MIB, id="variables"),
        pytest.param(b"#" + b"x" * 10 * MIB, id="one comment"),
        pytest.param(b"#\n" * MIB, id="comments"),
        pytest.param(b" " * 10 * MIB, id="blanks"),
        pytest.param(b"\0" * 10 * MIB, id="zeros"),
        pytest.param(b"x_by_lua_block {" + b'"\\' * MIB, id="lua quotes and backslashes"),
        pytest.param(b"x_by_lua_block {" + b"\"'" * MIB, id="lua quotes"),
        pytest.param(b"x_by_lua_block {" + (b'"' + b"x" * 2000 + b"\n") * 1000, id="lua open quotes"),
        pytest.param(b"x_by_lua_block {" + b"[=" * MIB, id="lua brackets"),
        pytest.param(b"a " * MIB + b";", id="arguments"),
        pytest.param(b"a;" * 2 * MIB, id="directives"),
    ],
)
def test_large_and_odd(data):
    started = time.process_time()
    for read in (
        lambda: load("m", read=lambda path: data),
        lambda: load_dump(b"# configuration file m:\n" + data),
    ):
        try:
            for directive in read().root[:2]:
                assert repr(directive)
        except ConfSyntaxError as error:
            assert len(str(error)) < 300
    assert time.process_time() - started < 60


def test_includes_that_multiply():
    files = {f"/{n}": f"include /{n + 1}; include /{n + 1};".encode() for n in range(40)}
    files["/40"] = b"a;"
    with pytest.raises(ConfSyntaxError, match="inclusions"):
        load("/0", read=files.__getitem__)


def test_random_bytes_raise_nothing_else():
    rng = random.Random(3)
    pieces = [
        b"include",
        b" ",
        b"a",
        b";",
        b"{",
        b"}",
        b'"',
        b"'",
        b"\\",
        b"$",
        b"\n",
        b"#",
        b"\0",
        b"\xff",
        b"*",
        b"[",
        b"x_by_lua_block",
        b"# configuration file a:\n",
        b"map",
        b"geo",
        b"types",
    ]
    for _ in range(5000):
        data = b"".join(rng.choice(pieces) for _ in range(rng.randrange(40)))
        with contextlib.suppress(ConfSyntaxError):
            load("/nonexistent/m", read=lambda path, data=data: data)
        with contextlib.suppress(ConfSyntaxError):
            load_dump(data)
