"""TLS for the probe, and certificates read with the standard library alone.

``ssl`` is imported inside the functions: most probes on a host speak plain HTTP, and the import costs
more than they do.
"""

from __future__ import annotations

import functools
import os
import socket
import tempfile
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from .connection import Deadline, Failure
from .handshake import escaped

if TYPE_CHECKING:
    import ssl

_ALPN = ["http/1.1"]
_REASONS = {
    "WRONG_VERSION_NUMBER": "the port does not speak TLS (or a TLS version nobody shares)",
    "HTTP_REQUEST": "the port does not speak TLS: it answers in plain HTTP",
    "RECORD_LAYER_FAILURE": "the port does not speak TLS",
    "PACKET_LENGTH_TOO_LONG": "the port does not speak TLS",
    "TLSV1_UNRECOGNIZED_NAME": "the server refuses this name (SNI)",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "server and client share no cipher or curve, or no certificate is set",
    "TLSV1_ALERT_PROTOCOL_VERSION": "server and client share no TLS version",
    "UNSUPPORTED_PROTOCOL": "the server offers only TLS versions that this client refuses",
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": "the server refuses HTTP/1.1 (ALPN)",
}


def make_context(*, verify: bool, cafile: Optional[str] = None, alpn: bool = True) -> ssl.SSLContext:
    """Make a client context that offers only HTTP/1.1 by ALPN.

    An HTTP/2 connection cannot carry an HTTP/1.1 upgrade, and nginx has no RFC 8441.

    Args:
        verify: check the chain and the name. False reads no authorities at all: the system's cost some 30 ms.
        cafile: PEM file of the authorities to trust instead of the system's.
        alpn: False offers nothing, as nginx does to a backend.

    Raises:
        ValueError: the file is missing or holds no certificate.
    """
    import ssl

    if verify and cafile is None and alpn:
        return _with_the_systems_authorities()
    if verify:
        try:
            context = _verifying(cafile)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cafile {cafile} cannot be used: {error.strerror or error}") from None
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(_ALPN)
    return context


@functools.lru_cache(maxsize=1)
def _with_the_systems_authorities() -> ssl.SSLContext:
    """One for all handshakes of a run; it keeps no sessions."""
    context = _verifying(None)
    context.set_alpn_protocols(_ALPN)
    return context


def _verifying(cafile: Optional[str]) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context(cafile=cafile)
    # Python 3.13 made both a default: one refuses authorities that browsers and older Pythons accept, with
    # the other a server's own certificate is an authority, which it is neither to them nor to nginx.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", ssl.VerifyFlags(0))
    return context


def wrap(sock: socket.socket, host: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """Make the TLS handshake.

    Args:
        sock: a connected socket; closed when the handshake fails.
        host: name for SNI and for the certificate check; "" sends none.
        context: from `make_context`.
        deadline: for the handshake.

    Raises:
        Failure: ``tls`` for anything but a certificate that does not verify.
        ssl.SSLCertVerificationError: the certificate does not verify.
    """
    import ssl

    sock.settimeout(max(0.001, deadline.left()))
    try:
        return context.wrap_socket(sock, server_hostname=host or None)
    except ssl.SSLCertVerificationError:
        sock.close()
        raise
    except socket.timeout:
        sock.close()
        raise Failure("tls", f"no TLS handshake within {deadline.elapsed():.1f} s") from None
    except ssl.SSLError as error:
        sock.close()
        reason = getattr(error, "reason", None) or ""
        if isinstance(error, ssl.SSLEOFError) or not reason:
            raise Failure("tls", "the server closed the connection during the TLS handshake") from None
        raise Failure("tls", f"TLS handshake failed: {_REASONS.get(reason, reason)} [{reason}]") from None
    except OSError as error:
        sock.close()
        raise Failure(
            "tls", f"the connection broke during the TLS handshake: {error.strerror or error}"
        ) from None


def describe_session(sock: ssl.SSLSocket, verify_error: str = "") -> Dict[str, Any]:
    """Describe an established session: version, cipher, ALPN and the server's certificate."""
    cipher = sock.cipher()
    described: Dict[str, Any] = {
        "version": sock.version() or "",
        "cipher": cipher[0] if cipher else "",
        "alpn": sock.selected_alpn_protocol() or "",
        "verify_error": verify_error,
    }
    der = sock.getpeercert(binary_form=True)
    described.update(describe_certificate(sock.getpeercert() or decode_der(der or b"")))
    return described


def describe_certificate(decoded: Mapping[str, Any]) -> Dict[str, Any]:
    """Subject, issuer, names and dates of a certificate as ``ssl`` decodes it.

    Returns:
        ``subject``, ``issuer`` (one line each), ``names`` (DNS names and addresses it is valid for),
        ``not_before``, ``not_after`` (ISO 8601, UTC); all empty when there is nothing to describe.
    """
    return {
        "subject": _name(decoded.get("subject", ())),
        "issuer": _name(decoded.get("issuer", ())),
        "names": [escaped(str(value).encode()) for _, value in decoded.get("subjectAltName", ())],
        "not_before": _iso(str(decoded.get("notBefore", ""))),
        "not_after": _iso(str(decoded.get("notAfter", ""))),
    }


def decode_pem(path: str) -> Dict[str, Any]:
    """Decode the first certificate of a PEM file.

    Returns:
        The mapping that ``ssl.SSLSocket.getpeercert`` returns.

    Raises:
        ValueError: not a certificate, or this Python cannot decode it without a connection.
        OSError: the file cannot be read.
    """
    import ssl

    decode = getattr(getattr(ssl, "_ssl", None), "_test_decode_cert", None)
    if decode is None:
        raise ValueError("this Python has no decoder for certificate files")
    with open(path, "rb"):
        pass  # An unreadable file gets its own OSError, not OpenSSL's words for it.
    try:
        decoded: Dict[str, Any] = decode(path)
    except ssl.SSLError as error:
        raise ValueError(f"{path} holds no PEM certificate ({error})") from None
    return decoded


def decode_der(der: bytes) -> Dict[str, Any]:
    """Decode a certificate in DER; empty when that is not possible here."""
    import ssl

    if not der:
        return {}
    handle, path = tempfile.mkstemp(prefix="certificate-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(ssl.DER_cert_to_PEM_cert(der))
        return decode_pem(path)
    except ValueError:
        return {}
    finally:
        os.unlink(path)


def _name(parts: Tuple[Tuple[Tuple[str, str], ...], ...]) -> str:
    """One line for a distinguished name."""
    short = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C"}
    words: List[str] = []
    for relative in parts:
        words += [f"{short.get(key, key)}={escaped(value.encode())}" for key, value in relative]
    return ", ".join(words)


def _iso(text: str) -> str:
    """``2031-01-31T00:00:00Z`` from OpenSSL's ``Jan 31 00:00:00 2031 GMT``."""
    if not text:
        return ""
    import ssl
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ssl.cert_time_to_seconds(text)))
