"""What an nginx binary says about itself: ``nginx -V``, and the libraries it is linked with."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
from typing import Any, Dict, List, Optional, Tuple

from .processes.children import run
from .processes.proc import Proc

WELL_KNOWN = (
    "/usr/sbin/nginx",
    "/usr/local/sbin/nginx",
    "/usr/local/nginx/sbin/nginx",
    "/usr/local/openresty/nginx/sbin/nginx",
    "/usr/local/bin/nginx",
    "/opt/nginx/sbin/nginx",
    "/www/server/nginx/sbin/nginx",
    "/usr/bin/nginx",
)
"""Where nginx is looked for when none runs: packages, its own ``make install``, OpenResty, panels."""

HTTP2_DIRECTIVE = (1, 25, 1)
"""First version with ``http2 on;``; the parameter of ``listen`` is deprecated since (CHANGES)."""

# fmt: off
_DEFAULT_MODULES = (
    "http_access", "http_auth_basic", "http_autoindex", "http_browser", "http_charset", "http_empty_gif",
    "http_fastcgi", "http_geo", "http_grpc", "http_gzip", "http_limit_conn", "http_limit_req",
    "http_map", "http_memcached", "http_mirror", "http_proxy", "http_referer", "http_rewrite",
    "http_scgi", "http_split_clients", "http_ssi", "http_upstream_keepalive", "http_userid",
    "http_uwsgi",
)
# fmt: on
"""What auto/options builds unless a ``--without-…`` says otherwise."""


class NginxError(Exception):
    """The binary cannot be run, or is not nginx."""


@dataclasses.dataclass
class Binary:
    """One nginx binary."""

    path: str
    product: str
    """``nginx``, ``openresty``, ``tengine``, ``freenginx``…"""
    version: Tuple[int, ...]
    """nginx's own version; for OpenResty its first three numbers, which are nginx's."""
    version_text: str
    configure: List[str]
    prefix: str
    conf_path: str
    error_log: str
    access_log: str
    """Compiled-in error log: absolute path, or ``stderr``."""
    pid_path: str
    user: str
    group: str
    modules: List[str]
    """Modules compiled in, without ``_module``; ``=dynamic`` ones are not among them."""
    dynamic_modules: List[str]
    """Modules built as files, which ``load_module`` brings in."""
    modules_path: str
    openssl: str
    """OpenSSL (or its kin) and its version; empty when built without."""
    pcre: str
    """``pcre2``, ``pcre``, or empty when that cannot be told (linked statically, or none)."""
    pcre_library: str
    """Path or soname of the shared library."""

    @property
    def http2_form(self) -> str:
        """How HTTP/2 is switched on: ``listen`` parameter, ``directive``, or ``none`` without the module."""
        if "http_v2" not in self.modules:
            return "none"
        return "directive" if self.version >= HTTP2_DIRECTIVE else "listen"

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        data = dataclasses.asdict(self)
        data["version"] = list(self.version)
        data["http2_form"] = self.http2_form
        return data


def inspect_binary(
    path: str, *, descriptor: int = -1, pid: Optional[int] = None, proc: Optional[Proc] = None
) -> Binary:
    """Ask a binary for its version and build options.

    Args:
        path: its path, as evidence and configuration name it.
        descriptor: the open file to execute, which runs even when the file at ``path`` is gone; -1 for the
            one at ``path``.
        pid: a running process of it, whose memory map tells the libraries in use.
        proc: the /proc to read the map from.

    Raises:
        NginxError: it cannot be executed, hangs, or does not answer as nginx does.
    """
    program = path if descriptor < 0 else f"/proc/self/fd/{descriptor}"
    try:
        held = () if descriptor < 0 else (descriptor,)
        done = run([program, "-V"], 10, stderr=subprocess.STDOUT, pass_fds=held)
    except OSError as error:
        raise NginxError(f"{path} cannot be executed: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise NginxError(f"{path} -V did not end within 10 s") from None
    text = done.stdout.decode("utf-8", "replace")
    binary = parse_version(text, path)
    library = _mapped_pcre(pid, proc or Proc()) if pid else ""
    binary.pcre_library = library or _linked_pcre(program)
    if "pcre" in binary.pcre_library:
        binary.pcre = "pcre2" if "pcre2" in binary.pcre_library else "pcre"
    return binary


def parse_version(text: str, path: str) -> Binary:
    """Parse what ``nginx -V`` prints; paths are completed as nginx's auto/configure does.

    Raises:
        NginxError: there is no version line.
    """
    match = re.search(r"^nginx version: ([^/\s]+)/(\d+(?:\.\d+)*)(.*)$", text, re.MULTILINE)
    if not match:
        raise NginxError(f"{path} -V does not answer as nginx does: {text.strip()[:200]!r}")
    line = re.search(r"^configure arguments: ?(.*)$", text, re.MULTILINE)
    try:
        configure = shlex.split(line.group(1)) if line else []
    except ValueError:
        configure = line.group(1).split() if line else []
    options = dict(argument.partition("=")[::2] for argument in configure)
    prefix = options.get("--prefix", "/usr/local/nginx")

    def path_of(option: str, default: str) -> str:
        return os.path.join(prefix, options.get(option) or default)

    error_log = options.get("--error-log-path") or "logs/error.log"
    switched = {o[len("--with-") : -len("_module")] for o in configure if re.match(r"--with-\w+_module$", o)}
    removed = {
        o[len("--without-") : -len("_module")] for o in configure if re.match(r"--without-\w+_module$", o)
    }
    dynamic = [o[len("--with-") : -len("=dynamic")] for o in configure if re.match(r"--with-\w+=dynamic$", o)]
    openssl = re.search(r"^built with (.*)$", text, re.MULTILINE)
    return Binary(
        path=path,
        product=match.group(1),
        version=tuple(int(number) for number in match.group(2).split("."))[:3],
        version_text=match.group(2) + match.group(3).rstrip(),
        configure=configure,
        prefix=prefix,
        conf_path=path_of("--conf-path", "conf/nginx.conf"),
        error_log=error_log if error_log == "stderr" else os.path.join(prefix, error_log),
        access_log=os.path.join(prefix, options.get("--http-log-path") or "logs/access.log"),
        pid_path=path_of("--pid-path", "logs/nginx.pid"),
        user=options.get("--user") or "nobody",
        group=options.get("--group") or options.get("--user") or "",
        modules=sorted((set(_DEFAULT_MODULES) | switched) - removed),
        dynamic_modules=[name[:-7] if name.endswith("_module") else name for name in dynamic],
        modules_path=path_of("--modules-path", "modules"),
        openssl=openssl.group(1).strip() if openssl else "",
        pcre="",
        pcre_library="",
    )


def find_binary() -> str:
    """Path of an installed nginx, from PATH and the well-known places; empty when there is none."""
    directories = os.environ.get("PATH", "").split(":")
    for path in [os.path.join(directory, "nginx") for directory in directories if directory] + list(
        WELL_KNOWN
    ):
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def _mapped_pcre(pid: int, proc: Proc) -> str:
    """The PCRE library that a running process has mapped."""
    match = re.search(rb"(/\S*/libpcre(?:2-8)?\.so\S*)", proc.read(pid, "maps"))
    return match.group(1).decode("utf-8", "replace") if match else ""


def _linked_pcre(path: str) -> str:
    """The PCRE library whose name stands in the binary's dynamic string table."""
    import mmap

    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            match = re.search(rb"\0(libpcre(?:2-8)?\.so(?:\.\d+)*)\0", content)
            return match.group(1).decode("ascii") if match else ""
    except (OSError, ValueError):
        return ""
