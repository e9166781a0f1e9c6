"""``set``, ``if``, ``rewrite``, ``return`` and ``break`` of one level.

Rules of ``ngx_http_rewrite_module.c`` and ``ngx_http_script.c``.  An ``if`` whose condition cannot be
evaluated is reported and counts as false.
"""

from __future__ import annotations

import dataclasses
from typing import Callable, Dict, List, Optional, Tuple

from ..conf.tree import Directive
from .effective import Level
from .regex import CannotDecide, compiled
from .uri import unescape_redirect
from .variables import Exchange

REDIRECT_CODES = (301, 302, 303, 307, 308)
_URL_PREFIXES = (b"http://", b"https://", b"$scheme")


@dataclasses.dataclass
class Outcome:
    """An answer that the rewrite module itself gives.

    ``location`` is the Location header before it is made absolute; None when it cannot be known.
    """

    status: int
    directive: Directive
    location: Optional[bytes] = None
    text: Optional[bytes] = None
    redirect: bool = False


@dataclasses.dataclass
class Undecided:
    """Something that neither configuration nor request determines, and what was assumed instead."""

    reason: str
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False)
    assumed: str = ""


@dataclasses.dataclass
class Step:
    """One thing that happened on the way, in order.

    ``kind`` is "set", "if", "rewrite", "return", "break", "location", "redirect", "internal-redirect",
    "named-location", "try_files", "index", "restart", "error_page".
    """

    kind: str
    text: str
    directive: Optional[Directive] = None
    result: Optional[bool] = None
    """Of an ``if``: whether it is true; None where that cannot be decided."""


class RewriteError(Exception):
    """nginx answers 500: empty URI, or PCRE gave up."""


@dataclasses.dataclass
class Hooks:
    """Where the engine reports, and how it asks for files."""

    steps: List[Step]
    undecided: List[Undecided]
    file_kind: Optional[Callable[[str], str]] = None
    on_if: Optional[Callable[[Level], None]] = None
    """Called with the level of an ``if`` in a location that was entered."""


def printable(value: bytes) -> str:
    """Bytes for a message."""
    return value.decode("utf-8", "backslashreplace")


class _Engine:
    """State of one run over the codes of a level (``ngx_http_script_engine_t``)."""

    def __init__(self, exchange: Exchange, hooks: Hooks) -> None:
        self.exchange = exchange
        self.hooks = hooks
        self.quote = True

    def run(self, level: Level, in_location: bool) -> Tuple[bool, Optional[Outcome]]:
        """Run a block; the first value says whether the codes ended here."""
        for directive in level.body():
            if directive.name == b"set" and len(directive.args) == 2:
                self._set(directive)
            elif directive.name == b"rewrite" and len(directive.args) >= 2:
                ended, outcome = self._rewrite(directive)
                if ended:
                    return True, outcome
            elif directive.name == b"return" and directive.args:
                return True, self._return(directive)
            elif directive.name == b"break":
                if self.exchange.uri_changed:
                    self.exchange.valid_location = False
                    self.exchange.uri_changed = False
                self._step("break", "break", directive)
                return True, None
            elif directive.name == b"if" and directive.block is not None:
                if not self._if(directive):
                    continue
                inner = if_level(level, directive)
                if in_location:
                    self.exchange.level = inner
                    if self.hooks.on_if is not None:
                        self.hooks.on_if(inner)
                ended, outcome = self.run(inner, in_location)
                if ended:
                    return True, outcome
        return False, None

    def _step(self, kind: str, text: str, directive: Directive) -> None:
        self.hooks.steps.append(Step(kind, text, directive))

    def _unknown(self, error: CannotDecide, directive: Directive, assumed: str) -> None:
        self.hooks.undecided.append(Undecided(str(error), directive, assumed))

    def _set(self, directive: Directive) -> None:
        name, value = directive.args[0][1:], directive.args[1]
        try:
            result = self.exchange.evaluate(value, escape=self.quote)
        except CannotDecide as error:
            self.exchange.values[name] = error
            self._step("set", f"${printable(name)} = ?", directive)
            return
        if name == b"args":
            # ngx_http_variable_set_args: a backend gets the new arguments, not the client's own bytes
            self.exchange.args, self.exchange.valid_unparsed = result, False
        else:
            self.exchange.values[name] = result
        self._step("set", f'${printable(name)} = "{printable(result)}"', directive)

    def _return(self, directive: Directive) -> Outcome:
        outcome = evaluate_return(self.exchange, directive)
        words = printable(b" ".join(directive.args))
        self._step("return", f"return {words}", directive)
        return outcome

    def _if(self, directive: Directive) -> bool:
        text = "if {}".format(printable(b" ".join(directive.args)))
        try:
            result = self._condition(directive)
        except CannotDecide as error:
            self._unknown(error, directive, "the condition is false")
            self._step("if", text + " cannot be decided, taken as false", directive)
            return False
        shown = "{} is {}".format(text, "true" if result else "false")
        self.hooks.steps.append(Step("if", shown, directive, result))
        return result

    def _condition(self, directive: Directive) -> bool:
        """``ngx_http_rewrite_if_condition`` and the codes it compiles to."""
        words = condition_words(directive.args)
        first = words[0]
        if len(first) > 1 and first.startswith(b"$"):
            value = self.exchange.variable(first[1:])
            if len(words) == 1:
                return value not in (b"", b"0")
            operator, operand = words[1], words[-1]
            if operator in (b"=", b"!="):
                equal = value == self.exchange.evaluate(operand, escape=self.quote)
                return equal == (operator == b"=")
            regex = compiled(operand, operator.endswith(b"*"), self.exchange.version)
            match = self.exchange.search(regex, value)
            if match is None:
                self.exchange.captures = ()
            return (match is not None) != operator.startswith(b"!")
        return self._file_test(first, words[-1])

    def _file_test(self, operator: bytes, operand: bytes) -> bool:
        path = printable(self.exchange.evaluate(operand, escape=self.quote))
        if self.hooks.file_kind is None:
            raise CannotDecide(f"whether {path} exists is not in the configuration")
        kind = self.hooks.file_kind(path)
        test = operator[-1:]
        if test == b"x" and kind == "file":
            raise CannotDecide(f"whether {path} is executable is not known")
        found = {b"f": kind == "file", b"d": kind == "directory"}.get(test, bool(kind))
        return found != operator.startswith(b"!")

    def _rewrite(self, directive: Directive) -> Tuple[bool, Optional[Outcome]]:
        """``ngx_http_rewrite`` with ``ngx_http_script_regex_start_code`` and ``…_end_code``."""
        exchange = self.exchange
        pattern, replacement = directive.args[0], directive.args[1]
        flag = directive.args[2] if len(directive.args) > 2 else b""
        add_args = not replacement.endswith(b"?")
        if not add_args:
            replacement = replacement[:-1]
        redirect = replacement.startswith(_URL_PREFIXES) or flag in (b"redirect", b"permanent")
        last = redirect or flag in (b"last", b"break")
        regex = compiled(pattern, False, exchange.version)
        subject = exchange.uri
        if exchange.search(regex, subject) is None:
            exchange.captures = ()
            return False, None
        text = f"rewrite {printable(pattern)} {printable(directive.args[1])}: {printable(subject)}"
        exchange.internal = True
        exchange.valid_unparsed = False
        if flag == b"break":
            exchange.valid_location = False
            exchange.uri_changed = False
        else:
            exchange.uri_changed = True
        if redirect:
            outcome = self._redirect(directive, replacement, add_args, flag)
            self._step(
                "rewrite",
                f"{text} → {outcome.status} {printable(outcome.location or b'?')}",
                directive,
            )
            return True, outcome
        self._replace(replacement, add_args)
        self._step("rewrite", f"{text} → {printable(exchange.uri)}", directive)
        if not exchange.uri:
            raise RewriteError("the rewritten URI has a zero length")
        return last, None

    def _redirect(self, directive: Directive, replacement: bytes, add_args: bool, flag: bytes) -> Outcome:
        exchange = self.exchange
        status = 301 if flag == b"permanent" else 302
        self.quote = False
        try:
            location = unescape_redirect(exchange.evaluate(replacement, escape=True))
        except CannotDecide as error:
            self._unknown(error, directive, "")
            return Outcome(status, directive, None, redirect=True)
        if add_args and exchange.args:
            location += (b"&" if b"?" in replacement else b"?") + exchange.args
        return Outcome(status, directive, location, redirect=True)

    def _replace(self, replacement: bytes, add_args: bool) -> None:
        """Set URI and arguments; captures after the first literal ``?`` are escaped."""
        exchange = self.exchange
        self.quote = False
        path, mark, query = replacement.partition(b"?")  # names of variables and captures cannot hold one
        uri = exchange.evaluate(path)
        if mark:
            args = exchange.evaluate(query, escape=True)
            if add_args and exchange.args:
                args += b"&" + exchange.args
            exchange.args = args
        elif not add_args:
            exchange.args = b""
        exchange.uri = uri


def if_level(parent: Level, directive: Directive) -> Level:
    """The level of an ``if`` block, the same object each time."""
    known = parent.once(_if_levels)
    if directive not in known:
        known[directive] = Level("if", directive, parent)
    return known[directive]


def _if_levels(_parent: Level) -> Dict[Directive, Level]:
    return {}


def condition_words(args: Tuple[bytes, ...]) -> List[bytes]:
    """The words between the parentheses of an ``if``."""
    words = list(args)
    words[0] = words[0][1:]
    words[-1] = words[-1][:-1]
    if not words[0]:
        words = words[1:]
    if words and not words[-1] and len(words) > 1 and args[-1] == b")":
        words = words[:-1]
    return words or [b""]


def evaluate_return(exchange: Exchange, directive: Directive) -> Outcome:
    """``return``: a code, a code with text or URL, or a URL alone (302)."""
    args = directive.args
    if args[0].isdigit():
        status, source = int(args[0]), args[1] if len(args) > 1 else None
    else:
        status, source = 302, args[0]
    text: Optional[bytes] = None
    if source is not None:
        try:
            text = exchange.evaluate(source)
        except CannotDecide:
            text = None
    if status in REDIRECT_CODES:
        location = text if source is not None else b""
        return Outcome(status, directive, location, redirect=True)
    return Outcome(status, directive, None, text)


def run_rewrites(exchange: Exchange, level: Level, hooks: Hooks, *, in_location: bool) -> Optional[Outcome]:
    """Run the rewrite directives of a level (``ngx_http_rewrite_handler``).

    Args:
        exchange: the request; URI, arguments, variables and level change.
        level: server or location.
        hooks: where steps and undecided conditions are written.
        in_location: whether an ``if`` replaces the level in force (not at server level).

    Returns:
        The answer, or None when the request goes on.

    Raises:
        RewriteError: nginx answers 500.
        CannotDecide: a rewrite needs PCRE or an unknown variable.
    """
    return _Engine(exchange, hooks).run(level, in_location)[1]
