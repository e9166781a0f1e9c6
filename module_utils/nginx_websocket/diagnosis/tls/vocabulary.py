"""The family's codes in words: TLS between the client and nginx, and the protocol inside it."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CORE, DOCS, HTTPS, Entry

ENTRIES: Dict[str, Entry] = {
    codes.CERT_INVALID: Entry(
        "the certificate is not valid for this name and time; clients give up without asking",
        "install a certificate for the name in the URL from a CA that clients trust, then reload",
        HTTPS,
    ),
    codes.CERT_UNKNOWN_ISSUER: Entry(
        "the certificate's issuer is not known to this host; clients that do not know it give up too",
        "install the issuer on the clients, or use a certificate of a public CA with its whole chain",
        HTTPS + "#chains",
    ),
    codes.TLS_HANDSHAKE_FAILED: Entry(
        "the TLS handshake with nginx fails",
        "compare ssl_protocols, ssl_ciphers and the certificate with what the client offers",
        HTTPS,
    ),
    codes.TLS_WEAK: Entry(
        "the server offers TLS that browsers refuse, or a certificate that ends soon",
        "ssl_protocols TLSv1.2 TLSv1.3; renew the certificate",
        HTTPS,
    ),
    codes.PLAIN_HTTP_TO_TLS_PORT: Entry(
        "the client speaks plain ws:// to a port that expects TLS", "open wss:// in the client", HTTPS
    ),
    codes.CLIENT_CERTIFICATE_REQUIRED: Entry(
        "nginx asks for a certificate of the client, and the handshake carried none that it accepts",
        "ssl_verify_client optional or off where clients without one shall connect; else install one there",
        DOCS + "http/ngx_http_ssl_module.html#ssl_verify_client",
    ),
    codes.TLS_NOT_ENABLED: Entry(
        "the client speaks TLS (wss://) to a port that does not",
        "add ssl to the listen directive with a certificate, or open ws://",
        CORE + "#listen",
    ),
    codes.HTTP2_ONLY: Entry(
        "the client negotiates HTTP/2, over which nginx opens no WebSocket",
        "let the client offer http/1.1 alone in ALPN for sockets, as browsers do",
        DOCS + "http/ngx_http_v2_module.html",
    ),
    codes.H2C_ON_PLAIN_PORT: Entry(
        "the plain port speaks HTTP/2 only, because listen has http2 without ssl on this nginx",
        "remove http2 from the plain listen (from nginx 1.25.1 on the port speaks HTTP/1.1 as well)",
        DOCS + "http/ngx_http_v2_module.html",
    ),
}
