"""JSON from a host, read within bounds of memory and depth, and by one meaning only."""

from __future__ import annotations

import json
import math
from typing import Any, Dict, List, NoReturn, Tuple

from host_answers.shapes import MOST_BYTES, Misshapen

#: Values in one answer. A Python list of nothing takes 56 bytes and an object with one key 232, in three and
#: seven characters: the length of a text does not bound what it becomes.
MOST_VALUES = 400_000
#: Digits of a number: a whole number of more has no meaning here, and Python takes quadratic time for it.
MOST_DIGITS = 20


class NoAnswer(Misshapen):
    """There is no JSON object at all, as where a program could not be started."""


def parse(text: str) -> Any:  # noqa: ANN401  plain data, of whatever shape
    """Return the data of a JSON text.

    Args:
        text: The text, as it came.

    Returns:
        Plain data.

    Raises:
        Misshapen: it is no JSON, or nothing that a program of ours writes: repeated keys, NaN, numbers
            without end, too many values, too many levels.
    """
    if len(text) > MOST_BYTES:
        raise Misshapen(f"expected at most {MOST_BYTES} bytes, got more")
    if sum(text.count(sign) for sign in ",:[{") > MOST_VALUES:
        raise Misshapen(f"expected at most {MOST_VALUES} values, got more")
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_fraction,
        )
    except RecursionError:
        raise Misshapen("expected data of a few levels, got deeper ones") from None
    except ValueError as error:
        raise Misshapen(f"expected JSON: {error}") from None


def answer_in(text: str) -> Any:  # noqa: ANN401
    """Return the data of the JSON object in a program's output, in lines of its own.

    A login may print something before it and a logout after it, as Ansible allows.

    Raises:
        NoAnswer: there is no object.
        Misshapen: `parse` refuses it.
    """
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if line.lstrip().startswith("{")), None)
    ends = (number for number in range(len(lines), 0, -1) if lines[number - 1].rstrip().endswith("}"))
    last = next(ends, 0)
    if first is None or last <= first:
        raise NoAnswer("expected JSON, got none")
    return parse("\n".join(lines[first:last]))


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Misshapen("expected each key once, got one twice")
    return found


def _constant(name: str) -> NoReturn:
    raise Misshapen(f"expected numbers, got {name}")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise Misshapen(f"expected numbers, got one of {len(digits)} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Misshapen("expected numbers, got one beyond all bounds")
    return number
