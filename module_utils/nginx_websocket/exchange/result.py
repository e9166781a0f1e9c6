"""What a probe found, and how it is told without its secrets."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional

from .handshake import Header
from .masking import header_secrets, masked_headers, masked_url, url_secrets, without

ERROR_KINDS = {
    "dns": "the name does not resolve",
    "connect-refused": "nothing listens at the address",
    "connect-timeout": "the address did not take the connection in time",
    "connect-failed": "no way to the address (unreachable, not permitted)",
    "tls": "the TLS handshake failed, or the certificate does not verify",
    "closed-without-answer": "the server closed the connection before a whole response head",
    "answer-timeout": "connected, but no whole response head in time",
    "not-http": "what came is not HTTP/1",
    "http-status": "an HTTP answer other than 101: the WebSocket was refused",
    "bad-handshake": "101, but the handshake is not the answer to ours: a browser refuses it",
    "closed-after-101": "opened, then closed by the server",
    "pong-timeout": "opened, but the ping stayed without pong",
    "bad-frame": "opened, then the server sent something that is not a WebSocket frame",
}
"""Every value of ``Probe.error_kind`` but the empty one."""
NOBODY = ("connect-refused", "connect-failed")
"""Those where the address refuses: nobody is there."""
NO_CONNECTION = (*NOBODY, "connect-timeout")
"""Those where no connection came about."""


@dataclasses.dataclass
class Probe:
    """What one probe sent, and what came of it."""

    url: str
    address: str = ""
    """The address that took the connection: ``127.0.0.1:80``, ``[::1]:443``, ``unix:/run/app.sock``."""
    opened: bool = False
    """Whether a WebSocket opened: a valid 101, whatever happened after it."""
    status: Optional[int] = None
    reason: str = ""
    http_version: str = ""
    request: str = ""
    """The exact request head, as sent; as it would have been when no connection came about."""
    headers: List[Header] = dataclasses.field(default_factory=list)
    """The response's headers, as received; each value up to 2048 characters."""
    head_bytes: int = 0
    """Length of the response's head, status line and empty line included."""
    server: str = ""
    """The response's ``Server``; nginx writes its own over a backend's."""
    body: str = ""
    """The beginning of the body, control characters escaped."""
    subprotocol: str = ""
    pong: bool = False
    close_code: Optional[int] = None
    """Code of the server's close frame; 1005 without a code, 1006 when the connection just ended."""
    close_reason: str = ""
    closed_after: Optional[float] = None
    """Seconds from the 101 to the server's close."""
    messages: int = 0
    """Data frames that the server sent while the probe listened."""
    error: str = ""
    error_kind: str = ""
    """Empty when all went well, else a key of `ERROR_KINDS`."""
    seconds: float = 0.0
    tls: Dict[str, Any] = dataclasses.field(default_factory=dict)
    """Empty without TLS; else version, cipher, alpn, verify_error and the certificate's subject, issuer,
    names, not_before, not_after."""

    @property
    def lasting(self) -> bool:
        """Whether a WebSocket opened, and was not closed while it was watched."""
        return self.opened and self.closed_after is None

    def header(self, name: str) -> str:
        """The values of a response header joined by a comma; empty when it is absent."""
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def who(self) -> str:
        """Who answered, as far as the answer itself tells."""
        if self.status is None:
            return self.address
        page = " (nginx's own page)" if "<center>nginx" in self.body else ""
        return "{}, Server: {}{}".format(self.address, self.server or "none", page)

    def summary(self) -> str:
        """One line for a person, secrets masked."""
        data = self.to_dict()
        line = "{}: ".format(data["url"])
        if self.opened:
            line += "101, WebSocket open"
            line += ", pong" if self.pong else ""
        elif self.status is not None:
            line += "{} {}".format(self.status, data["reason"])
        if self.error and self.error_kind != "http-status":
            line = line.rstrip(" :") + ": " + str(data["error"])
        return line + (f" [{self.who()}]" if self.address else "")

    def to_dict(self) -> Dict[str, Any]:
        """The probe as plain data, ready for JSON, without the tokens in URL, request, headers and texts."""
        data = dataclasses.asdict(self)
        data["headers"] = [list(header) for header in self.headers]
        data["seconds"] = round(self.seconds, 4)
        sent = [
            (name, value)
            for name, colon, value in (line.partition(": ") for line in self.request.split("\r\n")[1:])
            if colon
        ]
        line, _, _ = self.request.partition("\r\n")
        secrets = url_secrets(self.url) + header_secrets(sent) + header_secrets(self.headers)
        if line:
            method, target, version = line.split(" ", 2)
            secrets += url_secrets(target)
            shown = [f"{method} {masked_url(target)} {version}"]
            data["request"] = (
                "\r\n".join(shown + ["{}: {}".format(*pair) for pair in masked_headers(sent)]) + "\r\n\r\n"
            )
        data["url"] = masked_url(self.url)
        data["headers"] = [[name, without(value, secrets)] for name, value in masked_headers(self.headers)]
        for key in ("body", "error", "reason", "close_reason"):
            data[key] = without(data[key], secrets)
        return data
