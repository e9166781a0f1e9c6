"""Each kind of fault is put where it belongs, and what must not be touched stays."""

from __future__ import annotations

import ast

import pytest

from tests.mutations.operators import code_of, mutants, mutated


def bodies(lines):
    """The body of ``f`` with each of its faults, as one line each."""
    text = "def f(a, b=1):\n" + "".join(f"    {line}\n" for line in lines)
    found = [mutated(text, mutant) for mutant in mutants("x.py", text)]
    return {"; ".join(ast.unparse(node) for node in tree.body[0].body).replace("\n   ", "") for tree in found}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("return a == b", {"return a != b", "return None"}),
        ("x = a in b", {"x = a not in b"}),
        ("x = a < b", {"x = a <= b"}),
        ("x = a and b", {"x = a or b", "x = a", "x = b"}),
        ("x = not a", {"x = a"}),
        ("x = a + 7", {"x = a - 7", "x = a + 8"}),
        ("x = True", {"x = False"}),
        ("x = [y for y in a if y]", {"x = [y for y in a]"}),
        ("x = codes.CACHE", {"x = codes.NO_PONG"}),
        ("a.append(b)", {"pass"}),
        ("raise a", {"pass"}),
        ('"""words"""', set()),
        ("x = 'words'", set()),
        ("x: Tuple[1, 2] = a", set()),
        ("def g(c=1): pass", set()),
        ("assert a == b", set()),
    ],
)
def test_a_line_has_its_faults(line, expected):
    assert bodies([line]) == expected


def test_a_condition_is_negated_never_holds_or_always():
    assert bodies(["if a:", "    b"]) == {"if not a: b", "if False: b", "if True: b"}


def test_the_code_with_the_fault_takes_the_place_of_the_function():
    text = "@str\ndef f(a):\n    return a == 2\n\n\nclass C:\n    def f(self):\n        return 1\n"
    by_words = {(one.function, one.words): one for one in mutants("x.py", text)}

    def f(a):
        return a

    number = by_words["f", "2 becomes 3"]
    assert (number.line, number.first_line, number.statement) == (3, 1, (3, 3))
    f.__code__ = code_of(mutated(text, number), number)
    assert f(3) and not f(2)
    method = by_words["C.f", "1 becomes 2"]
    f.__code__ = code_of(mutated(text, method), method)
    assert f(None) == 2
