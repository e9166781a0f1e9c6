"""One nginx, whole: the running master, its binary, and what its configuration says about itself."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, List, Optional, Tuple, Union

from ..conf.load import load
from ..conf.tree import Configuration, ConfSyntaxError, printable
from .binary import Binary, NginxError, inspect_binary
from .executed import strangers_code
from .layout import Layout, LayoutError, find_layout
from .masters import Master
from .processes.genuine import NotGenuine, executable
from .processes.proc import Proc
from .processes.trust import Weakness, weakness


@dataclasses.dataclass
class Nginx:
    """An nginx as this host has it."""

    binary: Binary
    """The binary that serves; when none runs, the one installed."""
    master: Optional[Master]
    """The running master; None when nginx is stopped."""
    prefix: str
    conf_path: str
    """The main configuration file that this nginx reads."""
    pid_path: str
    error_logs: List[str]
    """Error logs in force at the top level: absolute paths, ``stderr`` or ``syslog:…``."""
    user: str
    """The workers' user."""
    group: str
    loaded_modules: List[str]
    """Files that ``load_module`` brings in."""
    layout: Optional[Layout]
    layout_error: str
    """Why there is no layout; empty when there is one."""
    conf_error: str
    """Why the configuration on disk cannot be read whole; empty when it can."""
    disk_version: Optional[Tuple[int, ...]]
    """Version of the file at the binary's path, which ``nginx -t`` and the next start would run."""
    unsafe: str = ""
    """Why it must not be tested or started: others could have root run their code.  Empty otherwise."""
    writable: List[Weakness] = dataclasses.field(default_factory=list)
    """What others may write of the rest that is included."""
    configuration: Optional[Configuration] = dataclasses.field(default=None, repr=False, compare=False)
    """The configuration on disk; None when it cannot be read whole."""

    @property
    def running(self) -> bool:
        """Whether a master runs."""
        return self.master is not None

    @property
    def version(self) -> Tuple[int, ...]:
        """Version of the nginx that serves."""
        return self.binary.version

    def has_module(self, name: str) -> bool:
        """Whether a module is there: compiled in, or built as a file and loaded.

        Args:
            name: without ``ngx_`` and ``_module``, such as ``http_realip``.
        """
        return name in self.binary.modules or any(
            os.path.basename(file) == f"ngx_{name}_module.so" for file in self.loaded_modules
        )

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return {
            "running": self.running,
            "binary": self.binary.path,
            "product": self.binary.product,
            "version": ".".join(str(number) for number in self.version),
            "version_text": self.binary.version_text,
            "disk_version": ".".join(str(number) for number in self.disk_version or ()),
            "configure": self.binary.configure,
            "prefix": self.prefix,
            "conf_path": self.conf_path,
            "pid_path": self.pid_path,
            "error_logs": self.error_logs,
            "user": self.user,
            "group": self.group,
            "modules": self.binary.modules,
            "loaded_modules": self.loaded_modules,
            "realip": self.has_module("http_realip"),
            "http2_form": self.binary.http2_form,
            "openssl": self.binary.openssl,
            "pcre": self.binary.pcre,
            "pcre_library": self.binary.pcre_library,
            "layout": self.layout.to_dict() if self.layout else None,
            "layout_error": self.layout_error,
            "conf_error": self.conf_error,
            "master": self.master.to_dict() if self.master else None,
            "unit": self.master.unit if self.master else "",
        }


def describe(
    target: Union[Master, str],
    *,
    conf_path: str = "",
    site_dir: str = "",
    enabled_dir: str = "",
    proc: Optional[Proc] = None,
) -> Nginx:
    """Describe an nginx.

    Args:
        target: a running master, or the path of a binary when none runs.
        conf_path: main configuration file to read instead of the master's or the binary's own.
        site_dir: wish for the layout, see `find_layout`.
        enabled_dir: likewise.
        proc: the /proc to read.

    Raises:
        NginxError: the binary cannot be asked.
    """
    proc = proc or Proc()
    disk_version: Optional[Tuple[int, ...]]
    if isinstance(target, Master):
        master: Optional[Master] = target
        binary = _running_binary(target, proc)
        disk_version = binary.version
        if target.exe_deleted:
            try:
                disk_version = _installed_binary(target.exe).version
            except NginxError:
                disk_version = None
        prefix = target.prefix or binary.prefix
        conf = target.conf_path or (_below(target.prefix, binary) if target.prefix else binary.conf_path)
        given = target.directives
        error_log = target.error_log
    else:
        master, given, error_log = None, "", ""
        binary = _installed_binary(target)
        disk_version = binary.version
        prefix, conf = binary.prefix, binary.conf_path
    nginx = _bare(binary, master, prefix, os.path.join(prefix, conf_path or conf), error_log)
    nginx.disk_version = disk_version
    _read_configuration(nginx, given, site_dir, enabled_dir)
    return nginx


def unread(binary: Binary, master: Master) -> Nginx:
    """A running nginx by its binary and its command line alone; none of its files is looked at.

    Args:
        binary: what it says about itself.
        master: of it.
    """
    prefix = master.prefix or binary.prefix
    conf = master.conf_path or (_below(master.prefix, binary) if master.prefix else binary.conf_path)
    return _bare(binary, master, prefix, os.path.join(prefix, conf), master.error_log)


def _bare(binary: Binary, master: Optional[Master], prefix: str, conf: str, error_log: str) -> Nginx:
    return Nginx(
        binary=binary,
        master=master,
        prefix=prefix,
        conf_path=conf,
        pid_path=_moved(binary.pid_path, binary, prefix),
        error_logs=[error_log or _moved(binary.error_log, binary, prefix)],
        user=binary.user,
        group=binary.group,
        loaded_modules=[],
        layout=None,
        layout_error="",
        conf_error="",
        disk_version=binary.version,
    )


def _running_binary(master: Master, proc: Proc) -> Binary:
    """Ask the running inode, not the path: after a package upgrade the file there is another version."""
    if master.distrust:
        raise NginxError(f"the nginx master {master.pid} is not asked for its version: {master.distrust}")
    try:
        with executable(master.pid, master.start_ticks, proc) as descriptor:
            return inspect_binary(master.exe, descriptor=descriptor, pid=master.pid, proc=proc)
    except NotGenuine as error:
        raise NginxError(str(error)) from None
    except OSError as error:
        where = master.exe or proc.path(master.pid, "exe")
        raise NginxError(f"{where} (process {master.pid}) cannot be executed: {error.strerror}") from None


def _installed_binary(path: str) -> Binary:
    """Ask the file at a path, if nobody else may put another one there."""
    found = weakness(os.path.abspath(path))
    if found is not None:
        raise NginxError(f"{path} is not executed: {found.sentence()}")
    return inspect_binary(path)


def _below(prefix: str, binary: Binary) -> str:
    """The default main file under a prefix given by -p: a relative --conf-path moves with it."""
    return _moved(binary.conf_path, binary, prefix)


def _moved(path: str, binary: Binary, prefix: str) -> str:
    """A compiled-in path under another prefix: only paths that were configured relative to it move."""
    own = binary.prefix.rstrip("/") + "/"
    relative = not any(o.startswith("--") and o.partition("=")[2] == path for o in binary.configure)
    if relative and path.startswith(own):
        return os.path.join(prefix, path[len(own) :])
    return path


def _read_configuration(nginx: Nginx, given: str, site_dir: str, enabled_dir: str) -> None:
    """Fill in what only the configuration knows; a broken one leaves what can still be told."""
    try:
        configuration = nginx.configuration = load(nginx.conf_path, prefix=nginx.prefix)
    except (ConfSyntaxError, OSError) as error:
        nginx.conf_error = str(error)
        try:
            # Without the files that wildcards bring in, the main file alone may still be whole.
            configuration = load(nginx.conf_path, prefix=nginx.prefix, glob=lambda pattern: [])
        except (ConfSyntaxError, OSError):
            nginx.layout_error = f"the configuration cannot be read: {nginx.conf_error}"
            _look_for_strangers(nginx, None)
            return
    fill_in(nginx, configuration, given)
    _look_for_strangers(nginx, configuration)
    try:
        nginx.layout = find_layout(configuration, site_dir=site_dir, enabled_dir=enabled_dir)
    except LayoutError as error:
        nginx.layout_error = str(error)


def fill_in(nginx: Nginx, configuration: Configuration, given: str) -> None:
    """Fill in what the directives at the top say: logs, pid file, user, modules.

    Args:
        nginx: whose configuration it is.
        configuration: as it is on disk.
        given: directives of the command line (``-g``).
    """
    top: Dict[str, List[List[str]]] = {}
    for directive in configuration.root:
        top.setdefault(directive.name.decode("utf-8", "replace"), []).append(
            [printable(a) for a in directive.args]
        )
    for statement in given.split(";"):
        words = statement.split()
        if words:
            top.setdefault(words[0], []).append(words[1:])
    if top.get("error_log"):
        nginx.error_logs = [_log(words[0], nginx.prefix) for words in top["error_log"] if words]
    if top.get("pid") and top["pid"][0]:
        nginx.pid_path = os.path.join(nginx.prefix, top["pid"][0][0])
    if top.get("user") and top["user"][0]:
        nginx.user = top["user"][0][0]
        nginx.group = top["user"][0][1] if len(top["user"][0]) > 1 else nginx.user
    nginx.loaded_modules = [words[0] for words in top.get("load_module", []) if words]


def _look_for_strangers(nginx: Nginx, configuration: Optional[Configuration]) -> None:
    modules = [*nginx.binary.modules, *nginx.loaded_modules]
    found, nginx.writable = strangers_code(
        nginx.conf_path, nginx.prefix, configuration, modules, nginx.binary.configure
    )
    if found is not None:
        nginx.unsafe = (
            f"nginx is not tested, reloaded or started: whoever can write {found.path} has root run his "
            f"code. {found.sentence()}"
        )


def _log(target: str, prefix: str) -> str:
    """An ``error_log`` target, made absolute when it is a file."""
    special = target == "stderr" or target.startswith(("syslog:", "memory:"))
    return target if special else os.path.join(prefix, target)
