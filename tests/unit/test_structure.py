"""The shape of ``module_utils``: no circle of imports, no crowded folder, arrows between rooms go one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Set

import pytest

from module_utils.nginx_websocket import codes

PACKAGE = Path(__file__).resolve().parents[2] / "module_utils/nginx_websocket"
MOST_MODULES = 15
MOST_DECISIONS = 24
"""Cyclomatic complexity of a function, as radon counts it (``radon cc -s``)."""

FLOORS = (
    ("codes", "conf", "exchange", "importing", "report"),
    ("behaviour", "host"),
    ("compare",),
    ("edit",),
    ("transaction",),
    ("backend_service", "diagnosis"),
    ("fix",),
    ("arguments", "command"),
)
"""A room imports rooms of the floors above it in this list, and none beside it."""

INSIDE = {
    "diagnosis": (
        ("vocabulary",),
        ("words", "experiments"),
        ("evidence",),
        ("asking",),
        ("access", "backend", "headers", "reload"),
        ("capacity",),
        ("reach",),
        ("location",),
        ("tls",),
        ("deciding",),
        ("",),
    ),
    "transaction": (
        ("site",),
        ("live",),
        ("tree",),
        ("history", "safety"),
        ("surroundings",),
        ("plan",),
        ("",),
    ),
}
"""The same within a room; "" are the modules at its top, "vocabulary" also that of each family."""


def modules(root: Path) -> Dict[str, Path]:
    """Name below the package → file."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path) -> Dict[str, Set[str]]:
    """Module → modules of the package that it imports anywhere, for type checking too."""
    known = modules(root)
    arrows: Dict[str, Set[str]] = {}
    for name, path in known.items():
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        package = [part for part in package if part]
        arrows[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            base = [part for part in base if part]
            for alias in node.names:
                below = ".".join([*base, alias.name])
                arrows[name].add(below if below in known else ".".join(base))
        arrows[name].discard(name)
    return arrows


def circles(arrows: Dict[str, Set[str]]) -> List[List[str]]:
    """Groups of modules that import each other, directly or through others."""

    def reached(start: str) -> Set[str]:
        seen: Set[str] = set()
        waiting = [start]
        while waiting:
            new = arrows.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    reach = {name: reached(name) for name in arrows}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach.get(other, ())))
        for name in arrows
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def upward(arrows: Dict[str, Set[str]], floors, room_of) -> List[str]:
    """Imports of a room beside or above the importing one."""
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    return [
        f"{name} imports {target}"
        for name, targets in sorted(arrows.items())
        for target in sorted(targets)
        if room_of(name) != room_of(target) and floor[room_of(name)] <= floor[room_of(target)]
    ]


ARROWS = imports(PACKAGE)


def test_no_module_imports_one_that_imports_it():
    assert circles(ARROWS) == []


def test_each_room_has_a_floor():
    rooms = {name.split(".")[0] for name in ARROWS if name}
    assert rooms == {room for floor in FLOORS for room in floor}


def test_rooms_know_only_the_rooms_below_them():
    assert upward(ARROWS, FLOORS, lambda name: name.split(".")[0]) == []


@pytest.mark.parametrize("room", INSIDE)
def test_parts_of_a_room_know_only_the_parts_below_them(room):
    start = room + "."
    inside = {
        name[len(start) :]: {target[len(start) :] for target in targets if target.startswith(start)}
        for name, targets in ARROWS.items()
        if name.startswith(start)
    }
    parts = {part for floor in INSIDE[room] for part in floor}

    def part_of(name: str) -> str:
        if name.endswith(".vocabulary"):
            return "vocabulary"  # A family's words stand beside its rules, and use none of them.
        return name.split(".")[0] if "." in name or name in parts else ""

    assert {part_of(name) for name in inside} == parts
    assert upward(inside, INSIDE[room], part_of) == []


def constants() -> Dict[str, str]:
    """The word of each code → its constant."""
    return {value: name for name, value in vars(codes).items() if name.isupper()}


def bare_words(text: str) -> List[str]:
    """Codes that stand in a module as strings of their own."""
    return [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and node.value in constants() and node.value not in OTHER_WORDS
    ]


OTHER_WORDS = (codes.UNDECIDED,)
"""A kind of answer has the same name."""


def test_a_code_is_written_as_its_constant():
    found = {
        str(path.relative_to(PACKAGE)): words
        for path in PACKAGE.rglob("*.py")
        for words in (bare_words(path.read_text(encoding="utf-8")),)
        if words and path.name != "codes.py"
    }
    assert found == {}


def test_a_bare_code_is_seen():
    assert bare_words('x = [codes.CACHE, {"cache": "no-upgrade-header", "a": "b cache"}]') == [
        "cache",
        "no-upgrade-header",
    ]


def test_no_folder_is_crowded():
    folders: Dict[Path, int] = {}
    here = PACKAGE.parents[1]
    rooms = ("roles/nginx_websocket", "verify", "lab", "rollout", "host_answers", "library")
    for root in (PACKAGE, *(here / room for room in rooms)):
        for path in root.rglob("*.py"):
            if path.name != "__init__.py":
                folders[path.parent] = folders.get(path.parent, 0) + 1
    assert {folder for folder, count in folders.items() if count > MOST_MODULES} == set()


def decisions(function: ast.AST) -> int:
    """One, and one more for each way that a function may go: branches, loops, conditions, comprehensions."""
    count = 1
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            continue  # It is counted by itself.
        if isinstance(node, ast.Assert):
            count += 1  # Whatever it asserts: either that holds, or there is no way on.
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, (ast.If, ast.IfExp, ast.ExceptHandler)):
            count += 1
        elif isinstance(node, (ast.For, ast.While)):
            count += 1 + bool(node.orelse)
        elif isinstance(node, ast.Try):
            count += bool(node.orelse)
        elif isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
    return count


def test_no_function_takes_more_decisions_than_a_reader_can_follow():
    counted = {
        f"{path.relative_to(PACKAGE)}:{node.name}": decisions(node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: count for name, count in counted.items() if count > MOST_DECISIONS} == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("return 1", 1),
        ("if a and b or c: pass\n    elif d: pass", 5),
        ("for x in y: pass\n    else: pass", 3),
        ("try: pass\n    except E: pass\n    except F: pass", 3),
        ("assert a and b", 2),
        ("def g():\n        if a: pass\n    return g", 1),
        ("return [x for x in y if x if z] if a else lambda: b", 5),
    ],
)
def test_decisions_are_counted(text, expected):
    assert decisions(ast.parse(f"def f():\n    {text}").body[0]) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.py": "from . import b", "b.py": "from .c import x", "c.py": ""}, []),
        ({"a.py": "from . import b", "b.py": "from .a import x"}, [["a", "b"]]),
        (
            {"a.py": "def f():\n    from .r import b", "r/__init__.py": "", "r/b.py": "from ..a import x"},
            [["a", "r.b"]],
        ),
        (
            {
                "a.py": "if TYPE_CHECKING:\n    from .b import x",
                "b.py": "from .c import x",
                "c.py": "from . import a",
            },
            [["a", "b", "c"]],
        ),
    ],
)
def test_a_circle_is_seen(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert circles(imports(tmp_path)) == expected


@pytest.mark.parametrize("script", ["comparing", "contexts", "reading", "routing", "taking_over"])
def test_what_asks_real_nginx_finds_what_it_imports(script):
    """They run where nginx is, outside of the other tests and of the type checker's sight."""
    path = PACKAGE.parents[1] / f"tests/differential/{script}.py"
    done = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_two_files_of_tests_have_one_name():
    """pytest imports them by their name alone, and refuses the second."""
    names = [path.name for path in (PACKAGE.parents[1] / "tests/unit").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
