"""What this host asks its own nginx, and the backends past nginx.

A part of the program that is sent to the host (asking.py): standard library alone, Python 3.8 and newer.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import time
from typing import Any, Dict, List

from verify.host_report.files import file_of


def connect(
    address: str, port: int, tls: bool, name: str, proxy_protocol: bool, timeout: float
) -> socket.socket:
    """Connect to this host itself; its certificates are judged from outside, so not here."""
    if address.startswith("/"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock
    sock = socket.create_connection((address, port), timeout=timeout)
    if proxy_protocol:
        # It names the host itself as the client, which alone may ask for the release.
        host, here = sock.getpeername()[0], sock.getsockname()[1]
        family = "TCP6" if ":" in host else "TCP4"
        sock.sendall(f"PROXY {family} {host} {host} {here} {port}\r\n".encode("ascii"))
    if not tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(sock, server_hostname=name or None)


def exchange(ask: Dict[str, Any], lines: List[str], timeout: float) -> Dict[str, Any]:
    """Send one request and return status line, and the beginning of the body, or the error."""
    head = "\r\n".join([*lines, "", ""]).encode("ascii", "replace")
    received = b""
    ends = time.monotonic() + timeout
    try:
        with connect(
            ask["address"],
            ask["port"],
            ask.get("tls", False),
            ask.get("sni", ""),
            ask.get("proxy_protocol", False),
            timeout,
        ) as sock:
            sock.sendall(head)
            while len(received) < 16384:
                # One deadline for all of it: an application that drips would hold up the whole batch.
                sock.settimeout(max(0.001, ends - time.monotonic()))
                chunk = sock.recv(min(4096, 16384 - len(received)))
                if time.monotonic() > ends:
                    raise TimeoutError("timed out")
                if not chunk:
                    break
                received += chunk
                if received.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in received:
                    break
    except OSError as reason:
        if b"\r\n\r\n" not in received:
            return {"status": None, "body": "", "error": str(reason) or type(reason).__name__}
    parts = received.split(b"\r\n", 1)[0].split(b" ")
    status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None
    body = received.split(b"\r\n\r\n", 1)[1] if b"\r\n\r\n" in received else b""
    error = "" if status else "closed without an answer"
    return {"status": status, "body": body[:200].decode("utf-8", "replace"), "error": error}


def ask_release(ask: Dict[str, Any], files: List[Dict[str, Any]], timeout: float) -> Dict[str, Any]:
    """Ask the running nginx for a release location, as only the host itself may.

    The release is the one that is expected or, when none is, the one in the site's file.
    """
    state = file_of(ask, files)
    release = ask["release"] or (state["releases"][0] if state else "")
    told = dict(ask, release=release, file=state)
    if not release:
        return dict(
            told, answer={"status": None, "body": "", "error": "no loaded file holds a release of this site"}
        )
    lines = [
        f"GET /.well-known/nginx-websocket/{release} HTTP/1.1",
        "Host: " + ask["host"],
        "Connection: close",
    ]
    return dict(told, answer=exchange(ask, lines, timeout))


def ask_backend(ask: Dict[str, Any], timeout: float) -> Dict[str, Any]:
    """Send an opening handshake (RFC 6455 section 4.1) straight to the backend, past nginx."""
    lines = [
        "GET {} HTTP/1.1".format(ask["target"]),
        "Host: " + ask["host"],
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
    ]
    if ask.get("origin"):
        lines.append("Origin: " + ask["origin"])
    answer = exchange(ask, lines, timeout)
    answer["opened"] = answer["status"] == 101
    return dict(ask, answer=answer)


def ask_backends(asks: List[Dict[str, Any]], timeout: float) -> List[Dict[str, Any]]:
    """Ask all backends; several servers at the same time, since those that are dead would add up."""
    if len({(ask["address"], ask["port"]) for ask in asks}) < 2:
        return [ask_backend(ask, timeout) for ask in asks]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(lambda ask: ask_backend(ask, timeout), asks))
