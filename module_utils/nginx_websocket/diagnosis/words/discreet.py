"""Keeps secrets that stand in a configuration out of what is shown of it."""

from __future__ import annotations

import re
from typing import List, Match

from ...behaviour.secret_values import HEADER_DIRECTIVES, SECRET_VARIABLE, WHOLE_DIRECTIVES, secret_value
from ...exchange.masking import MASK, OPEN_HEADERS, header_secrets, masked_url, token_like

# A directive begins a line, follows another one, or is commented out.
_BEGIN = r"((?:^|[;{}#])\s*[+-]?\s*"
_VALUE = r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^;]+)"
_HEADER = re.compile(rf"{_BEGIN}(?:{'|'.join(HEADER_DIRECTIVES)})\s+)(\S+)(\s+){_VALUE}")
_SECRET_DIRECTIVE = re.compile(
    rf"(?i){_BEGIN}(?:{'|'.join(WHOLE_DIRECTIVES)}|set\s+\$({SECRET_VARIABLE}))\s+){_VALUE}"
)
_USERINFO = re.compile(r"([a-z]+://|\b(?:upstream|resolver) \")[^/\s\"';@]+@")
_WORD = re.compile(r"[^\s;{}\"'()=~,]+")
_URL = re.compile(r"[a-z]+://[^\s\"';)]+")


def discreet(text: str) -> str:
    """A line of configuration (or words about one) without its secrets.

    Values of headers whose name speaks of a secret, credentials and tokens in URLs, and words that look
    random go;
    a value that is a variable stays.
    """
    text = _HEADER.sub(_header, text)
    text = _SECRET_DIRECTIVE.sub(_directive, text)
    text = _USERINFO.sub(r"\1" + MASK + "@", text)
    urls: List[str] = _URL.findall(text)
    for url in urls:
        if "$" not in url:
            text = text.replace(url, masked_url(url))
    # What some headers hold is nobody's secret, however random it looks.
    headers = ((match.group(2).strip("\"'").lower(), match.group(4)) for match in _HEADER.finditer(text))
    public = "".join(value for name, value in headers if name in OPEN_HEADERS)
    return _WORD.sub(lambda match: match.group() if match.group() in public else _word(match), text)


def _header(match: Match[str]) -> str:
    name, value = match.group(2).strip("\"'"), match.group(4).strip("\"' ")
    if not value or not header_secrets([(name, value)]) or re.search(r"\$\w", value):
        return match.group()
    return f"{match.group(1)}{match.group(2)}{match.group(3)}{MASK}"


def _directive(match: Match[str]) -> str:
    name, value = match.group(2), match.group(3).strip("\"' ")
    if "$" in value or (name and not secret_value(b"$" + name.encode(), value.encode())):
        return match.group()
    return f"{match.group(1)}{MASK}"


def _word(match: Match[str]) -> str:
    word = match.group()
    # Paths, variables, regexes and addresses are what a reader needs; none of them is a secret by itself.
    if not word.replace(".", "").replace(":", "").isalnum():
        return word
    return MASK if token_like(word) else word
