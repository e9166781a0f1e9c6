"""What root would execute by testing or starting an nginx: who may write that?

``nginx -t`` loads every module that the main level names and every engine that a key names, and runs the
code that a perl or Lua module is told to.  Whoever may write such a file, or a directory on the way to it,
has root run his code.  Every other file of the configuration can still have root write and read where its
author likes, so one that others may write is told.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple

from ..conf.tree import Configuration, Directive
from .processes.trust import Weakness, weakness

_QUOTED = re.compile(r'"[^"]*"')
_WILDCARD = re.compile(r"[*?\[]")
_CODE = (b"perl_modules", b"perl_require", b"init_by_lua_file")
"""Directives whose files are run while the configuration is read."""
_RUNS_CODE = re.compile(r"(?:^|ngx_)(?:http|stream)_(?:perl|lua|mruby)(?:_module\.so)?\Z")
"""Modules with which every file of the configuration may bring code."""
_COMPILED_IN = re.compile(r"--add-module=.*(perl|lua|mruby)")
"""The same from other sources, as OpenResty has them; ``nginx -V`` knows their directories alone."""


def strangers_code(
    conf_path: str,
    prefix: str,
    configuration: Optional[Configuration],
    modules: Sequence[str],
    configure: Sequence[str] = (),
) -> Tuple[Optional[Weakness], List[Weakness]]:
    """Look at all that a test of the configuration reads.

    Args:
        conf_path: the main file.
        prefix: nginx's prefix, on which relative paths hang.
        configuration: what is read; None when it cannot be.
        modules: the modules compiled in, and the files of those that are loaded.
        configure: the options that the binary was built with.

    Returns:
        What gives root's rights away, None where nothing does; and the other files and directories that
        others may write.
    """
    code = [os.path.dirname(conf_path), conf_path]
    code += [os.path.join(prefix, module) for module in modules if "." in module]
    data: List[str] = []
    everywhere = any(_RUNS_CODE.search(os.path.basename(module)) for module in modules)
    everywhere = everywhere or any(map(_COMPILED_IN.match, configure))
    for include in configuration.includes if configuration is not None else ():
        (code if everywhere or include.directive.parent is None else data).extend(
            _read_for(include.pattern, include.files)
        )
    for directive in configuration.walk() if configuration is not None else ():
        if directive.name in _CODE:
            code += [os.path.join(prefix, path) for path in _arguments(directive)]
        code += [path for path in map(_engine, directive.args) if path]
    for path in dict.fromkeys(code):
        found = weakness(path)
        if found is not None:
            return found, []
    weak = (weakness(path) for path in dict.fromkeys(data))
    return None, list({found.path: found for found in weak if found is not None}.values())


def is_private(path: str, conf_path: str) -> bool:
    """Whether the words of a file are for root alone: not everybody may read it, and it is none of nginx's.

    Whoever may write a file that nginx includes can name any other in it, or put a link to it; nginx then
    tells what it finds there.

    Args:
        path: the file, as nginx names it.
        conf_path: the main file; what is below its directory is configuration, whatever its mode.
    """
    real = os.path.realpath(path)
    if real.startswith(os.path.dirname(os.path.realpath(conf_path)) + "/"):
        return False
    try:
        return not os.stat(real).st_mode & stat.S_IROTH
    except OSError:
        return False


def without_words(message: str) -> str:
    """A message of nginx about a private file: what is quoted in it stands there."""
    return _QUOTED.sub('"…"', message)


def _read_for(pattern: str, files: Iterable[str]) -> Iterator[str]:
    """The files of an include, and the directory into which another could be put."""
    wild = _WILDCARD.search(pattern)
    if wild:
        yield os.path.dirname(pattern[: wild.start()]) or "/"
    yield from files
    yield from glob.glob(pattern) if wild else [pattern]


def _engine(argument: bytes) -> str:
    """The file that OpenSSL loads for a key (``engine:NAME:ID``): a name with a slash is a path."""
    name = argument.split(b":")[1] if argument.startswith(b"engine:") else b""
    return os.fsdecode(name) if b"/" in name else ""


def _arguments(directive: Directive) -> List[str]:
    return [os.fsdecode(argument) for argument in directive.args]
