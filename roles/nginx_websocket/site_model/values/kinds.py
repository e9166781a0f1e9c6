"""What each kind of value may look like.

A check takes one value of the right type and returns None, or what was expected and how to mend it. Patterns
end in ``\\Z`` because ``$`` would let a final newline through.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Callable, Optional, Tuple

Problem = Optional[Tuple[str, str]]
Check = Callable[[str], Problem]

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_TIME = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)\Z")
_SIZE = re.compile(r"([0-9]{1,9})([kKmMgG]?)\Z")
_URL_PATH = re.compile(r"/[A-Za-z0-9._~@:+,=/-]*\Z")
_FILE_PATH = re.compile(r"/[A-Za-z0-9._@+,=:~/-]*\Z")
_BACKEND = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
_TOKEN = re.compile(r"[A-Za-z0-9!#%&'*+.^_`|~-]+\Z")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x23\x25-\x7e]+\Z")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)\Z", re.DOTALL)

MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_TIME = 365 * MILLISECONDS["d"]
LONGEST_HOST = 253
LONGEST_SITE = 100
LONGEST_PATH = 1024
LONGEST_NAME = 255  # NAME_MAX, limits.h
LONGEST_SOCKET = 107


def host_name(value: str) -> Problem:
    """Accept a DNS name as it stands in a certificate: lower case, ASCII, no trailing dot."""
    expected = "a host name in lower case, such as chat.example.org"
    if _HOST.match(value) and len(value) <= LONGEST_HOST:
        return None
    lowered = value.strip().rstrip(".").lower()
    if _HOST.match(lowered) and len(lowered) <= LONGEST_HOST:
        return expected, f"Write {lowered}."
    try:
        encoded = lowered.encode("idna").decode("ascii")
    except UnicodeError:
        encoded = ""
    if encoded != lowered and _HOST.match(encoded):
        return expected, f"Write an international name in its ASCII form: {encoded}."
    return expected, "Letters, digits, hyphens and dots are allowed; one name for each entry."


def site_name(value: str) -> Problem:
    """Accept a host name that can be a file's name too, and whose nginx variables stay within bounds."""
    if len(value) > LONGEST_SITE:
        return f"a host name of at most {LONGEST_SITE} characters", "Longer names can stand in server_names."
    return host_name(value)


def server_name(value: str) -> Problem:
    """Accept a host name, or one whose first label is ``*``."""
    problem = host_name(value[2:] if value.startswith("*.") else value)
    if problem is None:
        return None
    if value.startswith(".") and host_name(value[1:]) is None:
        return problem[0], f'Write both names: ["{value[1:]}", "*{value}"].'
    return "a host name in lower case, or *. and one", problem[1]


def address(value: str) -> Problem:
    """Accept an IPv4 or IPv6 address, without brackets and without a port."""
    try:
        parsed = ipaddress.ip_address(value)
    except ValueError:
        return (
            "an IPv4 or IPv6 address",
            "Write it without port and brackets, such as 192.0.2.1 or 2001:db8::1.",
        )
    if "%" in value:
        return "an address without a zone", f"Write {str(parsed).split('%')[0]}."
    return None


def network(value: str) -> Problem:
    """Accept an address or a network in CIDR notation."""
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return "an address or a network, such as 10.0.0.0/8", f"{str(error).capitalize()}."
    if "%" in value:
        return "an address or a network without a zone", ""
    return None


def host_or_address(value: str) -> Problem:
    """Accept a host name or an address, as the place of a backend."""
    if host_name(value) is None or address(value) is None:
        return None
    return "a host name or an IP address", "Write the port in `ports` or `port`, and no scheme."


def time(value: str) -> Problem:
    """Accept one number with its unit, more than nothing and at most a year."""
    expected = "a time with its unit, such as 60s, 10m or 1h"
    match = _TIME.match(value)
    if match is None:
        return (
            expected,
            f"Write {value}s." if value.isascii() and value.isdigit() else "The units are ms, s, m, h and d.",
        )
    milliseconds = int(match.group(1)) * MILLISECONDS[match.group(2)]
    if milliseconds == 0:
        return expected, "nginx has no unlimited timeout: write a long one, such as 1d."
    if milliseconds > LONGEST_TIME:
        return f"{expected}, at most 365d", "nginx has no unlimited timeout: write a long one, such as 1d."
    return None


def size(value: str) -> Problem:
    """Accept a number of bytes, or of k, m or g of them."""
    if _SIZE.match(value):
        return None
    return "a size, such as 512k, 10m or 1g", "Write a whole number and one of k, m, g; 0 means no limit."


def header_size(value: str) -> Problem:
    """Accept a size that nginx keeps for every client that needs it, so not any."""
    expected = "a size from 1k to 64k, such as 16k"
    if _SIZE.match(value) and value.lower().endswith("k") and 1 <= int(value[:-1]) <= 64:
        return None
    return expected, "Write a whole number and k; nginx may keep four of them for each client."


def url_path(value: str) -> Problem:
    """Accept a path as nginx compares it: absolute, decoded, slashes merged, no dot segments, no query."""
    expected = "a path that begins with /, such as /ws/"
    if not value.startswith("/"):
        return expected, "A path alone, without scheme, host and query."
    if "?" in value:
        return expected, "nginx selects a location by the path alone: leave out the query."
    if "%" in value:
        return expected, "nginx compares the decoded path: write the character itself."
    if "{" in value or "<" in value:
        return (
            expected,
            "Leave out the placeholder: /ws/ takes every path below it, and `regex` can be exact.",
        )
    if "//" in value or any(part in (".", "..") for part in value.split("/")):
        return (
            expected,
            "nginx merges slashes and resolves . and .. before it compares: write the resolved path.",
        )
    if len(value) > LONGEST_PATH or not _URL_PATH.match(value):
        return expected, "Letters, digits and . _ ~ @ : + , = - / are allowed; use `regex` for anything else."
    return None


def file_path(value: str) -> Problem:
    """Accept an absolute path of a file or a directory on the host."""
    expected = "an absolute path"
    if not value.startswith("/"):
        return expected, "Begin it with /; it is a path on the managed host."
    if ".." in value.split("/"):
        return f"{expected} without ..", "Write the resolved path."
    if max(map(len, value.split("/"))) > LONGEST_NAME:
        return (
            f"{expected} of names of at most {LONGEST_NAME} characters",
            "The file system takes no longer ones.",
        )
    if len(value) > LONGEST_PATH or not _FILE_PATH.match(value):
        return expected, "Letters, digits and . _ @ + , = : ~ - / are allowed, and no spaces."
    return None


def socket_path(value: str) -> Problem:
    """Accept the path of a unix socket, for which the kernel has 108 bytes (unix(7))."""
    if len(value) > LONGEST_SOCKET:
        expected = f"the path of a socket, at most {LONGEST_SOCKET} characters"
        return expected, "The kernel has no room for more."
    return file_path(value)


def file_or(*words: str) -> Check:
    """Return a check that accepts one of the words, or an absolute path."""

    def check(value: str) -> Problem:
        if value in words or file_path(value) is None:
            return None
        named = ", ".join(word or "nothing" for word in words)
        return f"{named} or an absolute path", "A path is one on the managed host, without spaces."

    return check


def local_file(value: str) -> Problem:
    """Accept nothing, or a file's path on the controller, absolute or from the current directory."""
    if not any(character < " " for character in value):
        return None
    return "a path on the controller", "Leave out line breaks and control characters."


def backend_name(value: str) -> Problem:
    """Accept a name that can become a part of an upstream's name."""
    if _BACKEND.match(value):
        return None
    return "a name of lower-case letters, digits and hyphens, at most 32", "Begin it with a letter."


def origin(value: str) -> Problem:
    """Accept what a browser sends in Origin (RFC 6454, section 7), a wildcard host, ``*`` or ``null``."""
    expected = "an origin, scheme://host[:port], such as https://app.example.org"
    if value in ("*", "null"):
        return None
    match = _SCHEME.match(value)
    if match is None:
        return expected, f"Write https://{value}." if host_name(value) is None else "Give scheme and host."
    rest = match.group(2)
    if "/" in rest:
        return expected, f"An origin has no path: write {match.group(1)}://{rest.split('/')[0]}."
    host, port = split_port(rest)
    if port is not None and (not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536):
        return expected, "The port must be a number from 1 to 65535."
    if port in DEFAULT_PORTS and DEFAULT_PORTS[port] == match.group(1):
        return expected, f"Browsers leave out a default port: write {match.group(1)}://{host}."
    if host.startswith("[") and host.endswith("]"):
        return None if address(host[1:-1]) is None else (expected, "The host is no IPv6 address.")
    problem = server_name(host)
    return None if problem is None else (expected, problem[1])


DEFAULT_PORTS = {"80": "http", "443": "https"}


def split_port(authority: str) -> Tuple[str, Optional[str]]:
    """Return host and port of an authority; an IPv6 address keeps its brackets."""
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        return host + bracket, rest[1:] if rest.startswith(":") else (rest or None)
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def header_name(value: str) -> Problem:
    """Accept the name of a header."""
    if _HEADER.match(value):
        return None
    return "the name of a header, such as X-Frame-Options", "Letters, digits and hyphens are allowed."


def header_name_or(*words: str) -> Check:
    """Return a check that accepts one of the words, or the name of a header."""

    def check(value: str) -> Problem:
        return None if value in words else header_name(value)

    return check


def header_value(value: str) -> Problem:
    """Accept what may follow the name of a header, on one line and without nginx variables."""
    if _HEADER_VALUE.match(value) and value == value.strip():
        return None
    if "$" in value:
        return (
            "a header value without $",
            "nginx would take what follows $ for a variable, and has no escape for it.",
        )
    return "a header value of printable ASCII, on one line", "YAML's folded form >- makes one line of many."


def header_value_or_none(value: str) -> Problem:
    """Accept the value of a header, and nothing, which takes the header away."""
    return header_value(value) if value else None


def http_token(value: str) -> Problem:
    """Accept an HTTP token (RFC 9110, section 5.6.2): a method, a header name, a subprotocol."""
    if _TOKEN.match(value) and "$" not in value:
        return None
    return (
        "a single word as HTTP defines it",
        "Letters, digits, hyphens, dots and underscores; one word for each entry.",
    )


def one_line(value: str) -> Problem:
    """A text for people: one printable line of at most 200 characters."""
    if len(value) <= 200 and all(character.isprintable() for character in value):
        return None
    return ("one printable line of at most 200 characters", "shorten it, and take line feeds out")


def rollback_point(value: str) -> Problem:
    """Accept what `nginx_rollback` takes: a word, the number of a backup, or a release id."""
    if re.match(r"\A(previous|original|[1-9][0-9]{0,8}|[0-9a-f]{8,32})\Z", value):
        return None
    expected = "previous, original, the number of a backup, or a release id"
    return expected, "playbooks/rollback.yml --tags list has them."


def finding(value: str) -> Problem:
    """Accept the name of a finding, which is its code."""
    if re.fullmatch(r"[a-z]+(?:-[a-z0-9]+)*", value):
        return None
    return "the name of a finding, such as dns-unknown", "It stands before the finding in the summary."


def asked(value: str) -> Problem:
    """Accept a path or URL of requests; ``*`` at its end stands for whatever follows."""
    if re.fullmatch(r"(?:https?://[^/?#*\s]+)?/[^?#*\s]*\*?", value) and len(value) <= LONGEST_PATH:
        return None
    return "a path such as /old/* or https://example.org/old/*", "A star may stand at the end alone."


def batch(value: str) -> Problem:
    """Accept the size of a batch of hosts, as a number or a share."""
    if re.match(r"\A[1-9][0-9]{0,5}\Z|\A(100|[1-9][0-9]?)%\Z", value):
        return None
    return "a number of hosts or a share such as 25%", ""


def number(lowest: int, highest: int, what: str) -> Callable[[int], Problem]:
    """Return a check that accepts whole numbers within bounds."""

    def check(value: int) -> Problem:
        if lowest <= value <= highest:
            return None
        return f"{what}, from {lowest} to {highest}", ""

    return check


port = number(1, 65535, "a TCP port")
