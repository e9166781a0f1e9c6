"""Takeovers of hand-written sites: no request changes in silence.

What becomes of each request that users make is asked of both trees by itself.  Where it differs, the
comparison, which knows nothing of the list, must have found that very difference by requests of its own.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Dict, Tuple

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import Behaviour, behaviour
from module_utils.nginx_websocket.behaviour.content.files import local_files
from module_utils.nginx_websocket.behaviour.request import HANDSHAKE, Request
from module_utils.nginx_websocket.compare.comparing import World, compare
from module_utils.nginx_websocket.compare.differences import LOSS
from module_utils.nginx_websocket.compare.requests.variants import REMOTE
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import Configuration
from tests.corpus.further_sites import FURTHER
from tests.corpus.more_sites import MORE
from tests.corpus.sites import NAME, SITES, Live, servers
from tests.corpus.switched_sites import SWITCHED
from tests.unit.compare.trees import PHP, SNIPPET
from tests.unit.role.rendering import rendered

VERSION = (1, 22, 1)
MAIN, FILE = "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf"


def tree(text: str) -> Configuration:
    made: Dict[str, bytes] = {
        MAIN: b"events {} http { include %s; }" % FILE.encode(),
        FILE: text.encode(),
        SNIPPET: PHP,
        "/etc/letsencrypt/options-ssl-nginx.conf": b"",
    }
    return load(MAIN, prefix="/usr/share/nginx", read=made.__getitem__, glob=lambda pattern: [pattern])


def trees(site: Live, base: Path) -> Tuple[Configuration, Configuration]:
    """Both trees, with the site's files below a directory of their own."""
    for name in site.files:
        path = base / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    text = servers(site)
    variables = json.loads(json.dumps(site.variables).replace("/srv/", f"{base}/srv/"))
    staged = rendered({"name": NAME, **variables})[0].replace("@RELEASE@", "abc")
    return tree(text.replace("/srv/", f"{base}/srv/")), tree(staged)


WORLD = World(read_logs=False, seconds=60)
REFUSED = {
    "one proxy": False,
    "a page and an API": False,
    "one proxy that upgrades everything": True,
    "an API whose prefix is stripped": True,
    "a password before a named location": True,
    "addresses before a named location": True,
    "PHP with Debian's snippet": True,
    "statics by alias": True,
    "a directory with an index": True,
    "nested locations": True,
    "an application in a subfolder": True,
    "a subrequest that decides": True,
    "closed paths": True,
}
"""Whether a takeover is refused, of some."""
NAMED = {
    "PHP with Debian's snippet": {"source-served", "guard-lost"},
    "PHP in a subdirectory of a page": {"elsewhere", "file-lost"},
    "a rewrite to a controller": {"path-changed"},
    "methods apart": {"guard-lost"},
    "closed paths": {"opened"},
    "a map of backends": {"backend-moved"},
    "headers of its own": {"headers", "backend-headers"},
    "streams without buffers": {"less"},
    "error pages of its own": {"settings"},
    "redirect to HTTPS": {"redirect-lost"},
}
"""Kinds that must be among what is said, of some."""


def request(asked: str) -> Request:
    method, headers, scheme, host, port, remote, version = "GET", [], "http", NAME, 80, REMOTE, "1.1"
    while not re.match(r"/|:\d+/", asked):
        word, _colon, rest = asked.partition(":")
        if word == "auth":
            headers.append(("Authorization", "Basic dTpw"))
        elif word == "header":
            line, _colon, rest = rest.partition(":/")
            name, _equals, value = line.partition("=")
            headers.append((name, value))
            rest = "/" + rest
        elif word == "ws":
            headers += HANDSHAKE
        elif word == "s":
            scheme, port = "https", 443
        elif word == "from":
            remote, _colon, rest = rest.partition(":")
        elif word == "http10":
            version = "1.0"
        elif word == "host":
            host, _slash, rest = rest.partition("/")
            rest = "/" + rest
        else:
            assert word.isupper(), asked
            method = word
        asked = rest
    if asked.startswith(":"):
        port, asked = int(asked[1:].partition("/")[0]), "/" + asked.partition("/")[2]
    shown = "" if port in (80, 443) else f":{port}"
    return Request(
        f"{scheme}://{host}{shown}{asked}",
        headers=headers,
        address=f"127.0.0.1:{port}",
        method=method,
        remote=remote,
        http_version=version,
    )


def outcome(found: Behaviour) -> Tuple[object, ...]:
    """What a user or the backend could tell from another outcome."""
    answer, up, gate = found.answer, found.upstream, found.gateway
    return (
        answer.kind,
        answer.status,
        answer.redirect_target,
        answer.path if answer.kind == "static" else "",
        answer.text,
        (sorted(up.servers), up.method, up.uri) if up is not None else (),
        (gate.protocol, gate.target) if gate is not None else (),
        found.upgrade.survives if found.upgrade is not None else None,
        [(line.name, line.value) for line in found.added],
        found.settings["client_max_body_size"].value if up is not None else "",
    )


@pytest.mark.parametrize("site", [*SITES, *MORE, *FURTHER, *SWITCHED], ids=lambda site: site.title)
def test_no_request_changes_in_silence(site: Live, tmp_path: Path) -> None:
    live, staged = trees(site, tmp_path)
    found = compare(live, staged, version=VERSION, world=WORLD)
    assert bool(found.of(LOSS)) is REFUSED.get(site.title, bool(found.of(LOSS)))
    kinds = {one.parting.kind for one in found.differences}
    assert NAMED.get(site.title, set()) <= kinds
    told = " ".join(one.sentence() for one in found.differences)
    lines = {(one.parting.was_at, one.parting.now_at) for one in found.differences}
    for asked in site.asked:
        if asked.startswith("touch:"):
            continue  # a file that comes and goes: real nginx is asked (tests/differential/taking_over.py)
        before, after = (
            behaviour(one, request(asked), version=VERSION, files=local_files) for one in (live, staged)
        )
        if outcome(before) == outcome(after):
            continue
        assert found.differences, asked
        path = asked.partition("/")[2].partition("?")[0]
        at = [
            one.answer.directive.where() if one.answer.directive is not None else ""
            for one in (before, after)
        ]
        named = f"/{path}" in told or any(at[0] in pair or at[1] in pair for pair in lines)
        assert named, (asked, outcome(before), outcome(after), told)


def test_there_are_enough_and_of_different_shape() -> None:
    assert len({site.text for site in SITES}) >= 25 and all(site.asked for site in SITES)
