"""What a directive says, whichever file and line it stands in: two that say the same compare as equal."""

from __future__ import annotations

from typing import Optional, Tuple

from ...conf.tree import Directive

Shape = Tuple[object, ...]
Line = Tuple[bytes, Tuple[bytes, ...], Optional[Shape]]


def shape(line: Directive) -> Line:
    """The name, the arguments and the block of a directive, all the way down.

    Args:
        line: the directive.
    """
    return line.name, tuple(line.args), block_of(line)


def block_of(line: Directive) -> Optional[Shape]:
    """What stands in a directive's block; None where it has none."""
    return None if line.block is None else tuple(map(shape, line.block))
