"""Keeps secrets that stand in a configuration out of what is shown of it."""

from __future__ import annotations

import re
from typing import List, Match

from ..websocket.masking import MASK, header_secrets, masked_url, token_like

_HEADER = re.compile(
    r"^(\s*[+-]?\s*(?:proxy_set_header|add_header|grpc_set_header|fastcgi_param|uwsgi_param|"
    r"scgi_param|more_set_headers)\s+)(\S+)(\s+)(.+?)(;.*)?$"
)
_SECRET_DIRECTIVE = re.compile(
    r"(?i)^(\s*[+-]?\s*(?:secure_link_secret|auth_jwt_key|set\s+\$\w*(?:secret|token|passw|"
    r"api_?key|credential)\w*)\s+)(.+?)(;.*)?$"
)
_USERINFO = re.compile(r"([a-z]+://)[^/\s\"';@]+@")
_WORD = re.compile(r"[^\s;{}\"'()=~,]+")
_URL = re.compile(r"[a-z]+://[^\s\"';)]+")


def discreet(text: str) -> str:
    """A line of configuration (or words about one) without its secrets.

    Values of headers whose name speaks of a secret, credentials and tokens in URLs, and words that look
    random go;
    a value that is a variable stays.
    """
    match = _HEADER.match(text)
    if match:
        name, value = match.group(2).strip("\"'"), match.group(4).strip("\"'")
        if header_secrets([(name, value)]) and not re.search(r"\$\w", value):
            return f"{match.group(1)}{match.group(2)}{match.group(3)}{MASK}{match.group(5) or ''}"
    match = _SECRET_DIRECTIVE.match(text)
    if match and "$" not in match.group(2):
        return f"{match.group(1)}{MASK}{match.group(3) or ''}"
    text = _USERINFO.sub(r"\1" + MASK + "@", text)
    urls: List[str] = _URL.findall(text)
    for url in urls:
        if "$" not in url:
            text = text.replace(url, masked_url(url))
    return _WORD.sub(_word, text)


def _word(match: Match[str]) -> str:
    word = match.group()
    # Paths, variables, regexes and addresses are what a reader needs; none of them is a secret by itself.
    if (
        any(char in word for char in "/$\\^*[]|<>?")
        or word.replace(".", "").replace(":", "").isalnum() is False
    ):
        return word
    return MASK if token_like(word) else word
