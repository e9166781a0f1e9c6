#!/usr/bin/env python3
"""Takeovers of the corpus on real nginx: both trees are run, each request is sent to both.

    taking_over.py SITES.json [--nginx BINARY] [--only WORD]

Runs as root in a container of its own where nginx is installed (standard library only): it writes below /srv
and /etc.  SITES.json is what ``tests/corpus/written.py`` makes.  Where status, headers or body of the answer,
the request that the backend got or the upgrade differ, the comparison, asked of both trees alone and with
requests of its own, must have told it.
"""

# ruff: noqa: UP031  (one format for a whole line)

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import contextlib
import json
import multiprocessing
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List, Sequence, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(os.path.dirname(HERE))]

from routing_nginx import nginx_version  # noqa: E402

from module_utils.nginx_websocket.behaviour.behaviour import behaviour  # noqa: E402
from module_utils.nginx_websocket.behaviour.content.files import local_files  # noqa: E402
from module_utils.nginx_websocket.behaviour.request import Request  # noqa: E402
from module_utils.nginx_websocket.behaviour.secret_values import head  # noqa: E402
from module_utils.nginx_websocket.compare.comparing import World, compare  # noqa: E402
from module_utils.nginx_websocket.compare.differences import LOSS, Comparison, Parting, other_way  # noqa: E402
from module_utils.nginx_websocket.compare.parting.partings import Pair, partings  # noqa: E402
from module_utils.nginx_websocket.conf.load import load  # noqa: E402

WORK = "/tmp/taking-over"
HEAD = """daemon off; master_process off; pid %s/nginx.pid; error_log %s/error.log;
events { worker_connections 256; }
http { include /etc/nginx/mime.types; default_type application/octet-stream; access_log off; sendfile on;
server_names_hash_bucket_size 128; keepalive_timeout 0;
include %s/site.conf; }
"""
CLIENT = "127.0.0.2"
_NOT_SEEN = frozenset(("date", "etag", "last-modified", "connection", "content-length", "accept-ranges"))


# -- backends ---------------------------------------------------------------------------------------


class _Http(asyncio.Protocol):
    """Tells what it was asked for; paths that begin with a word of its own get other answers."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.data = b""
        self.port = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line]
        low = {one[0].lower(): one[-1] for one in headers}
        if not end or len(body) < int(low.get("content-length", 0)):
            return
        path = lines[0].split(" ")[1]
        told = json.dumps({"backend": self.port, "line": lines[0], "headers": sorted(headers)}).encode()
        more = "X-Other: 2\r\nServer: backend\r\nSet-Cookie: s=1; Path=/\r\n"
        status = "200 OK"
        if low.get("upgrade") == "websocket" and "upgrade" in low.get("connection", "").lower():
            status, more = "101 Switching Protocols", more + "Upgrade: websocket\r\nConnection: upgrade\r\n"
        elif path.startswith("/status/"):
            status = path[8:11] + " Said"
        elif path.endswith("/redirect"):
            status, more = "302 Found", more + "Location: http://backend/there\r\n"
        elif path == "/accel":
            more += "X-Accel-Redirect: /files/x\r\n"
        length = "" if status.startswith("101") else "Content-Length: %d\r\nConnection: close\r\n" % len(told)
        kind = "Content-Type: application/json\r\nX-Told: 1\r\n"
        self.transport.write(("HTTP/1.1 %s\r\n%s%s%s\r\n" % (status, kind, more, length)).encode() + told)
        self.transport.close()


class _Fastcgi(asyncio.Protocol):
    """Tells the parameters that it got."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.data = self.parameters = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while len(self.data) >= 8:
            kind, length, padding = self.data[1], int.from_bytes(self.data[4:6], "big"), self.data[6]
            if len(self.data) < 8 + length + padding:
                return
            content, self.data = self.data[8 : 8 + length], self.data[8 + length + padding :]
            if kind == 4:
                self.parameters += content
            elif kind == 5 and not length:
                self._answer()

    def _answer(self) -> None:
        found, rest = [], self.parameters
        while rest:
            sizes = []
            for _each in range(2):
                long = rest[0] & 0x80
                sizes.append(int.from_bytes(rest[: 4 if long else 1], "big") & (0x7FFFFFFF if long else 0x7F))
                rest = rest[4 if long else 1 :]
            found.append((rest[: sizes[0]].decode(), rest[sizes[0] : sum(sizes)].decode()))
            rest = rest[sum(sizes) :]
        told = [pair for pair in sorted(found) if pair[0] not in ("REMOTE_PORT", "REDIRECT_STATUS")]
        body = b"Content-Type: text/html\r\nX-Told: 1\r\n\r\n" + json.dumps(told).encode()
        out = b"\x01\x06\x00\x01" + len(body).to_bytes(2, "big") + b"\x00\x00" + body
        self.transport.write(
            out + b"\x01\x06\x00\x01\x00\x00\x00\x00" + b"\x01\x03\x00\x01\x00\x08\x00\x00" + bytes(8)
        )
        self.transport.close()


def _serve(ports: List[int], ready: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for port in ports:
            await loop.create_server(_Http, "127.0.0.1", port)
        os.makedirs("/run/php", exist_ok=True)
        await loop.create_unix_server(_Fastcgi, "/run/php/php-fpm.sock")
        os.chmod("/run/php/php-fpm.sock", 0o666)
        ready.set()
        await asyncio.Event().wait()

    asyncio.run(main())


# -- asking -----------------------------------------------------------------------------------------


class Asked:
    """One request as the corpus writes it: ``POST:``, ``ws:``, ``s:``, ``auth:``, ``header:N=V:`` …

    ``from:ADDRESS:`` is the client's address; the file of ``touch:PATH:`` is there while the request is sent.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text, self.method, self.headers, self.tls, self.port, host = text, "GET", [], False, 80, name
        self.client, self.touch, self.version = CLIENT, "", "1.1"
        while not re.match(r"/|:\d+/", text):
            word, _colon, rest = text.partition(":")
            if word == "ws":
                self.headers += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]  # fmt: skip
            elif word == "s":
                self.tls, self.port = True, 443
            elif word == "auth":
                self.headers.append("Authorization: Basic " + base64.b64encode(b"u:p").decode())
            elif word == "header":
                line, rest = re.match(r"(.*?):(/.*)", rest).groups()  # type: ignore[union-attr]
                self.headers.append(line.replace("=", ": ", 1))
            elif word == "from":
                self.client, _colon, rest = rest.partition(":")
            elif word == "touch":
                self.touch, _colon, rest = rest.partition(":")
            elif word == "http10":
                self.version = "1.0"
            elif word == "host":
                host, rest = rest.partition("/")[0], "/" + rest.partition("/")[2]
            else:
                self.method = word
            text = rest
        if text.startswith(":"):
            self.port, text = int(text[1:].partition("/")[0]), "/" + text.partition("/")[2]
        self.path = text
        body = b"0123456789" * 2 if self.method in ("POST", "PUT") else b""
        lines = ["%s %s HTTP/%s" % (self.method, text, self.version), "Host: " + host, *self.headers]
        if "Upgrade: websocket" not in self.headers:
            lines.append("Connection: close")
        if body:
            lines.append("Content-Length: %d" % len(body))
        self.host, self.raw = host, ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    @contextlib.contextmanager
    def file(self) -> Iterator[None]:
        """While the file that it wants is there."""
        if self.touch:
            write(self.touch, "")
        try:
            yield
        finally:
            if self.touch:
                os.unlink(self.touch)


def seen(asked: Asked) -> Tuple[Any, ...]:
    """Status, headers and body; what the backend got, where it was asked."""
    try:
        connection = socket.create_connection(("127.0.0.1", asked.port), 5, source_address=(asked.client, 0))
    except OSError:
        return ("nobody listens",)
    data, spoken = b"", []
    try:
        if asked.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = context.wrap_socket(connection, server_hostname=asked.host)
            spoken = ["TLS: %s %s" % (connection.version(), connection.cipher()[0])]  # type: ignore[attr-defined]
        connection.sendall(asked.raw)
        while True:
            part = connection.recv(65536)
            if not part:
                break
            data += part
    except OSError:
        pass
    finally:
        connection.close()
    if not data:
        return ("closed",)
    head, _end, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = sorted(line for line in lines[1:] if line.partition(":")[0].lower() not in _NOT_SEEN) + spoken
    if any(line.startswith("X-Told") for line in headers) and b"{" in body:
        text = re.sub(rb"(?m)^[0-9a-f]+\r\n|\r\n", b"", body)
        start, end = text.find(b"{"), text.rfind(b"}") + 1
        try:
            got = json.loads(text[start:end])
            got["headers"] = [
                one for one in got["headers"] if one[0].lower() not in ("connection", "upgrade")
            ]
            body = json.dumps(got).encode()
        except ValueError:
            pass
    return lines[0].split(" ")[1], tuple(headers), body


# -- trees ------------------------------------------------------------------------------------------


def write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def prepare() -> None:
    """Certificates, a password file, what certbot leaves."""
    pair = ["-keyout", WORK + "/k.pem", "-out", WORK + "/c.pem", "-subj", "/CN=a.test", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *pair]
    subprocess.run(command, check=True, capture_output=True)
    write("/etc/nginx/users", "u:{PLAIN}p\n")
    write(WORK + "/empty.conf", "")
    for which in ("before", "after"):
        for name in ("fastcgi.conf", "fastcgi_params"):
            with open("/etc/nginx/" + name, encoding="utf-8") as file:
                write("%s/%s/%s" % (WORK, which, name), file.read())


def here(text: str) -> str:
    """The text with certificates that exist, and what certbot would have left taken out."""
    text = re.sub(r"ssl_certificate [^;]+;", "ssl_certificate %s/c.pem;" % WORK, text)
    text = re.sub(r"ssl_certificate_key [^;]+;", "ssl_certificate_key %s/k.pem;" % WORK, text)
    text = re.sub(r"ssl_dhparam [^;]+;", "", text)
    return re.sub(r"include /etc/letsencrypt/[^;]+;", "include %s/empty.conf;" % WORK, text)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Tree:
    """One tree on the disk and the nginx that runs it."""

    def __init__(self, which: str, text: str, binary: str) -> None:
        self.directory = "%s/%s" % (WORK, which)
        write(self.directory + "/site.conf", here(text) + "\n")
        write(self.directory + "/nginx.conf", HEAD % ((self.directory,) * 3))
        self.binary = binary
        self.configuration = load(self.directory + "/nginx.conf", prefix=self.directory)

    def answers(self, wanted: List[Asked]) -> List[Tuple[Any, ...]]:
        """Run nginx, and ask."""
        command = [self.binary, "-p", self.directory, "-c", self.directory + "/nginx.conf"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                while not any(map(_listens, (80, 443, 8080))):
                    if process.poll() is not None:
                        raise RuntimeError((process.stderr.read() if process.stderr else "")[-2000:])
                    time.sleep(0.01)  # polling a condition: a port
                found = []
                for one in wanted:
                    with one.file():
                        found.append(seen(one))
                return found
            finally:
                process.kill()


def parted(
    before: Tree, after: Tree, asked: Asked, version: Tuple[int, ...]
) -> Tuple[List[Parting], List[str]]:
    """Where the engine says that one request parts, and the conditions of the live tree that held for it."""
    headers = [tuple(line.split(": ", 1)) for line in asked.headers]
    shown = "" if asked.port in (80, 443) else ":%d" % asked.port
    request = Request(
        "%s://%s%s%s" % ("https" if asked.tls else "http", asked.host, shown, asked.path),
        headers=headers,  # type: ignore[arg-type]
        address="127.0.0.1:%d" % asked.port,
        method=asked.method,
        remote=asked.client,
        http_version=asked.version,
    )
    with asked.file():
        through, plain = (
            [
                behaviour(tree.configuration, request, version=version, files=local_files, admitted=admitted)
                for tree in (before, after)
            ]
            for admitted in (True, False)
        )
    pair = Pair(*through, end=through[1], handshake=request.websocket, method=asked.method, shut=tuple(plain))  # type: ignore[arg-type]
    held = [head(step.directive) for step in through[0].route.steps if step.result and step.directive]
    return partings(pair), held


def _path(example: str) -> str:
    url = example.rpartition(" ")[2]
    return "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]


def silent(
    asked: Asked,
    answers: Sequence[Tuple[Any, ...]],
    parted_at: Tuple[List[Parting], List[str]],
    found: Comparison,
) -> str:
    """ "" where all that differs for a request is told by a comparison that knows nothing of it."""
    parts, held = parted_at
    if not parts:
        return "the engine says that nothing differs"
    path = asked.path.partition("?")[0]
    path = {"/accel": "/files/x"}.get(path, path)  # what the backend names stands for the path

    def same(one: Parting, other: Parting) -> bool:
        lines = (one.was_at, one.now_at) == (other.was_at, other.now_at) and one.name == other.name
        return lines or (one.name, one.was, one.now) == (other.name, other.was, other.now)

    known = [one.parting for one in found.differences]
    if any(one.name == "if" and one.was.startswith(text) for one in known for text in held):
        return ""  # a condition is told by itself, whoever it holds for
    if any(one.name.startswith("$") for one in known):
        return ""  # and so is a map
    away = any(map(other_way, parts))
    here = [
        one
        for one in found.differences
        if other_way(one.parting) or not away
        for example in one.examples
        if _path(example) == path
    ]
    if not here and not any(
        same(one, other) for one in parts for other in known if other_way(one) or not away
    ):
        return "the comparison found nothing of the kind: %s" % [(p.kind, p.was, p.now) for p in parts]
    if away:
        return ""
    names = {one.name.lower() for one in parts}
    if any(name.startswith("ssl_") for name in names):
        names.add("tls")
    before, after = answers
    if _answer(before) != _answer(after) and not any(map(_another_answer, parts)):
        return "nothing speaks of another answer: %s" % [(p.kind, p.was, p.now) for p in parts]
    missing = set()
    if len(before) > 1 and len(after) > 1:
        lines = {line.partition(":")[0].lower() for line in set(before[1]) ^ set(after[1])}
        told_by = {"expires": "cache-control", "server_tokens": "server"}
        names |= {told_by[name] for name in names if name in told_by}
        missing = {line for line in lines if line not in names and (line == "tls" or not _set(parts))}
        try:
            got = [json.loads(one[2])["headers"] for one in answers]
            pairs = [{tuple(line) for line in one} for one in got]
            missing |= {name.lower() for name, _value in pairs[0] ^ pairs[1]} - names
        except (ValueError, TypeError, KeyError):
            pass
    return (
        "nothing speaks of %s: %s" % (sorted(missing), [(p.kind, p.was, p.now) for p in parts])
        if missing
        else ""
    )


_SAME_ANSWER = frozenset(("proxy_http_version", "gzip", "access_log", "error_log"))


def _another_answer(part: Parting) -> bool:
    """Whether what is told may change status, content or backend of an answer."""
    return part.kind not in ("headers", "backend-headers", "logs") and part.name not in _SAME_ANSWER


def _set(parts: List[Parting]) -> bool:
    """Whether a directive is told whose header has another name."""
    return any(one.kind in ("settings", "status", "less") for one in parts)


def _answer(answer: Tuple[Any, ...]) -> Tuple[Any, ...]:
    """Status and content, and the backend and path that were asked, without any header."""
    try:
        got = json.loads(answer[2])
        return answer[0], got["backend"], got["line"].rpartition(" ")[0]
    except (IndexError, ValueError, TypeError, KeyError):
        return (answer[0], *answer[2:])


def judged(site: Dict[str, Any], binary: str, version: Tuple[int, ...]) -> Tuple[List[str], Dict[str, int]]:
    """The silent differences of one site, and how many requests were the same, told and of how many kinds."""
    for name in site["files"]:
        write(name, "content of %s\n" % name)
        os.chmod(name, 0o644)
    trees = [Tree("before", site["live"], binary), Tree("after", site["staged"], binary)]
    wanted = [Asked(text, site["name"]) for text in site["asked"]]
    answers = [tree.answers(wanted) for tree in trees]
    for name in site["files"]:
        write(name, "content of %s\n" % name)
    world = World(read_logs=False, seconds=30)
    found = compare(trees[0].configuration, trees[1].configuration, version=version, world=world)
    failures, tally = [], {"asked": len(wanted), "same": 0, "refused": int(bool(found.of(LOSS)))}
    for asked, *both in zip(wanted, *answers):
        tally["same"] += _answer(both[0]) == _answer(both[1])
        if both[0] == both[1]:
            continue
        why = silent(asked, both, parted(*trees, asked, version), found)
        if why:
            failures.append("%s: %s: %r, then %r: %s" % (site["title"], asked.text, *both, why))
    return failures, tally


def main() -> int:
    """Run; exit status 1 where something differs in silence."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("sites")
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    prepare()
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    ports = [3000, 3001, 8000, 8001, 8002, 9000, 9100]
    backends = context.Process(target=_serve, args=(ports, ready), daemon=True)
    backends.start()
    ready.wait(20)
    version = nginx_version(options.nginx)
    with open(options.sites, encoding="utf-8") as file:
        sites = [site for site in json.load(file) if options.only in site["title"]]
    failures: List[str] = []
    total = collections.Counter()  # type: ignore[var-annotated]
    for site in sites:
        try:
            found, tally = judged(site, options.nginx, version)
        except (RuntimeError, OSError) as failure:
            # Of a module or a version that this nginx is not; the newer ones are asked of newer images.
            left_out = "unknown directive" in str(failure)
            found, tally = ([] if left_out else ["%s: %s" % (site["title"], failure)]), {"left out": left_out}
        failures += found
        total.update(tally)
        tally = {name: int(count) for name, count in tally.items()}
        print("%-50s %s%s" % (site["title"], tally, " FAILED" if found else ""), flush=True)
    for failure in failures:
        print("SILENT", failure)
    print(
        "nginx %s: %d sites, %d requests, %d the same after the takeover, %d takeovers refused, "
        "%d sites that this nginx does not know, %d silent"
        % (
            ".".join(map(str, version)),
            len(sites),
            total["asked"],
            total["same"],
            total["refused"],
            total["left out"],
            len(failures),
        )
    )
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
