"""Random requests for the routing differential test."""

# ruff: noqa: UP031  (one format for a whole address or report line)

from __future__ import annotations

import dataclasses
import random
from typing import List, Optional, Sequence, Tuple

from routing_configs import NAMES, SEGMENTS
from routing_nodes import Node


@dataclasses.dataclass
class Probe:
    """One request, exactly as it is sent."""

    address: Tuple[str, int]
    target: str
    method: str
    headers: List[Tuple[str, str]]
    version: str = "1.1"
    tls: bool = False
    sni: Optional[str] = None
    body: str = ""

    def raw(self) -> bytes:
        """The bytes on the wire."""
        lines = [f"{self.method} {self.target} HTTP/{self.version}"]
        lines += ["{}: {}".format(*header) for header in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode("latin-1")

    def describe(self) -> str:
        """For a report."""
        place = "%s:%d%s" % (*self.address, f" TLS sni={self.sni}" if self.tls else "")
        return "{}\n{}".format(place, self.raw().decode("latin-1"))


def _segment(rng: random.Random) -> str:
    text = rng.choice((*SEGMENTS, "a", "ws", "api", "index.html", "new", "n", "moved", "zz.php", "B", "v"))
    text = text.encode("utf-8").decode("latin-1")
    out = []
    for char in text:
        roll = rng.random()
        if char == " " or roll < 0.07:
            out.append(f"%{ord(char):02X}" if rng.random() < 0.7 else f"%{ord(char):02x}")
        elif roll < 0.09:
            out.append(char.swapcase())
        else:
            out.append(char)
    return "".join(out)


def _target(rng: random.Random) -> str:
    parts = [_segment(rng) for _index in range(rng.choice((0, 1, 1, 2, 2, 3, 4)))]
    for _index in range(rng.choice((0, 0, 0, 1, 2))):
        odd = (
            "",
            ".",
            "..",
            "%2F",
            "%2e%2e",
            "%3Fa",
            "%23",
            "%25",
            "+",
            "%0A",
            "a%00b",
            "%zz",
            "a;b",
            "~",
            "%2B",
            "&",
        )
        parts.insert(rng.randint(0, len(parts)), rng.choice(odd))
    text = "/" + "/".join(parts)
    if rng.random() < 0.4:
        text += "/"
    if rng.random() < 0.4:
        text += "?" + rng.choice(
            ("q=1", "", "q=one&x=2", "x=/a", "a?b", "q=%41+b", "Q=2", "q", "x=1#frag", "&&q=z")
        )
    if rng.random() < 0.02:
        text += "#x/y"
    if rng.random() < 0.03:
        text = rng.choice(("http://a.test", "http://B.test:99", "https://net.", "http://[::1]:8")) + text
    return text


def _host(rng: random.Random, port: int) -> str:
    name = rng.choice(
        (
            *NAMES,
            *NAMES,
            "q.test",
            "abcd",
            "127.0.0.1",
            "[::1]",
            "a.net.",
            "x.y.z.net",
            "B.TEST",
            "a.y.a.test",
        )
    )
    if rng.random() < 0.5:
        name += ":%d" % port
    if rng.random() < 0.02:
        name = rng.choice(
            ("a..test", "", "a/b", ".a.test", "a.test.:1", "a test", "[::1", "a.test:x", "a_b", "*.test")
        )
    return name


class Vocabulary:
    """Words of one configuration, so that requests hit what it has."""

    def __init__(self, nodes: Sequence[Node], ports: Sequence[int]) -> None:
        self.paths: List[str] = []
        self.names: List[str] = []
        self.addresses: List[Tuple[str, int]] = []
        self._collect(nodes, ports)

    def _collect(self, nodes: Sequence[Node], ports: Sequence[int]) -> None:
        for node in nodes:
            if node.name == "location" and node.args[0][0] not in "@~":
                self.paths.append(node.args[-1])
            elif node.name == "server_name":
                self.names += [name.strip("*.") or "a" for name in node.args if name and name[0] != "~"]
            elif node.name == "listen" and len(node.args) < 3 and "ssl" not in node.args:
                host, _colon, port = node.args[0].rpartition(":")
                host = "127.0.0.4" if host in ("", "*") else host
                if int(port) in ports:
                    self.addresses.append((host, int(port)))
            self._collect(node.block or (), ports)

    def path(self, rng: random.Random) -> str:
        """A path near a location of the configuration."""
        text = rng.choice(self.paths).encode("utf-8").decode("latin-1").replace(" ", "%20")
        roll = rng.random()
        if roll < 0.3:
            text = text.rstrip("/") or "/"
        elif roll < 0.6:
            text = text + ("" if text.endswith("/") else "/") + _segment(rng)
        elif roll < 0.7:
            text = text.upper()
        elif roll < 0.8:
            place = rng.randrange(len(text))
            if text[place] != "%" and text[max(0, place - 2) : place].find("%") < 0:
                text = text[:place] + f"%{ord(text[place]):02x}" + text[place + 1 :]
        elif roll < 0.85:
            text += rng.choice((".php", ".txt", "x", "%0A", "//"))
        if not text.startswith("/"):
            text = "/" + text
        if rng.random() < 0.3:
            text += rng.choice(("?q=1", "?", "?x=2&q=a%20b", "?q=/a"))
        return text


def make_probe(rng: random.Random, ports: Sequence[int], tls: int, words: Vocabulary) -> Probe:
    """One random request."""
    host = rng.choice(("127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"))
    port = rng.choice(list(ports))
    address = rng.choice(words.addresses) if words.addresses and rng.random() < 0.85 else (host, port)
    target = words.path(rng) if words.paths and rng.random() < 0.65 else _target(rng)
    probe = Probe(address, target, "GET", [])
    if tls and rng.random() < 0.12:
        probe.tls, probe.address = True, ("127.0.0.1", tls)
        probe.sni = rng.choice(
            (None, "a.test", "b.test", "www.a.test", "nosuch.example", "x.y.a.test", "net")
        )
    elif tls and rng.random() < 0.01:
        probe.address = ("127.0.0.1", tls)
    if rng.random() < 0.1:
        probe.method = rng.choice(("POST", "HEAD", "PUT", "OPTIONS"))
    if rng.random() < 0.02:
        probe.version = "1.0"
    headers = probe.headers
    roll = rng.random()
    same = probe.sni if probe.sni and roll < 0.5 else _host(rng, probe.address[1])
    if words.names and 0.5 < roll < 0.9:
        same = (
            rng.choice(("", "", "w.", "www."))
            + rng.choice(words.names)
            + rng.choice(("", "", ".", ".org", ":80"))
        )
    if roll > 0.01:
        headers.append((rng.choice(("Host", "host", "HOST")), same))
    if roll > 0.995:
        headers.append(("Host", "second.test"))
    if rng.random() < 0.5:
        headers.append(("Upgrade", rng.choice(("websocket", "WebSocket", "h2c"))))
        headers.append(("Connection", rng.choice(("Upgrade", "keep-alive, Upgrade", "upgrade"))))
    extra = (
        ("X", "one"), ("X", "two"), ("X", "ONE"), ("x-y", "1"), ("X_Y", "2"), ("TE", "trailers"),
        ("Cookie", "c=5; d=6"),
        ("X-One", "client"), ("Keep-Alive", "5"), ("Accept", "*/*"), ("X", ""), ("Cookie", "C=7"),
        ("Range", "bytes=0-"),
        ("X.Y", "dot"), ("Expect", "x"), ("X-Two", "a  b"),
    )  # fmt: skip
    for _index in range(rng.choice((0, 1, 2, 3))):
        headers.append(rng.choice(extra))
    if rng.random() < 0.1:
        headers.append(("Authorization", "Basic dXNlcjpzZWNyZXQ="))
    if rng.random() < 0.2 and any(name == "Upgrade" for name, _value in headers):
        # a backend that switches for a client that has not asked is silent until proxy_read_timeout
        headers.append(("X-Switch", "1"))
        headers.append(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
        headers.append(("Sec-WebSocket-Version", "13"))
    if probe.method in ("POST", "PUT"):
        probe.body = "x" * rng.choice((0, 0, 4, 5, 9))
        headers.append(("Content-Length", str(len(probe.body))))
    return probe
