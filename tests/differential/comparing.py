#!/usr/bin/env python3
"""Differential test of the comparison: pairs of random trees, each request sent to both real nginxes.

    comparing.py [--seed N] [--pairs N] [--probes N] [--nginx BINARY]

Runs where nginx is installed (standard library only).  Where status, Location, body, the added headers, the
request that the backend got or the upgrade differ, the comparison must have said so; where it said that the
two are the same, they must be.  On a disagreement it prints the pair with as few directives as it finds.
"""

# ruff: noqa: UP031  (one format for a whole address or report line)

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import subprocess
import sys
import time
from typing import Dict, List, Optional, Sequence, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(os.path.dirname(HERE))]

from routing import BATCH, Bench, Site, render, request_of  # noqa: E402
from routing_nginx import HEAD, Reply  # noqa: E402
from routing_nodes import Node  # noqa: E402
from routing_requests import Probe, Vocabulary, make_probe  # noqa: E402

from module_utils.nginx_websocket.behaviour.behaviour import Behaviour, behaviour  # noqa: E402
from module_utils.nginx_websocket.behaviour.content.files import local_files  # noqa: E402
from module_utils.nginx_websocket.compare.parting.partings import Pair, partings  # noqa: E402
from module_utils.nginx_websocket.conf.load import load  # noqa: E402
from module_utils.nginx_websocket.conf.tree import Configuration  # noqa: E402

_OF_THE_HOP = ("connection", "upgrade")

# -- pairs ------------------------------------------------------------------------------------------


def mutated(site: Site, other: Site, rng: random.Random) -> Site:
    """The same site with some things changed: taken out, doubled from another site, or replaced."""
    root = Node("root", block=[node.copy() for node in site.nodes])
    theirs = Node("root", block=[node.copy() for node in other.nodes])
    for _number in range(rng.choice((1, 2, 4, 8, 16))):
        places = [place for place in root.walk() if _changeable(place[0][place[1]])]
        foreign = [block[index] for block, index in theirs.walk() if _changeable(block[index])]
        if not places:
            break
        block, index = rng.choice(places)
        alike = [node for node in foreign if node.name == block[index].name]
        roll = rng.random()
        if roll < 0.4:
            del block[index]
        elif roll < 0.75 and alike:
            block[index] = rng.choice(alike).copy()
        elif alike:
            block.insert(rng.randint(0, len(block)), rng.choice(alike).copy())
    assert root.block is not None
    return site.with_nodes(root.block)


def _changeable(node: Node) -> bool:
    return node.name not in ("listen", "ssl_certificate", "ssl_certificate_key", "include")


def accepted(bench: Bench, site: Site) -> bool:
    """Whether nginx takes a site."""
    work = os.path.join(bench.work, "test")
    os.makedirs(work, exist_ok=True)
    text, files = render([site])
    for name, content in files:
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(content + "\n")
    path = os.path.join(work, "nginx.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD.format(work=work, root=bench.root) + text + "\n}\n")
    command = [bench.binary, "-t", "-q", "-p", work, "-c", path]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


# -- what was seen, and what was said ---------------------------------------------------------------


def seen(probe: Probe, reply: Reply) -> Tuple[object, ...]:
    """All of an answer that a user or the backend could tell from another."""
    added = {
        name: value for name, value in reply.headers.items() if name.startswith("x-add") or name == "x-loc"
    }
    kept = {name: reply.headers.get(name) for name in ("x-back", "x-other", "x-pad")}
    if "x-echo" not in reply.headers:
        body: object = reply.body if reply.status < 300 else b""
        if reply.status >= 300 and b"<center>nginx" not in reply.body:
            body = reply.body
        return reply.status, reply.headers.get("location"), body, tuple(sorted(added.items()))
    # Behind an upgrade the backend may answer what came in the same packet, too.
    text = reply.body.decode()
    asked = json.JSONDecoder().raw_decode(text)[0] if text else {"address": "", "line": "", "headers": []}
    headers = sorted(
        (name.lower(), value) for name, value in asked["headers"] if name.lower() not in _OF_THE_HOP
    )
    return (
        reply.status,
        asked["address"],
        asked["line"],
        tuple(headers),
        tuple(sorted(added.items())),
        tuple(sorted((name, value or "") for name, value in kept.items())),
    )


Told = Tuple[Behaviour, Behaviour]
"""As if every guard let the request pass, and as it is."""


def told(bench: Bench, tree: Configuration, probe: Probe) -> Told:
    """What the engine says of a request."""
    asked = request_of(probe)
    through, plain = (
        behaviour(tree, asked, version=bench.version, files=local_files, admitted=admitted)
        for admitted in (True, False)
    )
    return through, plain


def said(before: Told, after: Told, probe: Probe) -> List[str]:
    """The kinds of difference that the comparison names."""
    refuses = any(guard.passes is False for one in (before[0], after[0]) for guard in one.guards)
    pair = Pair(
        before[0],
        after[0],
        end=after[0],
        handshake=before[0].route.request.websocket,
        method=probe.method,
        shut=(before[1], after[1]) if refuses else None,
    )
    return [parting.kind for parting in partings(pair)]


# -- runs -------------------------------------------------------------------------------------------


def visit(
    bench: Bench, sites: Sequence[Site], asks: Sequence[Tuple[int, Probe]]
) -> Tuple[List[Tuple[Tuple[object, ...], Told]], str]:
    """Send requests to one tree; what was seen and what is told, or why nginx did not start."""
    nginx, error = bench.start(sites)
    try:
        if error:
            return [], error
        tree = load(nginx.conf, prefix=nginx.work)
        found = []
        for _site, probe in asks:
            reply = bench.client.send(probe.address, probe.raw(), probe.method, probe.sni, probe.tls)
            found.append((seen(probe, reply), told(bench, tree, probe)))
        if nginx.process.poll() is not None:
            return [], "nginx ended while it was asked"
        return found, ""
    finally:
        nginx.stop()


Failure = Tuple[Site, Site, Probe, str]


def disagreement(
    probe: Probe,
    one: Tuple[Tuple[object, ...], Told],
    other: Tuple[Tuple[object, ...], Told],
    tally: Dict[str, int],
) -> str:
    """ "" where the comparison said what was seen."""
    kinds_of_answer = {one[1][0].answer.kind, other[1][0].answer.kind}
    if "bad-request" in kinds_of_answer or kinds_of_answer == {"plain-http-to-tls-port"}:
        return ""  # no browser sends it, and which server's page says so is nobody's concern
    differs = one[0] != other[0]
    try:
        kinds = said(one[1], other[1], probe)
    except Exception as failure:  # a crash of ours is a disagreement too
        return f"the comparison failed: {failure!r}"
    tally["requests"] += 1
    tally["differ"] += differs
    tally["said"] += bool(kinds)
    tally["unknown"] += "unknown" in kinds
    for kind in set(kinds):
        tally[f"kind {kind}"] += 1
    if differs and not kinds:
        return f"nginx answered {one[0]!r}, then {other[0]!r}; the comparison says that nothing differs"
    return ""


def run_batch(
    bench: Bench, seed: int, first: int, count: int, probes: int, tally: Dict[str, int]
) -> Optional[Failure]:
    """Some pairs in two runs of nginx; the first disagreement."""
    pairs: List[Tuple[Site, Site]] = []
    for number in range(count):
        rng = random.Random(seed * 7919 + first + number)
        one = Site(seed * 1000000 + first + number, number, bench)
        other = Site(seed * 1000000 + 500000 + first + number, number, bench)
        if not accepted(bench, one):
            tally["refused"] += 1
            continue
        for _attempt in range(4):
            two = mutated(one, other, rng)
            if accepted(bench, two):
                pairs.append((one, two))
                break
        else:
            tally["refused"] += 1
    asks: List[Tuple[int, Probe]] = []
    for place, (one, _two) in enumerate(pairs):
        rng = random.Random(seed * 1000003 + one.seed)
        words = Vocabulary(one.nodes, one.ports)
        asks += [(place, make_probe(rng, one.ports, one.tls, words)) for _index in range(probes)]
    before, error = visit(bench, [one for one, _two in pairs], asks)
    after, other_error = visit(bench, [two for _one, two in pairs], asks)
    if error or other_error:
        tally["batches refused"] += 1
        return None
    tally["pairs"] += len(pairs)
    for (place, probe), was, now in zip(asks, before, after):
        text = disagreement(probe, was, now, tally)
        if text:
            return (*pairs[place], probe, text)
    return None


def still(bench: Bench, one: Site, two: Site, probe: Probe) -> str:
    """The disagreement that a pair alone shows."""
    if not (accepted(bench, one) and accepted(bench, two)):
        return ""
    before, error = visit(bench, [one], [(0, probe)])
    after, other_error = visit(bench, [two], [(0, probe)])
    if error or other_error:
        return ""
    return disagreement(probe, before[0], after[0], collections.Counter())


def report(bench: Bench, failure: Failure, limit: float) -> None:
    """Print a disagreement, as small as it gets within some seconds."""
    one, two, probe, text = failure
    print("DISAGREEMENT (seed %d): %s" % (one.seed, text))
    deadline = time.monotonic() + limit
    changed = True
    while changed and time.monotonic() < deadline:
        changed = False
        for side in (0, 1):
            place = 0
            while time.monotonic() < deadline:
                sites = [one, two]
                copy = Node("root", block=[node.copy() for node in sites[side].nodes])
                places = list(copy.walk())
                if place >= len(places):
                    break
                block, index = places[place]
                gone = block.pop(index)
                # The same line goes from the other side as well, where it stands there.
                mate = Node("root", block=[node.copy() for node in sites[1 - side].nodes])
                twin = next(((b, i) for b, i in mate.walk() if _same(b[i], gone)), None)
                if twin is not None:
                    twin[0].pop(twin[1])
                assert copy.block is not None and mate.block is not None
                sites[side], sites[1 - side] = sites[side].with_nodes(copy.block), one.with_nodes(mate.block)
                found = still(bench, *sites, probe)
                if found:
                    (one, two), text, changed = sites, found, True
                else:
                    place += 1
    for title, site in (("before", one), ("after", two)):
        content, files = render([site])
        print(f"\n{title}:\n{content}")
        for name, body in files:
            print(f"# {name}\n{body}")
    print(f"\nrequest to {probe.describe()}\n{text}")


def _same(one: Node, other: Node) -> bool:
    return (one.name, one.args, one.raw) == (other.name, other.args, other.raw) and (
        len(one.block or ()) == len(other.block or ())
    )


def main() -> int:
    """Run; exit status 1 on a disagreement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=125, help="pairs of trees")
    parser.add_argument("--probes", type=int, default=40, help="requests a pair")
    parser.add_argument("--nginx", default="/usr/sbin/nginx")
    parser.add_argument("--shrink-seconds", type=float, default=60.0)
    options = parser.parse_args()
    bench = Bench(options.nginx)
    tally: Dict[str, int] = collections.Counter()
    started = time.monotonic()
    try:
        for first in range(0, options.pairs, BATCH):
            count = min(BATCH, options.pairs - first)
            failure = run_batch(bench, options.seed, first, count, options.probes, tally)
            if failure is not None:
                report(bench, failure, options.shrink_seconds)
                return 1
    finally:
        bench.close()
    kinds = ", ".join(
        f"{name[5:]} {count}" for name, count in sorted(tally.items()) if name.startswith("kind ")
    )
    print(
        "nginx %s: %d requests of %d pairs, %d answered differently, %d said to differ (%d unknown), "
        "%d pairs refused by nginx, %d batches in which nginx ended by itself, no difference in silence, "
        "%.0f s (seed %d)"
        % (
            ".".join(map(str, bench.version)),
            tally["requests"],
            tally["pairs"],
            tally["differ"],
            tally["said"],
            tally["unknown"],
            tally["refused"],
            tally["batches refused"],
            time.monotonic() - started,
            options.seed,
        )
    )
    print("kinds:", kinds)
    return int(tally["pairs"] * 2 < options.pairs)


if __name__ == "__main__":
    sys.exit(main())
