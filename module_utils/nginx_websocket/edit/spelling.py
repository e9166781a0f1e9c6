"""Variables that nothing defines, and the name that was meant."""

from __future__ import annotations

import difflib
import re
from typing import Iterator, List, Set, Tuple

from ..behaviour.built_in import BUILT_IN
from ..behaviour.variables import variable_names
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive

_BY_LAST = (b"map", b"geo", b"split_clients")
_BY_FIRST = (
    b"set", b"perl_set", b"js_set", b"js_var", b"auth_request_set", b"set_by_lua_block", b"set_by_lua",
)  # fmt: skip
_CAPTURE = re.compile(rb"\(\?P?<(\w+)>")
_NEAR = 0.8
"""How alike names are of which one is the other misspelt."""


def defined(configuration: Configuration) -> Set[bytes]:
    """Names of the variables that the files themselves define, without their ``$``."""
    names: Set[bytes] = set()
    for directive in configuration.walk():
        if directive.name in _BY_LAST and directive.args:
            names.add(directive.args[-1][1:])
        elif directive.name in _BY_FIRST and directive.args:
            names.add(directive.args[0][1:])
        for word in (directive.name, *directive.args):
            names.update(_CAPTURE.findall(word))
    return names


def meant(configuration: Configuration, name: bytes) -> bytes:
    """The one variable whose name is nearly that of one which nothing defines; ``b""`` for none or several.

    Args:
        configuration: the files.
        name: without its ``$``.
    """
    known = [one.decode("latin-1") for one in defined(configuration) | set(BUILT_IN)]
    near = difflib.get_close_matches(name.decode("latin-1"), known, 2, _NEAR)
    return near[0].encode("latin-1") if len(near) == 1 else b""


def uses(configuration: Configuration, name: bytes) -> Iterator[Tuple[Directive, int]]:
    """Every word that uses a variable: its directive, and which argument it is."""
    for directive in configuration.walk():
        for index, word in enumerate(directive.args):
            if name in variable_names(word):
                yield directive, index


def respelt(configuration: Configuration, name: bytes, right: bytes) -> List[Edit]:
    """The right name wherever the other one stands; not a byte more.

    Args:
        configuration: the files.
        name: that nothing defines, without its ``$``.
        right: the name that is meant.
    """
    wrong = re.compile(rb"(?<=\$)%b(?!\w)|(?<=\$\{)%b(?=\})" % (re.escape(name), re.escape(name)))
    edits = {}
    for directive, _ in uses(configuration, name):
        source = directive.source
        end = directive.end if directive.block is None else directive.body
        for found in wrong.finditer(source.data, directive.start, end):
            edits[source.name, found.start()] = Edit(source, found.start(), found.end(), right)
    return list(edits.values())
