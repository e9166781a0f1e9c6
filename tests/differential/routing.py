#!/usr/bin/env python3
"""Differential test: random configurations and URLs through real nginx and through ``behaviour()``.

    routing.py [--seed N] [--configs N] [--probes N] [--nginx BINARY]

Runs where nginx is installed (standard library only).  Compares the location that answers, status,
Location, body, guards (401, 403), body limit (413), headers added and hidden, whether an upgrade passes,
and the request that reaches the backend: address, request line, header lines in order.
On a disagreement it prints the smallest configuration and request it finds and exits 1.
"""

# ruff: noqa: UP031  (one format for a whole address or report line)

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, Optional, Sequence, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(os.path.dirname(HERE))]

from routing_configs import FILES, make_site  # noqa: E402
from routing_nginx import Backend, Client, Nginx, Reply, nginx_version  # noqa: E402
from routing_nodes import Node, Renderer  # noqa: E402
from routing_requests import Probe, Vocabulary, make_probe  # noqa: E402

from module_utils.nginx_websocket import codes  # noqa: E402
from module_utils.nginx_websocket.behaviour.behaviour import Behaviour, behaviour  # noqa: E402
from module_utils.nginx_websocket.behaviour.content.files import local_files  # noqa: E402
from module_utils.nginx_websocket.behaviour.content.upstream import Upstream  # noqa: E402
from module_utils.nginx_websocket.behaviour.request import Request  # noqa: E402
from module_utils.nginx_websocket.behaviour.route import Route  # noqa: E402
from module_utils.nginx_websocket.conf.load import load  # noqa: E402

SAFE = (200, 201, 204, 206, 301, 302, 303, 304, 307, 308)
"""Statuses whose answers get ``add_header`` lines without ``always``; 101 is none of them."""
BATCH = 20
VERDICTS: Dict[str, int] = collections.Counter()
FIRST_PORT = 21000
BACKEND_PORT = 20999


class Bench:
    """Everything a run needs: directories, backend, client, version."""

    def __init__(self, binary: str) -> None:
        self.binary = binary
        self.version = nginx_version(binary)
        self.work = tempfile.mkdtemp(prefix="routing-")
        os.chmod(self.work, 0o755)
        self.root = os.path.join(self.work, "root")
        for name in FILES:
            path = os.path.join(self.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("file:" + path)
        with open(os.path.join(self.root, "users"), "w", encoding="utf-8") as file:
            file.write("user:{PLAIN}secret\n")
        self.certs = self._certificate()
        self.backend = Backend(BACKEND_PORT)
        self.client = Client()
        self.starts = 0
        self.kinds: Dict[str, int] = collections.Counter()

    def _certificate(self) -> str:
        """A self-signed certificate; "" where there is no openssl (TLS is then left out)."""
        openssl = shutil.which("openssl")
        if openssl is None:
            return ""
        command = [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test",
        ]
        command += ["-keyout", self.work + "/key.pem", "-out", self.work + "/cert.pem"]
        subprocess.run(command, check=True, capture_output=True)
        return self.work

    def close(self) -> None:
        self.client.close()
        self.backend.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def start(self, sites: Sequence[Site]) -> Tuple[Nginx, str]:
        """Start nginx with these sites; the text says why it did not start."""
        self.client.close()
        self.starts += 1
        text, files = render(sites)
        nginx = Nginx(self.binary, os.path.join(self.work, "run"), self.root, text, files)
        address = ("127.0.0.1", READY_PORT)
        error = nginx.wait(address)
        return nginx, error


READY_PORT = 20998
READY = r"""    server {
        listen 127.0.0.1:%d;
        server_name "~^(?<sub>q)(?<cap>q)$";
        set $v0 ""; set $v1 ""; set $v2 ""; set $v3 "";
        return 404;
    }"""
"""Tells when nginx is up, and defines the variables that a shrunk configuration may have lost."""


class Site:
    """One random configuration and where it listens."""

    def __init__(self, seed: int, place: int, bench: Bench) -> None:
        self.seed = seed
        self.ports = [FIRST_PORT + place * 3, FIRST_PORT + place * 3 + 1]
        tls = bool(bench.certs) and seed % 3 == 0
        self.tls = FIRST_PORT + place * 3 + 2 if tls else 0
        self.nodes = make_site(seed, self.ports, BACKEND_PORT, bench.root, self.tls, bench.certs)

    def with_nodes(self, nodes: List[Node]) -> Site:
        other = Site.__new__(Site)
        other.seed, other.ports, other.tls, other.nodes = self.seed, self.ports, self.tls, nodes
        return other


def render(sites: Sequence[Site]) -> Tuple[str, List[Tuple[str, str]]]:
    """Text of the http block's content and the include files."""
    parts = [READY % READY_PORT]
    files: List[Tuple[str, str]] = []
    for site in sites:
        renderer = Renderer(site.seed)
        parts.append(renderer.text(site.nodes, 1))
        files += renderer.files
    return "\n".join(parts), files


# -- comparison -------------------------------------------------------------------------------------


def request_of(probe: Probe) -> Request:
    """The same request for route()."""
    return Request(
        url="%s://%s:%d/" % ("https" if probe.tls else "http", *probe.address),
        headers=probe.headers,
        address="%s:%d" % probe.address,
        method=probe.method,
        sni=probe.sni or "",
        remote="127.0.0.1",
        target=probe.target.encode("latin-1"),
        exact_headers=True,
        http_version=probe.version,
    )


def expected_mark(found: Route) -> Optional[str]:
    """X-Loc of the level in force."""
    if found.level is None:
        return None
    lines = [line for line in found.level.nearest(b"add_header")[1] if line.args[0] == b"X-Loc"]
    return lines[-1].args[1].decode() if lines else None


def compare(probe: Probe, reply: Reply, told: Behaviour) -> str:
    """ "" when both agree, else what differs."""
    answer, found = told.answer, told.route
    if found.undecided or answer.kind == "undecided":
        return "undecided: %s" % [item.reason for item in found.undecided]
    if answer.kind == "not-listening":
        return "" if reply.status == -1 else "route says nobody listens, nginx answered %d" % reply.status
    if answer.kind == "closed":
        return "" if reply.status == 0 else "route says 444, nginx answered %d" % reply.status
    if reply.status <= 0:
        return "nginx closed or refused (%d), route says %s %d" % (reply.status, answer.kind, answer.status)
    difference = compare_answer_headers(reply, told)
    if difference:
        return difference
    difference = compare_upgrade(probe, reply, told)
    if difference:
        return difference
    mark, expected = reply.headers.get("x-loc"), expected_mark(found)
    if answer.kind != "bad-request" and mark != expected:
        return f"location: nginx {mark!r}, route {expected!r}"
    if answer.kind == "proxy":
        return compare_upstream(probe, reply, found)
    if "x-echo" in reply.headers:
        return "nginx proxied, route says %s %d" % (answer.kind, answer.status)
    partial = answer.kind == "static" and reply.status in (206, 416)
    if answer.status != reply.status and not partial:
        return "status: nginx %d, route %d (%s %s)" % (
            reply.status,
            answer.status,
            answer.kind,
            answer.reason,
        )
    target = None if answer.redirect_target is None else answer.redirect_target.decode("latin-1")
    if (reply.headers.get("location") or None) != (target or None):
        return "Location: nginx {!r}, route {!r}".format(reply.headers.get("location"), target)
    if probe.method == "HEAD":
        return ""
    if (
        answer.kind == "return"
        and answer.text is not None
        and reply.body != answer.text
        and reply.status != 204
    ):
        return f"body: nginx {reply.body!r}, route {answer.text!r}"
    file = "file:" + os.path.normpath(answer.path)
    if answer.kind == "static" and reply.status == 200 and reply.body.decode() != file:
        return f"file: nginx {reply.body!r}, route {answer.path!r}"
    return ""


def compare_answer_headers(reply: Reply, told: Behaviour) -> str:
    """Headers that nginx adds, and those of the backend that it hides."""
    if told.route.level is None:
        return ""
    added: Dict[str, str] = {}
    for line in told.added:
        if line.name.startswith("X-Add") and line.value and (line.always or reply.status in SAFE):
            added[line.name.lower()] = line.value
    seen = {name: value for name, value in reply.headers.items() if name.startswith("x-add")}
    if added != seen:
        return f"added headers: nginx {seen!r}, behaviour {added!r}"
    if "x-echo" not in reply.headers:
        return ""
    for name in ("x-back", "x-other", "x-pad", "server"):
        shown = reply.headers.get(name) not in (None, "nginx") and "nginx/" not in reply.headers[name]
        if shown == (name in told.hidden):
            return f"header {name} of the backend: nginx {reply.headers.get(name)!r}, hidden {told.hidden}"
    return ""


def compare_upgrade(probe: Probe, reply: Reply, told: Behaviour) -> str:
    """Whether the handshake opens, as far as the verdict is sure; the backend accepts any method."""
    if ("X-Switch", "1") not in probe.headers or probe.method != "GET" or told.upgrade is None:
        return ""
    opened = reply.status == 101 and "upgrade" in reply.headers
    survives, code = told.upgrade.survives, told.upgrade.code
    if survives is None or (opened and code == codes.METHOD_CHANGED):
        return ""
    VERDICTS[code or "survives"] += 1
    if opened != survives:
        return f"upgrade: nginx {'opens' if opened else 'does not open'} it, behaviour says {told.upgrade}"
    return ""


def compare_upstream(probe: Probe, reply: Reply, found: Route) -> str:
    """Compare the request that reached the backend."""
    upstream = found.upstream
    assert upstream is not None
    if "x-echo" not in reply.headers:
        return "nginx answered %d by itself, route proxies to %s" % (reply.status, upstream.servers)
    expected_status = found.answer.err_status or (101 if switches(probe, upstream) else 200)
    if reply.status != expected_status:
        return "status: nginx %d, route %d" % (reply.status, expected_status)
    if probe.method == "HEAD":
        return ""
    # a 101 that error_page gives another status to is followed by the end of a body that it is not
    seen, _end = json.JSONDecoder().raw_decode(reply.body.decode())
    address = upstream.servers[0].rpartition(":")[0]
    if seen["address"] != address:
        return "backend: nginx {}, route {}".format(seen["address"], address)
    line = "{} {} HTTP/{}".format(
        upstream.method, (upstream.raw_uri or b"").decode("latin-1"), upstream.version
    )
    if seen["line"] != line:
        return "request line: nginx {!r}, route {!r}".format(seen["line"], line)
    headers = [[header.name, header.value] for header in upstream.headers]
    if seen["headers"] != headers:
        return "headers: nginx {!r}, route {!r}".format(seen["headers"], headers)
    return ""


def switches(probe: Probe, upstream: Upstream) -> bool:
    """Whether the backend answers 101: it does when it is asked and gets all that an upgrade needs."""
    sent = {header.name.lower(): (header.value or "").lower() for header in upstream.headers}
    connection = [part.strip() for part in sent.get("connection", "").split(",")]
    return sent.get("x-switch") == "1" and sent.get("upgrade") == "websocket" and "upgrade" in connection


def check(bench: Bench, probe: Probe, configuration: object) -> str:
    """Send one probe and compare."""
    reply = bench.client.send(probe.address, probe.raw(), probe.method, probe.sni, probe.tls)
    found = behaviour(configuration, request_of(probe), version=bench.version, files=local_files)  # type: ignore
    bench.kinds[found.answer.code or found.answer.kind] += 1
    return compare(probe, reply, found)


# -- the smallest example ---------------------------------------------------------------------------


def disagrees(bench: Bench, site: Site, probe: Probe) -> str:
    """The difference that this configuration alone shows; "" for none or a configuration nginx refuses."""
    nginx, error = bench.start([site])
    try:
        if error:
            return ""
        return check(bench, probe, load(nginx.conf, prefix=nginx.work))
    except Exception as failure:  # a crash of ours is a disagreement too
        return f"behaviour() failed: {failure!r}"
    finally:
        nginx.stop()


def category(difference: str) -> str:
    """Kind of a difference, so that shrinking does not wander off to another one."""
    return difference.split(":")[0].split("(")[0][:40]


def shrink(bench: Bench, site: Site, probe: Probe, limit: float) -> Tuple[Site, Probe, str]:
    """Remove directives and headers while they still disagree."""
    text = disagrees(bench, site, probe)
    kind = category(text)
    deadline = time.monotonic() + limit
    changed = bool(text)
    while changed and time.monotonic() < deadline:
        changed = False
        place = 0
        while time.monotonic() < deadline:
            copy = Node("root", block=[node.copy() for node in site.nodes])
            places = list(copy.walk())
            if place >= len(places):
                break
            block, index = places[place]
            removed = block.pop(index)
            if removed.name == "include" and removed.block is not None:
                block[index:index] = removed.block
            assert copy.block is not None
            candidate = site.with_nodes(copy.block)
            difference = disagrees(bench, candidate, probe)
            if difference and category(difference) == kind:
                site, text, changed = candidate, difference, True
            else:
                place += 1
        for number in range(len(probe.headers) - 1, -1, -1):
            fewer = Probe(**{**vars(probe), "headers": probe.headers[:number] + probe.headers[number + 1 :]})
            difference = disagrees(bench, site, fewer)
            if difference and category(difference) == kind:
                probe, text, changed = fewer, difference, True
    return site, probe, text


def report(bench: Bench, site: Site, probe: Probe, difference: str, limit: float) -> None:
    """Print a disagreement."""
    print("DISAGREEMENT (configuration seed %d): %s" % (site.seed, difference))
    small, request, text = shrink(bench, site, probe, limit)
    content, files = render([small])
    print(f"\nsmallest configuration:\n{content}")
    for name, body in files:
        print(f"# {name}\n{body}")
    print(f"\nrequest to {request.describe()}")
    print("difference: %s" % (text or "gone when the configuration stands alone; " + difference))


# -- main -------------------------------------------------------------------------------------------


def run_batch(
    bench: Bench, sites: List[Site], probes: int, seed: int, tally: Dict[str, int]
) -> Optional[Tuple[Site, Probe, str]]:
    """Probe a batch of configurations in one nginx; the first disagreement."""
    nginx, error = bench.start(sites)
    if error:
        nginx.stop()
        if len(sites) == 1:
            tally["refused"] += 1
            if os.environ.get("ROUTING_VERBOSE"):
                print("seed %d refused: %s" % (sites[0].seed, error))
            return None
        half = len(sites) // 2
        return run_batch(bench, sites[:half], probes, seed, tally) or run_batch(
            bench, sites[half:], probes, seed, tally
        )
    try:
        configuration = load(nginx.conf, prefix=nginx.work)
        for site in sites:
            rng = random.Random(seed * 1000003 + site.seed)
            words = Vocabulary(site.nodes, site.ports)
            for _index in range(probes):
                probe = make_probe(rng, site.ports, site.tls, words)
                try:
                    difference = check(bench, probe, configuration)
                except Exception as failure:
                    difference = f"behaviour() failed: {failure!r}"
                tally["probes"] += 1
                if difference:
                    return site, probe, difference
            tally["configurations"] += 1
    finally:
        nginx.stop()
    return None


def main() -> int:
    """Run; exit status 1 on a disagreement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--configs", type=int, default=200)
    parser.add_argument("--probes", type=int, default=100, help="requests a configuration")
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--shrink-seconds", type=float, default=60.0)
    options = parser.parse_args()
    bench = Bench(options.nginx)
    tally = {"probes": 0, "configurations": 0, "refused": 0}
    started = time.monotonic()
    try:
        for first in range(0, options.configs, BATCH):
            count = min(BATCH, options.configs - first)
            sites = [Site(options.seed * 1000000 + first + n, n, bench) for n in range(count)]
            failure = run_batch(bench, sites, options.probes, options.seed, tally)
            if failure is not None:
                report(bench, *failure, options.shrink_seconds)
                return 1
    finally:
        bench.close()
    seconds = time.monotonic() - started
    print(
        "nginx %s: %d probes, %d configurations, %d refused by nginx, no disagreement, %.0f s (seed %d)"
        % (".".join(map(str, bench.version)), *tally.values(), seconds, options.seed)
    )
    print(
        "answers: "
        + ", ".join("%s %d" % item for item in sorted(bench.kinds.items(), key=lambda item: -item[1]))
    )
    print("upgrades: " + ", ".join("%s %d" % item for item in sorted(VERDICTS.items(), key=lambda i: -i[1])))
    if tally["refused"] * 20 > options.configs:
        print("too many configurations were refused: the generator makes invalid ones")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
