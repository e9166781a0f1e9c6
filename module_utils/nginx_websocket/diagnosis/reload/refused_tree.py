"""Why nginx refuses a configuration: from its own message, or, without nginx, from the tree."""

from __future__ import annotations

import re
import shlex
from typing import Iterator, List, Optional, Sequence, Tuple

from ... import codes
from ...behaviour.location import split_name
from ...behaviour.variables import has_variables, variable_names
from ...conf.contexts import ORDER, TAKEN, context_of, miscounted, misplaced
from ...conf.regular import read_file
from ...conf.tree import Configuration, Directive, place_of
from ...edit import spelling
from ...edit.changes.change import Change
from ..evidence.facts import ConfigTest, Facts, Hop
from ..evidence.not_given import outside_known
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, at
from . import semicolon

_UNKNOWN = re.compile(r'unknown "(\w*)" variable')
# nginx's words: ngx_conf_handler, ngx_http_variables_init_vars, ngx_http_proxy_pass, ngx_parse_url,
# ngx_http_upstream_add, ngx_conf_set_enum_slot.
_MESSAGES: Sequence[Tuple[str, str]] = (
    (r'"map" directive is not allowed here', codes.MAP_WRONG_CONTEXT),
    (_UNKNOWN.pattern, codes.MISSING_MAP),
    (r'"proxy_pass" cannot have URI part', codes.PROXY_PASS_URI_IN_REGEX),
    (r"invalid URL prefix", codes.PROXY_PASS_WS_SCHEME),
    (r"host not found in upstream", codes.UPSTREAM_HOST_NOT_FOUND),
)


def refused(facts: Facts) -> Optional[Finding]:
    """The finding for a configuration on disk that ``nginx -t`` refuses; None when it takes it."""
    if facts.test is None or facts.test.valid:
        return None
    return from_message(facts.test, facts.configuration)


def from_message(test: ConfigTest, configuration: Optional[Configuration] = None) -> Finding:
    """The finding for a failed test."""
    message = test.error
    words, file, line = place_of(message)
    evidence = [Evidence("nginx", f"{test.command or 'nginx -t'}: {words}", file, line)]
    strange = _lookalike(file, line, evidence) or semicolon.in_refused(configuration, words, file, line)
    if strange is not None:
        strange.weight = 100
        strange.evidence += [item for item in evidence if item not in strange.evidence]
        return strange
    code = next((code for pattern, code in _MESSAGES if re.search(pattern, message)), "")
    unknown = _UNKNOWN.search(message)
    if unknown and not re.search(r"upgrade|connection", unknown.group(1), re.I):
        return _unknown_variable(unknown.group(1), words, evidence, configuration)
    if not code and re.search(r'number of arguments in "proxy_set_header"|invalid value "2"', message):
        text = _line_text(file, line)
        if re.search(r"proxy_set_header\s+Upgrade\b", text, re.I):
            code = codes.UPGRADE_HEADER_WRONG_VALUE
        elif "proxy_http_version" in text and "invalid value" in message:
            code = codes.HTTP2_UPSTREAM
    detail = "" if code else f"nginx -t refuses the configuration on disk: {words}"
    return Finding(code or codes.NGINX_CONFIG_INVALID, detail=detail, weight=100, evidence=evidence)


def _unknown_variable(
    name: str, words: str, evidence: List[Evidence], configuration: Optional[Configuration]
) -> Finding:
    """No map for the handshake is missing: some other variable is, or its name is misspelt.

    nginx looks for variables when all files are read, and so names no place (ngx_http_variables_init_vars).
    """
    found = Finding(
        codes.NGINX_CONFIG_INVALID,
        detail=f"nginx -t refuses the configuration on disk: {words}",
        weight=100,
        evidence=evidence,
    )
    if configuration is not None:
        places = [line for line, _ in spelling.uses(configuration, name.encode())]
        evidence += [item for line in places[:3] for item in at(line, f"uses ${name}")]
        right = spelling.meant(configuration, name.encode()).decode()
        if right and places:
            found.fix = f"write ${right} where ${name} stands, test again, reload"
    return found


_LOOKALIKES = (
    ("\ufeff", "a byte order mark (U+FEFF)", ""),
    ("\u00a0", "a no-break space (U+00A0)", " "),
    ("\u2009", "a thin space (U+2009)", " "),
    ("\u202f", "a narrow no-break space (U+202F)", " "),
    ("\u200b", "a zero width space (U+200B)", ""),
    ("\u3000", "a wide space (U+3000)", " "),
    ("\uff1b", "a wide semicolon (U+FF1B)", ";"),
)
"""Characters of other programs and web pages that look like none, or like one that nginx wants."""


def _lookalike(file: str, line: int, evidence: List[Evidence]) -> Optional[Finding]:
    """A character on the line of the message that only looks like a space, like nothing, or like ``;``."""
    text = _line_text(file, line)
    for char, name, right in _LOOKALIKES:
        if char in text:
            detail = f"line {line} of the file holds {name}, which is no {right.strip() or 'space'} to nginx"
            if not right:
                detail = f"line {line} of the file holds {name}, which nginx takes for a part of a word"
            found = Finding(codes.NGINX_CONFIG_INVALID, detail=detail, weight=100, evidence=evidence)
            found.fix = "type the line again, or save the file as plain UTF-8 without a mark"
            mended = text
            for other, _, plain in _LOOKALIKES:
                mended = mended.replace(other, plain)
            if right:
                found.change = Change(file, line, [text], [mended])
            else:  # What cannot be seen cannot be shown in a diff.
                octets = "".join(f"\\x{octet:02x}" for octet in char.encode())
                found.change = Change(commands=[f"sed -i '{line}s/{octets}//g' {shlex.quote(file)}"])
            return found
    return None


def _line_text(path: str, line: int) -> str:
    try:
        return read_file(path).decode("utf-8", "replace").split("\n")[line - 1]
    except (OSError, IndexError):
        return ""


def refusals_in_tree(configuration: Configuration, version: Tuple[int, ...]) -> List[Finding]:
    """What nginx would refuse, as far as the tree shows it: used where no nginx can be asked."""
    found = list(_contexts(configuration))
    for directive in configuration.walk():
        if directive.name == b"proxy_pass" and directive.args and not _outside_http(directive):
            found += _proxy_pass(directive)
        elif (
            directive.name == b"proxy_set_header"
            and len(directive.args) == 1
            and directive.args[0].lower() == b"upgrade"
        ):
            words = "invalid number of arguments: Upgrade has no value"
            found.append(_finding(codes.UPGRADE_HEADER_WRONG_VALUE, directive, words))
        elif directive.name == b"proxy_http_version" and directive.args == (b"2",) and version < (1, 29, 4):
            words = "before nginx 1.29.4 the value 2 is refused"
            found.append(_finding(codes.HTTP2_UPSTREAM, directive, words))
        elif miscounted(directive):
            words = f'invalid number of arguments in "{directive.name.decode()}" directive'
            ends = semicolon.in_refused(configuration, words, directive.file, directive.line)
            found.append(ends or _finding(codes.NGINX_CONFIG_INVALID, directive, words))
            found[-1].weight = 100
    found += _unknown_variables(configuration)
    return found


def _finding(code: str, directive: Directive, text: str) -> Finding:
    return Finding(code, evidence=at(directive, text), weight=100)


def _contexts(configuration: Configuration) -> Iterator[Finding]:
    for directive in misplaced(configuration):
        name, block = directive.name.decode(), context_of(directive)
        found = _finding(
            codes.MAP_WRONG_CONTEXT if name == "map" else codes.NGINX_CONFIG_INVALID,
            directive,
            f'"{name}" directive is not allowed here ({block} context)',
        )
        if name != "map":
            right = _listed(sorted(TAKEN[directive.name], key=ORDER.index))
            found.detail = f'nginx refuses {name} here ("{block}"): it may stand in {right} only'
        yield found


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _proxy_pass(directive: Directive) -> Iterator[Finding]:
    value = directive.args[0]
    shown = value.decode("utf-8", "replace")
    if has_variables(value.split(b"/")[0]):
        return
    if not value.lower().startswith((b"http://", b"https://")) and not has_variables(value):
        yield _finding(codes.PROXY_PASS_WS_SCHEME, directive, f"invalid URL prefix in {shown}")
        return
    rest = value.split(b"://", 1)[-1]
    rest = rest[5:].partition(b":")[2] if rest.startswith(b"unix:") else rest[len(rest.split(b"/")[0]) :]
    parent = directive.parent
    if rest and parent is not None and not has_variables(value) and _no_prefix(parent):
        words = f"proxy_pass cannot have a URI part here: {shown}"
        yield _finding(codes.PROXY_PASS_URI_IN_REGEX, directive, words)


def _outside_http(directive: Directive) -> bool:
    """Whether a directive is that of ``stream`` or ``mail``, whose proxy_pass has no scheme."""
    block = directive.parent
    while block is not None and block.parent is not None:
        block = block.parent
    return block is not None and block.name in (b"stream", b"mail")


def _no_prefix(block: Directive) -> bool:
    """Where a URI part is refused (ngx_http_proxy_pass): named and regex locations, if, limit_except."""
    if block.name in (b"if", b"limit_except"):
        return True
    return block.name == b"location" and split_name(block.args)[0] in (b"~", b"~*", b"@")


def _unknown_variables(configuration: Configuration) -> Iterator[Finding]:
    """A variable with upgrade in its name that nothing defines (no module of nginx has one but
    $http_upgrade), or one whose name is nearly that of another."""
    if not outside_known(configuration):
        return  # Maps stand in other files as a rule.
    defined = spelling.defined(configuration)
    used = [
        (name, directive)
        for directive in configuration.walk()
        if directive.name == b"proxy_set_header"
        for argument in directive.args
        for name in variable_names(argument)
    ]
    for name, directive in used:
        if (
            b"upgrade" in name
            and name not in defined
            and not name.startswith((b"http_", b"sent_http_", b"upstream_http_", b"arg_", b"cookie_"))
        ):
            yield _finding(codes.MISSING_MAP, directive, f'unknown "{name.decode()}" variable')
            return
    for name, right, directive in spelling.misspelt(configuration):
        words = f'unknown "{name.decode("latin-1")}" variable'
        found = _finding(codes.NGINX_CONFIG_INVALID, directive, words)
        found.detail = f"nginx would refuse the configuration: {words}"
        found.fix = f"write ${right.decode('latin-1')} where ${name.decode('latin-1')} stands"
        yield found
        return


def not_loaded(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """nginx refuses the configuration on disk, and so what runs is another one or none."""
    finding = refused(facts)
    if finding is None:
        return []
    words = "nginx does not start with it"
    if facts.nginx is not None and facts.nginx.master is not None:
        words = "nginx goes on with the configuration that it loaded before"
    finding.evidence.append(Evidence("process", words))
    return [finding]
