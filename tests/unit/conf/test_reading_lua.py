"""Opaque blocks: where lua-nginx-module's lexer ends them."""

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError


def read(body):
    data = b"content_by_lua_block {" + body + b"}\nafter;"
    return load("m", read=lambda path: data).root


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" if a then b = { c = {} } end ",
        b" s = '}' .. \"}\" ",
        b" s = '\\'}' .. \"\\\"}\" ",
        b" -- }\n",
        b" -- don't\n s = 'x' ",
        b" --[[ } ]] ",
        b" --[==[ ]] } ]==] ",
        b" s = [[ } ' ]] ",
        b" s = [=[ ]] } ]=] ",
        b" a[b[1]] = 1 ",
        b" include x; # ' \n ",
    ],
)
def test_body_is_opaque(body):
    lua, after = read(body)
    assert (lua.raw, lua.block, after.name) == (body, [], b"after")


@pytest.mark.parametrize("body", [b"{", b"[[", b"--[=[ ]]", b"{ '}' "])
def test_without_an_end(body):
    with pytest.raises(ConfSyntaxError, match=r"[lL]ua code block") as caught:
        read(body)
    assert caught.value.line == 1


def test_arguments_come_before_the_block():
    data = b"set_by_lua_block $x { return '}' }"
    directive = load("m", read=lambda path: data).root[0]
    assert (directive.args, directive.raw) == ((b"$x",), b" return '}' ")
