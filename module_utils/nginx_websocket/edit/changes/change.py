"""A change of one file as its lines: other directives in the place of some, or behind one."""

from __future__ import annotations

import dataclasses
import re
from typing import List, Optional, Sequence, Tuple

from ...conf.splice import Edit
from ...conf.tree import Configuration, Directive


@dataclasses.dataclass
class Change:
    """The cure as a change of one file: lines that go and lines that come, or commands."""

    file: str = ""
    line: int = 0
    removed: List[str] = dataclasses.field(default_factory=list)
    added: List[str] = dataclasses.field(default_factory=list)
    commands: List[str] = dataclasses.field(default_factory=list)
    text: str = ""
    """The change as it was judged, already a unified diff."""
    edits: List[Edit] = dataclasses.field(default_factory=list)
    """The same as edits of bytes."""

    def diff(self) -> str:
        """A unified diff of the change; empty when it is no change of a file."""
        if self.text or not self.file:
            return self.text
        before, after = len(self.removed), len(self.added)
        # In a unified diff an empty side names the line before it (POSIX diff, "-U").
        old, new = (self.line if before else self.line - 1), (self.line if after else self.line - 1)
        lines = [f"--- {self.file}", f"+++ {self.file}", f"@@ -{old},{before} +{new},{after} @@"]
        lines += [f"-{line}" for line in self.removed] + [f"+{line}" for line in self.added]
        return "\n".join(lines) + "\n"


def line_of(configuration: Configuration, directive: Directive) -> Tuple[str, List[str]]:
    """Indentation of a directive and the lines of the file that it covers."""
    data = configuration.files.get(directive.file, b"")
    lines = data.decode("utf-8", "replace").split("\n")
    if not 0 < directive.line <= len(lines):
        return "", []
    last = directive.line + data[directive.start : directive.end].count(b"\n")
    first = lines[directive.line - 1]
    match = re.match(r"[ \t]*", first)
    return (match.group() if match else ""), [line.rstrip("\r") for line in lines[directive.line - 1 : last]]


def replace(configuration: Configuration, directive: Directive, *texts: str) -> Optional[Change]:
    """Put other directives in the place of one; none removes it. What else its lines hold stays."""
    return edited(configuration, [(directive, texts)])


def edited(
    configuration: Configuration, edits: Sequence[Tuple[Directive, Sequence[str]]]
) -> Optional[Change]:
    """Put other directives in the place of some, in one change of one file.

    Args:
        configuration: that holds them.
        edits: each directive with what comes in its place; nothing removes it.

    Returns:
        None when they do not stand in one file.
    """
    file = edits[0][0].file
    data = configuration.files.get(file)
    if data is None or any(directive.file != file for directive, _ in edits):
        return None
    ordered = sorted(edits, key=lambda edit: edit[0].start)
    begin = data.rfind(b"\n", 0, ordered[0][0].start) + 1
    end = end_of_line(data, ordered[-1][0].end)
    shown, position = "", begin
    for directive, texts in ordered:
        indent = line_of(configuration, directive)[0]
        shown += _decoded(data[position : directive.start]) + f"\n{indent}".join(texts)
        position = directive.end
    shown += _decoded(data[position:end])
    removed = lines_of(_decoded(data[begin:end]))
    # A line that held nothing but what goes is no longer needed.
    kept = [line for line in lines_of(shown) if line.strip() or line in removed]
    added = [line if line in removed else line.rstrip() for line in kept]
    return Change(file, data.count(b"\n", 0, begin) + 1, removed, added)


def written(directive: Directive) -> List[str]:
    """A directive as it stands in its file, and nothing of what shares its lines."""
    text = _decoded(directive.source.data[directive.start : directive.end])
    return [line.strip() for line in lines_of(text)]


def end_of_line(data: bytes, offset: int) -> int:
    """The offset of the line feed that ends the line of a byte, or the end of the file."""
    end = data.find(b"\n", offset)
    return end if end >= 0 else len(data)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def lines_of(text: str) -> List[str]:
    """The lines of a text, without carriage returns."""
    return [line.rstrip("\r") for line in text.split("\n")]


def insert_after(configuration: Configuration, directive: Directive, *texts: str) -> Optional[Change]:
    """Add directives behind one, in its own block: where that ends on the same line, the line is split."""
    indent, lines = line_of(configuration, directive)
    if not lines:
        return None
    data, parent = configuration.files[directive.file], directive.parent
    end = end_of_line(data, directive.end)
    split = 0
    if parent is not None and parent.file == directive.file:
        if parent.end <= end:
            split = parent.end - 1
        elif any(
            child.block is not None
            and child.file == directive.file
            and directive.end <= child.start < end < child.end
            for child in parent.block or ()
        ):
            split = directive.end  # Behind this line another block goes on.
    if not split:
        return Change(directive.file, directive.line + len(lines), [], [indent + text for text in texts])
    begin = data.rfind(b"\n", 0, directive.start) + 1
    assert parent is not None
    if parent.start >= begin and parent.end <= end:
        # The whole block stands on this line: what comes stands there, too, as close as the rest of it.
        gap = "" if data[directive.start - 1 : directive.start].strip() else " "
        inside = gap + gap.join(texts)
        line = _decoded(data[begin : directive.end]) + inside + _decoded(data[directive.end : end])
        return Change(directive.file, directive.line, lines_of(_decoded(data[begin:end])), lines_of(line))
    rest = indent if split == directive.end else line_of(configuration, parent)[0]
    inner = indent + "    " if parent.start >= begin else indent
    head = lines_of(_decoded(data[begin:split]).rstrip())
    tail = _decoded(data[split:end]).strip()
    added = [*head, *(inner + text for text in texts), rest + tail]
    return Change(directive.file, directive.line, lines_of(_decoded(data[begin:end])), added)
