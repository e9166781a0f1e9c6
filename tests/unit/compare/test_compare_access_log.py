"""The site's own access log: formats, rotation, limits, and what is never kept."""

from __future__ import annotations

import gzip
import json
import os
import time

import pytest

from module_utils.nginx_websocket.compare.logs import access_log
from module_utils.nginx_websocket.compare.logs.access_log import Asked, Log, generations, known_hosts, traffic
from module_utils.nginx_websocket.compare.logs.log_format import COMBINED, Format, template_of

NOW = 1_800_000_000.0
HOSTS = known_hosts(frozenset(("a.test", "*.b.test", ".c.test")))


def local(seconds_ago: float) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(NOW - seconds_ago))


def combined(request: str, ago: float = 60, status: int = 200) -> str:
    return f'1.2.3.4 - - [{local(ago)}] "{request}" {status} 12 "-" "agent \\x22x\\x22"\n'


def read(path: object, made: Format, **more: object):
    stamp = NOW - 1
    for name in os.listdir(os.path.dirname(str(path))):
        os.utime(os.path.join(os.path.dirname(str(path)), name), (stamp, stamp))
    return traffic([Log(str(path), made)], HOSTS, now=NOW, **more)  # type: ignore[arg-type]


def plain(path: str, method: str = "GET", upgrade: bool = False) -> Asked:
    return Asked(method, path, upgrade, "", None, "")


def test_combined_is_counted_without_queries(tmp_path) -> None:
    log = tmp_path / "access.log"
    log.write_text(
        combined("GET /a?token=secret HTTP/1.1")
        + combined("GET /a HTTP/2.0")
        + combined("POST /b HTTP/1.1")
        + combined("GET /ws/1 HTTP/1.1", status=101)
        + combined("GET /old HTTP/1.1", ago=90_000)
        + combined("\\x16\\x03\\x01")
        + "rubbish\n"
    )
    found = read(log, Format(COMBINED))
    assert found.counts == {plain("/a"): 2, plain("/b", "POST"): 1, plain("/ws/1", upgrade=True): 1}
    assert "secret" not in repr(found)


def test_a_format_of_ones_own(tmp_path) -> None:
    args = (
        b"site",
        b'$remote_addr [$time_iso8601] "$request_method $site_path $server_protocol" $status',
        b' upgrade="$http_upgrade" host=$host',
    )
    template, escape = template_of(args)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - 5))
    log = tmp_path / "a.log"
    log.write_text(
        f'::1 [{stamp}] "GET /ws/x HTTP/1.1" 101 upgrade="websocket" host=a.test\n'
        f'::1 [{stamp}] "GET /other HTTP/1.1" 200 upgrade="-" host=elsewhere.test\n'
        f'::1 [{stamp}] "PUT /b HTTP/1.1" 200 upgrade="-" host=x.b.test\n'
    )
    found = read(log, Format(template, escape, frozenset(("site_path",))))
    assert found.counts == {
        Asked("GET", "/ws/x", True, "a.test", None, ""): 1,
        Asked("PUT", "/b", False, "x.b.test", None, ""): 1,
    }


def test_json(tmp_path) -> None:
    keys = (
        "time_iso8601",
        "request_method",
        "request_uri",
        "status",
        "http_origin",
        "scheme",
        "http_user_agent",
    )
    body = ",".join(f'"{key}":"${key}"' for key in keys)
    template, escape = template_of((b"j", b"escape=json", ("{" + body + "}").encode()))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - 5))
    log = tmp_path / "a.log"
    values = (stamp, "GET", '/a"b?x=1', "200", "https://o.test", "https", 'agent "x\\')
    log.write_text("{" + ",".join(f'"{key}":{json.dumps(value)}' for key, value in zip(keys, values)) + "}\n")
    found = read(log, Format(template, escape))
    assert list(found.counts) == [Asked("GET", '/a"b', False, "", True, "https://o.test")]


def test_rotated_logs_and_packed_ones(tmp_path) -> None:
    (tmp_path / "access.log").write_text(combined("GET /new HTTP/1.1"))
    (tmp_path / "access.log.1").write_text(combined("GET /one HTTP/1.1", ago=3600))
    with gzip.open(tmp_path / "access.log.2.gz", "wt") as stream:
        stream.write(combined("GET /two HTTP/1.1", ago=80_000) + combined("GET /three HTTP/1.1", ago=85_000))
    (tmp_path / "access.log.3.gz").write_bytes(b"no gzip")
    (tmp_path / "access.log.bak").write_text(combined("GET /bak HTTP/1.1"))
    found = read(tmp_path / "access.log", Format(COMBINED))
    assert {asked.path for asked in found.counts} == {"/new", "/one", "/two", "/three"}
    assert any("access.log.3.gz cannot be read" in note for note in found.notes)


def test_dated_generations_newest_first(tmp_path) -> None:
    for name in ("a.log", "a.log-20260101", "a.log-20260103.gz", "a.log.1", "other.log.1"):
        (tmp_path / name).write_text("")
    names = [os.path.basename(path) for path in generations(str(tmp_path / "a.log"))]
    assert names[0] == "a.log" and names.index("a.log-20260103.gz") < names.index("a.log-20260101")
    assert "other.log.1" not in names


@pytest.mark.parametrize("more", [{"most_lines": 100}, {"most_bytes": 10_000}])
def test_limits_are_told_and_the_newest_lines_are_read(tmp_path, more) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(combined(f"GET /{number} HTTP/1.1") for number in range(2000)))
    found = read(log, Format(COMBINED), **more)
    assert 0 < found.total < 2000 and plain("/1999") in found.counts
    assert any("has more than was read" in note for note in found.notes)


def test_what_cannot_be_used_is_said(tmp_path) -> None:
    log = tmp_path / "access.log"
    log.write_text(combined("GET / HTTP/1.1"))
    assert "does not tell which path" in read(log, Format(b"$remote_addr $status")).notes[0]
    shared = traffic([Log(str(log), Format(COMBINED), shared=True)], HOSTS, now=NOW)
    assert not shared.counts and "other sites too" in shared.notes[0]
    missing = traffic([Log(str(tmp_path / "no"), Format(COMBINED))], HOSTS, now=NOW)
    assert "cannot be read: No such file or directory" in missing.notes[0]


def test_what_is_known_goes_on_counting_when_no_more_paths_are_kept(tmp_path, monkeypatch) -> None:
    """A log full of made-up paths does not hide how often a known one is asked."""
    monkeypatch.setattr(access_log, "DISTINCT", 2)
    log = tmp_path / "access.log"
    log.write_text("".join(combined(f"GET {path} HTTP/1.1") for path in ("/a", "/b", "/c", "/a", "/d")))
    counts = read(log, Format(COMBINED)).counts
    assert len(counts) == 2 and sum(counts.values()) == 3, counts
