"""All tokens of a file, statement after statement, as the tree's reader asks for them."""

from typing import Iterator

from module_utils.nginx_websocket.conf.tokens import Token, read_statement
from module_utils.nginx_websocket.conf.tree import Source


def tokens(source: Source) -> Iterator[Token]:
    pos = 0
    while True:
        found, last = read_statement(source, pos)
        yield from found
        if last.kind == "end":
            return
        yield last
        pos = last.end
