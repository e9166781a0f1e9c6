"""Directives as a tree that can be changed, copied and written out."""

# ruff: noqa: UP031  (one format for a whole name or line)

from __future__ import annotations

import random
from typing import Iterator, List, Optional, Sequence, Tuple

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:$^~*=@?&+%,!-[]<>|")


class Node:
    """One directive: name, words, and the block if it has one; an include file is a node too."""

    def __init__(self, name: str, *args: str, block: Optional[List[Node]] = None, raw: str = "") -> None:
        self.name = name
        self.args = list(args)
        self.block = block
        self.raw = raw

    def copy(self) -> Node:
        block = None if self.block is None else [child.copy() for child in self.block]
        return Node(self.name, *self.args, block=block, raw=self.raw)

    def walk(self) -> Iterator[Tuple[List[Node], int]]:
        """Every removable place, outer first: the list and the index in it."""
        if self.block is None:
            return
        for index, child in enumerate(self.block):
            yield self.block, index
            yield from child.walk()


def quote(word: str, style: int = 0) -> str:
    """Write a word so that nginx reads it back unchanged."""
    plain = word and all(c in PLAIN for c in word) and style == 0
    if plain and not word.startswith(("}", "{")):
        return word
    if style == 2 and "'" not in word:
        return "'{}'".format(word.replace("\\", "\\\\"))
    return '"{}"'.format(word.replace("\\", "\\\\").replace('"', '\\"'))


class Renderer:
    """Writes a configuration; ``include`` nodes become files of their own."""

    def __init__(self, seed: int) -> None:
        self.files: List[Tuple[str, str]] = []
        self.random = random.Random(seed)
        self.stem = "inc_%d" % seed

    def text(self, nodes: Sequence[Node], depth: int = 0) -> str:
        pad = "    " * depth
        lines: List[str] = []
        for node in nodes:
            if node.name == "include" and node.block is not None:
                name = "%s_%d.conf" % (self.stem, len(self.files))
                self.files.append((name, ""))
                place = len(self.files) - 1
                self.files[place] = (name, self.text(node.block))
                lines.append(f"{pad}include {name};")
            elif node.block is None:
                lines.append(f"{pad}{self.head(node)};")
            else:
                lines.append(f"{pad}{self.head(node)} {{")
                lines.append(self.text(node.block, depth + 1))
                lines.append(f"{pad}}}")
        return "\n".join(line for line in lines if line)

    def head(self, node: Node) -> str:
        if node.raw:
            return f"{node.name} {node.raw}"
        words = [node.name or '""'] + [quote(word, self.random.choice((0, 0, 1, 2))) for word in node.args]
        if node.name and any(c not in PLAIN for c in node.name):
            words[0] = quote(node.name, 1)
        return " ".join(words)


def flat(nodes: Sequence[Node]) -> Iterator[Node]:
    """Nodes with includes opened."""
    for node in nodes:
        if node.name == "include" and node.block is not None:
            yield from flat(node.block)
        else:
            yield node
