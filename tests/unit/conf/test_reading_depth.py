"""Blocks in blocks: read as far as anybody goes, refused in words beyond that, by both ways to read."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.conf.load import DEPTH_LIMIT, load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError


def from_files(content):
    return load("/m", read=lambda path: content)


def from_dump(content):
    return load_dump(b"# configuration file /m:\n" + content + b"\n")


@pytest.mark.parametrize("read", [from_files, from_dump])
@pytest.mark.parametrize("depth", [DEPTH_LIMIT + 1, 1000, 50_000])
@pytest.mark.parametrize("closed", [True, False])
def test_too_deep_is_a_syntax_error_and_nothing_else(read, depth, closed):
    with pytest.raises(ConfSyntaxError, match="blocks in each other"):
        read(b"location / {\n" * depth + b"}" * depth * closed)


@pytest.mark.parametrize("read", [from_files, from_dump])
def test_as_deep_as_anybody_goes(read):
    content = b"location / {\n" * DEPTH_LIMIT + b"}" * DEPTH_LIMIT
    assert len(list(read(content * 2).walk())) == 2 * DEPTH_LIMIT


def test_depth_counts_through_includes():
    nest = b"location / { include /%d; }"
    files = {f"/{n}": nest % (n + 1) for n in range(DEPTH_LIMIT + 1)}
    with pytest.raises(ConfSyntaxError, match="blocks in each other"):
        load("/0", read=files.__getitem__)


def test_blocks_of_lua_and_closed_ones_do_not_add_up():
    content = b"init_by_lua_block { if x then y = {} end }\nlocation / { }\n" * 500
    assert len(list(from_files(content).walk())) == 1000
