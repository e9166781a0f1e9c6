"""Write values so that nginx reads exactly them, and nothing more.

nginx's tokenizer (``ngx_conf_read_token`` in src/core/ngx_conf_file.c) ends an unquoted token at a separator,
``;`` or ``{``. In every token it turns ``\\\\``, ``\\"``, ``\\'``, ``\\t``, ``\\r`` and ``\\n`` into one
character and leaves all other backslashes alone. A ``$`` cannot be escaped: where a directive takes
variables, a value that holds one is no literal.
"""

from __future__ import annotations

import re

#: Characters that mean nothing to the tokenizer, wherever they stand.
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=*~^<>()|&?!-][A-Za-z0-9_./:@%+,=*~^<>()|&?!#-]*\Z")

#: After a backslash the tokenizer changes these, so such a backslash must itself be written twice.
ESCAPED_BY_NGINX = frozenset("\\\"'trn")

#: Characters with a meaning in a regular expression (PCRE), outside brackets.
REGEX_SPECIAL = frozenset("\\^$.[]|()?*+{}")


def quoted(value: str) -> str:
    """Return a value as a double-quoted token.

    Args:
        value: Printable text. It may hold quotes, backslashes, braces and semicolons.

    Returns:
        The token, quotes included. A backslash is doubled only where nginx would otherwise change it, so that
        a regular expression stays readable: ``\\.`` is written as it is, ``\\n`` as ``\\\\n``.

    Raises:
        ValueError: The value holds a control character, which has no business in any of our directives.
    """
    control = next(
        (character for character in value if ord(character) < 0x20 or ord(character) == 0x7F), None
    )
    if control is not None:
        raise ValueError(f"control character {control!r} in a value for nginx")
    written = []
    for index, character in enumerate(value):
        if character == '"':
            written.append('\\"')
        elif character == "\\" and (index + 1 == len(value) or value[index + 1] in ESCAPED_BY_NGINX):
            written.append("\\\\")
        else:
            written.append(character)
    return '"' + "".join(written) + '"'


def token(value: object) -> str:
    """Return a value as a token, quoted only where it must be.

    Args:
        value: Text or number.

    Returns:
        The value itself when the tokenizer cannot mistake it, else the quoted token.

    Raises:
        ValueError: As in `quoted`.
    """
    text = str(value)
    return text if PLAIN.match(text) else quoted(text)


def regex_literal(text: str) -> str:
    """Return a regular expression that matches exactly the text."""
    return "".join("\\" + character if character in REGEX_SPECIAL else character for character in text)
