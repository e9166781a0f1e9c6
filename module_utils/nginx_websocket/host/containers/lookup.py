"""Names as a container resolves them: its own hosts file, then the name servers of its resolv.conf.

The C library cannot be asked there: it would load its modules from the container's files.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import time
from typing import List, Optional, Tuple

SECONDS = 2.0
"""For each question to a name server."""
SERVERS = 2
SEARCHED = 3
_A, _AAAA = 1, 28


def literal(host: str) -> bool:
    """Whether a name is an IP address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def in_hosts(text: str, host: str) -> List[str]:
    """Addresses that a hosts file has for a name."""
    found = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and literal(words[0]) and host.lower() in map(str.lower, words[1:]):
            found.append(words[0])
    return list(dict.fromkeys(found))


def servers_of(text: str) -> Tuple[List[str], List[str]]:
    """Name servers and search suffixes of a resolv.conf; the local server where it names none."""
    servers: List[str] = []
    search: List[str] = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and words[0] == "nameserver" and literal(words[1]):
            servers.append(words[1])
        elif len(words) > 1 and words[0] in ("search", "domain"):
            search = words[1:]
    return servers or ["127.0.0.1"], search


def ask(host: str, text: str) -> List[str]:
    """Addresses of a name, by the servers of a resolv.conf that are reached from here.

    Args:
        host: the name.
        text: of the resolv.conf.

    Returns:
        IPv4 first; empty where it has none, and where nobody answers.
    """
    servers, search = servers_of(text)
    names = [host] if "." in host or not search else [*(f"{host}.{suffix}" for suffix in search), host]
    for server in servers[:SERVERS]:
        for name in names[:SEARCHED]:
            answers = [_asked(server, name, kind) for kind in (_A, _AAAA)]
            found = [address for answer in answers for address in answer or ()]
            if found:
                return found
            if answers[0] is None:
                break  # This one says nothing at all.
    return []


def _asked(server: str, name: str, kind: int) -> Optional[List[str]]:
    """What one server says to one question (RFC 1035, section 4); None where it says nothing."""
    number = int.from_bytes(os.urandom(2), "big")
    try:
        labels = [part.encode("idna") for part in name.rstrip(".").split(".")]
    except UnicodeError:
        return []
    question = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    question += struct.pack(">HH", kind, 1)
    query = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    until = time.monotonic() + SECONDS
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((server, 53))
            sock.send(query)
            while True:
                sock.settimeout(max(0.001, until - time.monotonic()))
                answer = sock.recv(4096)
                if answer[:2] == query[:2] and answer[12 : 12 + len(question)].lower() == question.lower():
                    return addresses_in(answer, 12 + len(question), kind)
    except (OSError, ValueError, struct.error, IndexError):
        return None


def addresses_in(answer: bytes, at: int, kind: int) -> List[str]:
    """The addresses of an answer.

    Args:
        answer: the message.
        at: offset behind its question.
        kind: of records that are wanted.

    Raises:
        struct.error, IndexError: it ends too early.
    """
    found = []
    for _ in range(struct.unpack(">H", answer[6:8])[0]):
        while answer[at]:
            if answer[at] >= 0xC0:
                at += 1
                break
            at += answer[at] + 1
        at += 1
        which, _, _, length = struct.unpack(">HHIH", answer[at : at + 10])
        at += 10
        if which == kind and length == (4 if kind == _A else 16):
            family = socket.AF_INET if kind == _A else socket.AF_INET6
            found.append(socket.inet_ntop(family, answer[at : at + length]))
        at += length
    return found
