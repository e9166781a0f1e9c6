"""From a URL to what must be dialled, named in TLS and sent in the request line."""

from __future__ import annotations

import dataclasses
import re
from typing import Optional, Tuple, Union

Address = Union[Tuple[str, int], str]
"""(host, port), or the path of a unix socket."""

_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_URL = re.compile(
    r"^(?P<scheme>[A-Za-z]+)://(?:[^/?#@]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#:\[\]@]+)(?::(?P<port>\d*))?"
    r"(?P<target>[/?][^#]*)?(?:#.*)?\Z"
)
_HOST = re.compile(r"^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?\Z")


@dataclasses.dataclass
class Endpoint:
    """A URL taken apart, nothing normalised: the request target is sent byte for byte."""

    scheme: str
    host: str
    """Host without brackets, in ASCII."""
    port: int
    target: str

    @property
    def tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return self.scheme in ("wss", "https")

    @property
    def host_header(self) -> str:
        """Value of ``Host``: the port only when it is not the scheme's own (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """The origin of a page that this very host would serve."""
        return "{}://{}".format("https" if self.tls else "http", self.host_header)


def parse_url(url: str) -> Endpoint:
    """Take a ws, wss, http or https URL apart.

    Args:
        url: absolute URL; credentials in it are dropped, a fragment too.

    Raises:
        ValueError: no such scheme, no host, a port outside 1 to 65535, or a forbidden character.
    """
    if not re.match(r"^[!-~]+\Z", re.sub(r"^[A-Za-z]+://[^/?#]*", "", url) or "/"):
        raise ValueError("a URL may hold printable ASCII only after the host; percent-encode the rest")
    match = _URL.match(url)
    if not match:
        raise ValueError("not a URL of the form ws://, wss://, http:// or https://host[:port]/path")
    scheme = match.group("scheme").lower()
    if scheme not in _PORTS:
        raise ValueError(f"unknown scheme {scheme!r}: use ws, wss, http or https")
    host = match.group("host").strip("[]")
    if ":" not in host:
        try:
            host = host.encode("ascii").decode("ascii")
        except UnicodeEncodeError:
            host = host.encode("idna").decode("ascii")
        if not _HOST.match(host):
            raise ValueError(f"{host!r} is not a host name")
    port = int(match.group("port") or _PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError(f"port {port} is not between 1 and 65535")
    target = match.group("target") or "/"
    return Endpoint(scheme, host, port, "/" + target if target.startswith("?") else target)


def address_text(address: Optional[Address]) -> str:
    """``127.0.0.1:80``, ``[::1]:80`` or ``unix:/run/app.sock``; empty for None."""
    if address is None:
        return ""
    if address[0].startswith("unix:"):
        return address[0]
    if isinstance(address, str):
        return "unix:" + address
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str) -> Address:
    """Read an address as people write it.

    Args:
        text: ``host:port``, ``[ipv6]:port``, ``unix:/path`` or ``/path``.

    Raises:
        ValueError: none of these.
    """
    if text.startswith("unix:/"):
        return text[len("unix:") :]
    if text.startswith("/"):
        return text
    match = re.match(r"^(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([^:\[\]/\s]+)):(\d{1,5})\Z", text)
    if not match or not 0 < int(match.group(3)) < 65536:
        raise ValueError(f"address {text!r} is not of the form host:port, [ipv6]:port or unix:/path")
    return match.group(1) or match.group(2), int(match.group(3))
