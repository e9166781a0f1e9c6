"""The last day of the site's own log in a comparison: counted, weighted, bounded, and never shown whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import List

from module_utils.nginx_websocket.compare.comparing import World, compare
from module_utils.nginx_websocket.compare.differences import Comparison
from module_utils.nginx_websocket.conf.load import load

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


def compared(
    base: Path, lines: List[str], live: str, staged: str, *, log: str = "", seconds: float = 30
) -> Comparison:
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    path = base / "access.log"
    if lines:
        path.write_text("".join(f'1.2.3.4 - - [{stamp}] "{line} HTTP/1.1" 200 1 "-" "-"\n' for line in lines))

    def tree(body: str):
        text = f"http {{ server {{ listen 80; server_name a.test; access_log {log or path}; {body} }} }}"
        return load("/n", read=lambda _path: text.encode(), glob=lambda pattern: [pattern])

    return compare(tree(live), tree(staged), version=(1, 22, 1), world=World(seconds=seconds))


def page(base: Path) -> str:
    (base / "app" / "manual").mkdir(parents=True)
    for name in ("index.html", "manual/index.html"):
        (base / "app" / name).write_text("")
    return f"root {base}/app; location / {{ try_files $uri $uri/ /index.html; }}"


def test_how_many_go_the_same_way_and_who_does_not(tmp_path: Path) -> None:
    live = page(tmp_path)
    staged = live.replace("$uri $uri/ /", "$uri /") + " add_header X-New 1;"
    lines = ["GET /"] * 40 + ["GET /deep/link?x=1"] * 7 + ["GET /manual/?page=2"] * 5
    found = compared(tmp_path, lines, live, staged)
    assert (found.day, found.hits, found.same_hits) == (52, 52, 47)
    assert (
        "of 52 requests of the last day 47 go the same way; 5 (http://a.test/manual/) would not"
        in found.summary()
    )
    (lost,) = (one for one in found.differences if one.parting.kind == "file-lost" and one.hits)
    assert lost.hits == 5 and "manual/index.html" in lost.parting.was and "page=2" not in repr(found)


def test_tokens_are_masked_and_upgrades_are_asked_as_such(tmp_path: Path) -> None:
    proxied = "proxy_pass http://127.0.0.1:8000;"
    upgrade = " proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
    found = compared(
        tmp_path,
        [f"GET /ws/{TOKEN}", f"DELETE /api/{TOKEN}"],
        f"location / {{ {proxied}{upgrade} }}",
        "location / { return 404; }",
    )
    assert found.hits == 2 and found.same_hits == 0
    assert TOKEN not in repr(found.as_dict())


def test_a_host_without_a_readable_log_says_so(tmp_path: Path) -> None:
    live = page(tmp_path)
    staged = live.replace("$uri $uri/ /", "$uri /")
    for log, said in (
        ("", "cannot be read"),
        ("off", "access_log is off"),
        ("syslog:server=unix:/x", "is no file"),
    ):
        found = compared(tmp_path, [], live, staged, log=log)
        assert any(said in note for note in found.notes), found.notes
        assert " requests were compared: " in found.summary() and found.day == 0


def test_what_the_time_had_no_room_for_is_told(tmp_path: Path) -> None:
    live = page(tmp_path)
    many = "".join(f"location /x{number}/ {{ return 204; }} " for number in range(300))
    lines = [f"GET /{number}" for number in range(3000)]
    found = compared(tmp_path, lines, live + many, live, seconds=0.05)
    assert any("were not asked" in note for note in found.notes)
    assert found.day == 3000 and found.hits < 3000 and "rare ones were not compared" in found.summary()
