"""Small faults that a function can have: each is one change of its syntax tree."""

from __future__ import annotations

import ast
import copy
import dataclasses
from typing import Callable, Dict, Iterator, List, Optional, Tuple, Union

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Change = Tuple[str, ast.AST]
"""What the fault is called, and what stands in the place of the node."""

OTHER_COMPARISON: Dict[type, type] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OTHER_OPERATOR: Dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitOr: ast.BitAnd,
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One fault at one place."""

    path: str
    """Of the module, below the checkout."""
    line: int
    function: str
    """The outermost function that holds the place: ``Class.name`` for a method."""
    first_line: int
    """Of that function, its decorators included."""
    node: int
    """Which node of the function's body it is, in the order of ``nodes``."""
    change: int
    """Which of the changes that are possible there."""
    statement: Tuple[int, int]
    """First and last line of the statement, or of the head of the block, that it is in."""
    words: str

    def __str__(self) -> str:
        """Where it is and what it does."""
        return f"{self.path}:{self.line} {self.function}: {self.words}"


def outermost(tree: ast.Module) -> Iterator[Tuple[str, Function]]:
    """Functions of a module and methods of its classes, with their names; not what is defined inside them."""

    def below(node: ast.AST, names: Tuple[str, ...]) -> Iterator[Tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield ".".join((*names, child.name)), child
            elif isinstance(child, ast.ClassDef):
                yield from below(child, (*names, child.name))
            elif not isinstance(child, ast.expr):
                yield from below(child, names)

    return below(tree, ())


def first_line(function: Function) -> int:
    """The line that a code object of this function begins with."""
    return min([function.lineno, *(item.lineno for item in function.decorator_list)])


def nodes(function: Function) -> Iterator[Tuple[ast.AST, Tuple[int, int]]]:
    """What stands in the body, each with the lines of its statement; not defaults, annotations, assertions.

    An assertion in the product tells mypy what cannot be otherwise.
    """
    waiting: List[Tuple[ast.AST, Tuple[int, int]]] = [(item, (0, 0)) for item in function.body]
    while waiting:
        node, lines = waiting.pop()
        if isinstance(node, ast.Assert):
            continue
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = node.end_lineno or node.lineno
            lines = (node.lineno, max(node.lineno, body[0].lineno - 1) if body else last)
        yield node, lines
        left_out = {"annotation", "returns", "decorator_list", "args" if isinstance(node, FUNCTIONS) else ""}
        for field, value in ast.iter_fields(node):
            if field not in left_out:
                below = value if isinstance(value, list) else [value]
                waiting += [(item, lines) for item in below if isinstance(item, ast.AST)]


def mutants(path: str, source: str) -> List[Mutant]:
    """Every fault that a module can have."""
    found = []
    for name, function in outermost(ast.parse(source)):
        for number, (node, lines) in enumerate(nodes(function)):
            for choice, (words, _) in enumerate(changes(node)):
                line = getattr(node, "lineno", lines[0])
                found.append(Mutant(path, line, name, first_line(function), number, choice, lines, words))
    return found


def mutated(source: str, mutant: Mutant) -> ast.Module:
    """The module's tree with one fault; every line keeps its number."""
    tree = ast.parse(source)
    function = next(
        item
        for name, item in outermost(tree)
        if name == mutant.function and first_line(item) == mutant.first_line
    )
    target = next(node for number, (node, _) in enumerate(nodes(function)) if number == mutant.node)
    changed = list(changes(target))[mutant.change][1]
    _replace(function, target, ast.copy_location(changed, target))
    return ast.fix_missing_locations(tree)


def _replace(root: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for node in ast.walk(root):
        for field, value in ast.iter_fields(node):
            if value is old:
                setattr(node, field, new)
                return
            if isinstance(value, list) and any(item is old for item in value):
                setattr(node, field, [new if item is old else item for item in value])
                return
    raise AssertionError("the node is not there")


def changes(node: ast.AST) -> Iterator[Change]:
    """The faults that one node can have."""
    rule = RULES.get(type(node))
    if rule is not None:
        yield from rule(node)


def _shown(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 70 else text[:67] + "..."


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of the node alone; its children are shared."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _not(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def _condition(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, (ast.If, ast.IfExp, ast.While))
    if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    shown = _shown(node.test)
    if not isinstance(node, ast.While):
        yield f"`if {shown}` is negated", _with(node, test=_not(node.test))
        yield f"`if {shown}` never holds", _with(node, test=ast.Constant(False))
    yield f"`{shown}` always holds", _with(node, test=ast.Constant(not isinstance(node, ast.While)))


def _comprehension(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, ast.comprehension)
    for number, test in enumerate(node.ifs):
        rest = [item for other, item in enumerate(node.ifs) if other != number]
        yield f"the filter `if {_shown(test)}` is gone", _with(node, ifs=rest)


def _comparison(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, ast.Compare)
    for number, operator in enumerate(node.ops):
        other = OTHER_COMPARISON[type(operator)]()
        operators = [other if at == number else item for at, item in enumerate(node.ops)]
        changed = _with(node, ops=operators)
        yield f"`{_shown(node)}` becomes `{_shown(changed)}`", changed


def _joined(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, ast.BoolOp)
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield f"`{_shown(node)}` with the other of and and or", _with(node, op=other)
    for number, operand in enumerate(node.values):
        rest = [item for at, item in enumerate(node.values) if at != number]
        changed = _with(node, values=rest) if len(rest) > 1 else rest[0]
        yield f"`{_shown(node)}` without `{_shown(operand)}`", copy.copy(changed)


def _negated(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, ast.UnaryOp)
    if isinstance(node.op, ast.Not):
        yield f"`{_shown(node)}` without not", copy.copy(node.operand)


def _arithmetic(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, ast.BinOp)
    other = OTHER_OPERATOR.get(type(node.op))
    text = any(isinstance(item, ast.JoinedStr) for item in ast.walk(node))
    if other is not None and not text:
        changed = _with(node, op=other())
        yield f"`{_shown(node)}` becomes `{_shown(changed)}`", changed


def _constant(node: ast.AST) -> Iterator[Change]:
    """Numbers, truth values and bytes; what text says to people is no fault of logic."""
    assert isinstance(node, ast.Constant)
    value = node.value
    if isinstance(value, bool):
        yield f"{value} becomes {not value}", ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield f"{value} becomes {value + 1}", ast.Constant(value + 1)
    elif isinstance(value, bytes) and value:
        yield f"{value!r} becomes another word", ast.Constant(value + b"x")


def _code(node: ast.AST) -> Iterator[Change]:
    """``codes.X``: another code in its place."""
    assert isinstance(node, ast.Attribute)
    if isinstance(node.value, ast.Name) and node.value.id == "codes" and node.attr.isupper():
        other = "NO_PONG" if node.attr != "NO_PONG" else "CACHE"
        yield f"codes.{node.attr} becomes codes.{other}", _with(node, attr=other)


def _statement(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, (ast.Expr, ast.AugAssign))
    value = node.value
    if isinstance(node, ast.Expr) and not isinstance(value, (ast.Call, ast.Yield, ast.YieldFrom)):
        return  # a docstring
    if isinstance(value, ast.Yield):
        yield f"`{_shown(node)}` is gone", ast.Expr(ast.YieldFrom(ast.Tuple([], ast.Load())))
    else:
        yield f"`{_shown(node)}` is gone", ast.Pass()


def _return(node: ast.AST) -> Iterator[Change]:
    assert isinstance(node, ast.Return)
    if node.value is not None and not isinstance(node.value, ast.Constant):
        yield f"`{_shown(node)}` returns None", ast.Return(ast.Constant(None))


def _loop_end(node: ast.AST) -> Iterator[Change]:
    yield f"{_shown(node)} is gone", ast.Pass()


def _raise(node: ast.AST) -> Iterator[Change]:
    yield f"`{_shown(node)}` is gone", ast.Pass()


Rule = Callable[[ast.AST], Iterator[Change]]
RULES: Dict[type, Rule] = {
    ast.If: _condition,
    ast.IfExp: _condition,
    ast.While: _condition,
    ast.comprehension: _comprehension,
    ast.Compare: _comparison,
    ast.BoolOp: _joined,
    ast.UnaryOp: _negated,
    ast.BinOp: _arithmetic,
    ast.Constant: _constant,
    ast.Attribute: _code,
    ast.Expr: _statement,
    ast.AugAssign: _statement,
    ast.Return: _return,
    ast.Continue: _loop_end,
    ast.Break: _loop_end,
    ast.Raise: _raise,
}


def code_of(tree: ast.Module, mutant: Mutant) -> Optional[object]:
    """The code object of the function that holds the fault; None where the tree does not compile."""
    try:
        waiting = [compile(tree, mutant.path, "exec", dont_inherit=True)]
    except (SyntaxError, ValueError, TypeError):
        return None
    name = mutant.function.rpartition(".")[2]
    while waiting:
        code = waiting.pop()
        if code.co_name == name and code.co_firstlineno == mutant.first_line:
            return code
        waiting += [item for item in code.co_consts if hasattr(item, "co_code")]
    return None
