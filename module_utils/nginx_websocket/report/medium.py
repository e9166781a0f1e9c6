"""The one place that makes text fit for a terminal or JSON, and tells a link to known documentation.

What is shown comes from hosts, which may be hostile, so nothing here trusts it to be harmless or even text.
A character that would act instead of being read is written as its escape, such as ``\\x1b``.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

#: C0 without the newline, DEL, C1; marks and embeddings that reorder text (Unicode TR9), line separators,
#: invisible characters, signs that change how their neighbours are drawn (category Cf), tags, and halves of
#: surrogate pairs, which no stream can encode.
_ACTS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
)
#: Characters of one line that are shown.
LONGEST = 10000
#: Hosts to which the findings' links lead; ``diagnosis.vocabulary.whole`` has them.
_DOCUMENTATION = frozenset({"nginx.org", "www.rfc-editor.org", "github.com", "www.uvicorn.org"})


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def terminal(value: object, *, lines: bool = False) -> str:
    """Return text that a terminal shows and does not obey.

    Args:
        value: What is to be shown.
        lines: Whether line feeds may stay; else they are escaped, too.
    """
    text = _ACTS.sub(_escape, str(value).replace("\t", "    " if lines else "\t"))
    if not lines:
        text = text.replace("\n", "\\n")
    return "\n".join(map(bounded, text.split("\n"))) if len(text) > LONGEST else text


def bounded(line: str) -> str:
    """A line that a person can still read: names, values and diffs of files may have a megabyte.

    Args:
        line: any text; what is longer than `LONGEST` characters is cut, and the end says so.
    """
    left = len(line) - LONGEST
    return line if left <= 0 else f"{line[:LONGEST]}… ({left:,} more characters)"


def json_text(data: object) -> str:
    """Return a JSON document whose characters all may be shown; it reads back as the same data."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return _ACTS.sub(lambda found: json.dumps(found.group())[1:-1], text) + "\n"


def link(value: object) -> str:
    """Return a link to documentation that is known, else an empty text."""
    text = str(value)
    try:
        parts = urlsplit(text)
        harmless = parts.netloc in _DOCUMENTATION
    except ValueError:
        return ""
    clean = re.fullmatch(r"[!-~]+", text) is not None
    return text if clean and harmless and parts.scheme == "https" and text.startswith("https://") else ""
