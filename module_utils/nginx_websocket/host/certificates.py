"""Certificate files before nginx is told to use them: there, readable, fitting key, names, dates."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..conf.regular import open_regular
from .sites import ServerBlock


@dataclasses.dataclass
class Certificate:
    """What is known about a certificate and its key."""

    certificate: str
    key: str
    usable: bool = False
    """Whether nginx could load the pair: both readable, and the key fits."""
    problem: str = ""
    """Why it is not usable; empty when it is."""
    key_matches: Optional[bool] = None
    """None when that could not be tried."""
    subject: str = ""
    issuer: str = ""
    names: List[str] = dataclasses.field(default_factory=list)
    not_before: str = ""
    not_after: str = ""
    days_left: Optional[float] = None
    """Days until it expires, negative after that."""
    self_signed: bool = False
    missing_names: List[str] = dataclasses.field(default_factory=list)
    """Wished names that it is not valid for."""

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


def carried_over(servers: Sequence[ServerBlock], names: Sequence[str], conf_path: str) -> Tuple[str, str]:
    """The certificate and key that the live configuration has for some names.

    Args:
        servers: those of the configuration.
        names: the first of them that has a certificate decides.
        conf_path: main file; nginx takes relative paths from its directory (``ngx_get_full_name``).

    Returns:
        Two paths, empty when there is none, or when nginx chooses it at run time (a variable, an engine).
    """
    for name in names:
        for server in servers:
            pair = (server.certificate, server.certificate_key)
            plain = all(path and "$" not in path and ":" not in path for path in pair)
            if plain and name in [one.lower() for one in server.names]:
                base = os.path.dirname(conf_path)
                return os.path.join(base, pair[0]), os.path.join(base, pair[1])
    return "", ""


def check_certificate(
    certificate: str, key: str, *, names: Sequence[str] = (), now: Optional[float] = None
) -> Certificate:
    """Check a certificate and its key with the standard library.

    Args:
        certificate: PEM file of the certificate and its chain.
        key: PEM file of the private key; empty when the key is not to be tried.
        names: host names that it must be valid for.
        now: seconds since the epoch.

    Returns:
        The `Certificate`; an unreadable file or a foreign key is a ``problem`` in it, an expired one is
        usable (nginx serves it) and has negative ``days_left``.
    """
    import ssl

    from ..exchange.tls import decode_pem, describe_certificate

    checked = Certificate(certificate, key)
    for path in [certificate, key] if key else [certificate]:
        checked.problem = checked.problem or _unreadable(path)
    if checked.problem:
        return checked
    try:
        decoded = decode_pem(certificate)
    except (OSError, ValueError) as error:
        checked.problem = str(error)
        return checked
    described = describe_certificate(decoded)
    checked.subject, checked.issuer = described["subject"], described["issuer"]
    checked.names = described["names"]
    checked.not_before, checked.not_after = described["not_before"], described["not_after"]
    checked.self_signed = bool(checked.subject) and checked.subject == checked.issuer
    if decoded.get("notAfter"):
        left = ssl.cert_time_to_seconds(decoded["notAfter"]) - (time.time() if now is None else now)
        checked.days_left = round(left / 86400, 2)
    valid_for = checked.names or [checked.subject.rpartition("CN=")[2]]
    checked.missing_names = [name for name in names if not any(covers(own, name) for own in valid_for)]
    if not key:
        checked.usable = True
        return checked
    try:
        # An empty password: an encrypted key must fail here, not ask at a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
        checked.usable = checked.key_matches = True
    except ssl.SSLError as error:
        reason = getattr(error, "reason", None) or str(error)  # some of ssl's errors have none
        # OpenSSL 1.1 drops a certificate that the key does not belong to, and then finds none.
        if "MISMATCH" in reason or reason == "NO_CERTIFICATE_ASSIGNED":
            checked.key_matches = False
            checked.problem = f"the key {key} does not belong to the certificate {certificate}"
        elif "NO_START_LINE" in reason or "BAD_BASE64" in reason or "PEM lib" in reason:
            checked.problem = f"{key} holds no private key in PEM"
        else:
            checked.problem = f"{certificate} and {key} cannot be loaded: {reason}"
    except (OSError, ValueError) as error:
        checked.problem = f"{certificate} and {key} cannot be loaded: {error}"
    return checked


def covers(pattern: str, name: str) -> bool:
    """Whether a certificate's name is valid for a host: one ``*`` stands for one whole label (RFC 6125)."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*."):
        label, dot, rest = name.partition(".")
        return bool(label and dot) and rest == pattern[2:]
    return pattern == name


def _unreadable(path: str) -> str:
    """Why a file cannot be read; empty when it can."""
    try:
        with open_regular(path) as file:
            if not file.read(1):
                return f"{path} is empty"
    except FileNotFoundError:
        if os.path.islink(path):
            return f"{path} is a symlink to {os.readlink(path)}, which does not exist"
        return f"{path} does not exist"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return ""
