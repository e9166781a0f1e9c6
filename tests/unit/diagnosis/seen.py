"""A host as the rules see it, put together by hand: its configuration, its answers, its log."""

from __future__ import annotations

import re
import types

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence.errorlog import parse
from module_utils.nginx_websocket.diagnosis.evidence.facts import (
    BackendFacts,
    Facts,
    Hop,
    NewerFile,
    Question,
)
from module_utils.nginx_websocket.diagnosis.experiments.search import Search
from module_utils.nginx_websocket.exchange.result import Probe
from module_utils.nginx_websocket.host.listeners import Listener

CONF = "/etc/nginx/nginx.conf"
UP = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
URL = "wss://app.test/ws/x"
PLAIN = "ws://app.test/ws/x"
CONNECT_REFUSED = "connect() failed (111: Connection refused) while connecting to upstream"
MASTER = 59


def site(body, listen="443 ssl"):
    """A server with these lines."""
    return f"server {{\n    listen {listen};\n    server_name app.test;\n{body}\n}}\n"


def proxied(to="http://127.0.0.1:8000", lines=""):
    """The location that passes everything on as an upgrade needs it."""
    return f"    location / {{\n        {UP}\n{lines}\n        proxy_pass {to};\n    }}"


def opened(**more):
    """A handshake that opened."""
    return Probe(URL, opened=True, status=101, reason="Switching Protocols", pong=True, **more)


def refused(status, body="", reason="", **more):
    """A handshake that was answered otherwise."""
    reason = reason or {400: "Bad Request", 502: "Bad Gateway", 504: "Gateway Time-out"}.get(status, "No")
    words = f"answered {status} {reason}"
    return Probe(URL, status=status, reason=reason, body=body, error_kind="http-status", error=words, **more)


def broken(kind, error="", **more):
    """A handshake that got no answer."""
    return Probe(URL, error_kind=kind, error=error or kind, **more)


def page(status, words=""):
    """nginx's own page for a status."""
    head = f"<html><head><title>{status} {words}</title></head>"
    return refused(status, f"{head}<body><center><h1>{status}</h1></center>{words}<hr><center>nginx</center>")


def backend(probe, server="127.0.0.1:8000", address=("127.0.0.1", 8000), **more):
    """A backend that gave this answer to nginx's own request."""
    search = Search(probe, tried=[("as nginx sends it", probe)])
    return BackendFacts(server, address, more.pop("resolved", ["127.0.0.1"]), search=search, **more)


def socket_of(pid, port, address="127.0.0.1"):
    """A listening socket of a process."""
    return Listener(family="tcp", address=address, port=port, inode=port, pid=pid, pids=[pid])


def logged(text, level="error"):
    """A line of the error log."""
    return parse(f"2026/01/02 03:04:05 [{level}] 61#61: *7 {text}", "/var/log/nginx/error.log")


def about_upstream(words, upstream, level="error"):
    """A line of the error log about nginx's request to a backend."""
    return logged(
        f'{words}, client: 127.0.0.1, server: app.test, request: "GET /ws/x HTTP/1.1", '
        f'upstream: "{upstream}", host: "app.test"',
        level,
    )


def newer(path=CONF):
    """A file that changed after the workers started."""
    return NewerFile(path, 2000.0, True)


def host(body, hops, *, url=URL, backends=(), log=(), newer_files=(), **more):
    """The facts of a host with one configuration and these answers.

    Args:
        body: what stands in ``http``.
        hops: probes by the name of their hop.
        url: that was asked.
        backends: as they answered directly.
        log: lines that the error log got meanwhile.
        newer_files: changed since the workers started.
    """
    text = f"events {{}}\nhttp {{\n{body}}}\n".encode()
    configuration = load(CONF, read=lambda path: text, glob=lambda pattern: [])
    question = Question(url)
    port = question.endpoint.port
    facts = Facts(question, live=True, configuration=configuration, **more)
    facts.route = route(configuration, question.route_request(f"127.0.0.1:{port}", "127.0.0.1"))
    master = types.SimpleNamespace(pid=MASTER, workers=[], unit="nginx.service")
    facts.nginx = types.SimpleNamespace(
        master=master,
        conf_path=CONF,
        binary=types.SimpleNamespace(path="/usr/sbin/nginx"),
        layout=None,
        configuration=None,
        unsafe="",
    )
    facts.owner, facts.owner_is_nginx = socket_of(MASTER, port), True
    facts.workers_started = 1000.0
    facts.resolved = facts.local = ["127.0.0.1"]
    facts.hops = [Hop(name, f"the {name} handshake", probe) for name, probe in hops.items()]
    facts.backends, facts.log, facts.newer_files = list(backends), list(log), list(newer_files)
    facts.log_readable = True
    return facts


def patched(text, diff):
    """The text with the hunks of a diff without context."""
    lines, shift = text.split("\n"), 0
    for hunk in re.split(r"^(?=@@ )", diff, flags=re.M)[1:]:
        start, count = map(int, re.match(r"@@ -(\d+),(\d+) ", hunk).groups())
        changed = hunk.split("\n")[1:-1]
        first = (start - 1 if count else start) + shift
        assert lines[first : first + count] == [line[1:] for line in changed if line[0] == "-"]
        added = [line[1:] for line in changed if line[0] == "+"]
        lines[first : first + count] = added
        shift += len(added) - count
    return "\n".join(lines)


def causes(report):
    """The codes of the causes, in order."""
    return [finding.code for finding in report.findings if finding.is_cause]


def first(facts):
    """The finding that comes first, of a host that fails."""
    report = conclude_live(facts)
    assert report.verdict == "fails", report.sentence
    return report.findings[0]


def shown(finding):
    """All evidence of a finding in one text."""
    return "\n".join(item.shown() for item in finding.evidence)
