"""Access logs that somebody else has made: who may write in their directory, or send requests, means harm."""

from __future__ import annotations

import gzip
import os
import signal
import time
import zlib

import pytest

from module_utils.nginx_websocket.compare.logs import access_log
from module_utils.nginx_websocket.compare.logs.access_log import Log, Traffic, traffic
from module_utils.nginx_websocket.compare.logs.log_format import COMBINED, Format

MIB = 1 << 20
LINE = '1.2.3.4 - - [28/Nov/2026:10:00:00 +0000] "GET /kept HTTP/1.1" 200 12 "-" "-"\n'
NOW = 1795860060.0
UNQUOTED = b"$remote_addr $http_user_agent $http_referer $http_x $http_y $request_uri $status"


@pytest.fixture(autouse=True)
def _ends():
    """What hangs fails."""

    def stop(*_: object) -> None:
        raise TimeoutError("it takes for ever")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def read(path: object, made: Format | None = None, **limits: object) -> Traffic:
    return traffic([Log(str(path), made or Format(COMBINED))], lambda _: True, now=NOW, **limits)


def paths(found: Traffic) -> list[str]:
    return sorted(asked.path for asked in found.counts)


@pytest.mark.parametrize("kind", ["fifo", "zero", "directory", "loop", "packed fifo", "packed zero"])
def test_a_log_that_is_no_file(tmp_path, kind) -> None:
    log = tmp_path / "access.log"
    log.write_text(LINE)
    strange = tmp_path / "access.log.1"
    if kind.startswith("packed"):
        strange = tmp_path / "access.log.2.gz"
    if kind.endswith("fifo"):
        os.mkfifo(strange)
    elif kind.endswith("zero"):
        strange.symlink_to("/dev/zero")
    elif kind == "directory":
        strange.mkdir()
    else:
        strange.symlink_to(strange)
    found = read(log)
    assert paths(found) == ["/kept"]
    assert any(str(strange) in note for note in found.notes) or kind.endswith("zero")
    assert read(strange).counts == {}


def test_a_bomb(tmp_path) -> None:
    (tmp_path / "access.log").write_text(LINE)
    packer = zlib.compressobj(9, wbits=31)
    with (tmp_path / "access.log.2.gz").open("wb") as stream:
        for _ in range(64):
            stream.write(packer.compress(b"\0" * MIB))
        stream.write(packer.flush())
    assert paths(read(tmp_path / "access.log")) == ["/kept"]


def test_members_without_end(tmp_path) -> None:
    packed = tmp_path / "access.log.2.gz"
    packed.write_bytes(gzip.compress(b"") * (8 * MIB // 20))
    assert read(packed).counts == {}
    packed.write_bytes(gzip.compress(LINE.encode()) * 3)
    assert read(packed).total == 3


def test_a_name_without_end_in_a_packed_file(tmp_path) -> None:
    packed = tmp_path / "access.log.2.gz"
    packed.write_bytes(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"x" * (64 * MIB))
    assert read(packed).counts == {}


@pytest.mark.parametrize("cut", [1, 9, 20, 60])
def test_a_packed_file_that_is_cut_off(tmp_path, cut) -> None:
    packed = tmp_path / "access.log.2.gz"
    packed.write_bytes(gzip.compress(LINE.encode() * 50)[:-cut])
    read(packed)


@pytest.mark.parametrize("format_", [UNQUOTED, b"$host$request_uri$uri$http_x end", b"$a$b$c$d$e$request"])
def test_a_line_of_another_format_takes_time_by_its_length(tmp_path, format_) -> None:
    """A power of its length, as backtracking has it, is years for the longest line of a client."""
    log = tmp_path / "access.log"
    log.write_text(("a " * 4000 + '"\n') * 20)
    os.utime(log, (NOW, NOW))
    before = time.process_time()
    read(log, Format(format_))
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace(" 200 ", " \u00b2 "),
        LINE.replace(" 200 ", " " + "9" * 5000 + " "),
        LINE.replace("+0000", "+9999"),
        LINE.replace("+0000", "-2400"),
        LINE.replace("28/Nov", "\u0662\u0668/Nov"),
        LINE.replace("/2026", "/0000"),
        LINE.replace("/kept", "/" + "x" * MIB),
        LINE.replace("/kept", "/\\x00\\x0a\\x1b[2J\\xff"),
        LINE.replace("/kept", "/\ud800".encode("utf-8", "surrogatepass").decode("latin-1")),
        "\x00" * 100_000 + "\n",
        "\n" * 400_000,
        "\r" * 400_000,
    ],
    ids=map(str, range(12)),
)
def test_a_line_that_is_none(tmp_path, line) -> None:
    log = tmp_path / "access.log"
    log.write_bytes((line + LINE + line).encode())
    os.utime(log, (NOW, NOW))
    assert "/kept" in paths(read(log, most_lines=2_000_000, seconds=60.0))


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "nan", "1e999", ""])
@pytest.mark.parametrize("name", ["time_iso8601", "msec"])
def test_a_time_that_is_none(tmp_path, name, stamp) -> None:
    log = tmp_path / "access.log"
    log.write_text(f'{stamp} "GET /x HTTP/1.1"\n')
    read(log, Format(b'$%s "$request"' % name.encode()))


def test_a_group_of_lines_before_a_giant_one_is_read_within_the_limit(tmp_path) -> None:
    log = tmp_path / "access.log"
    log.write_text("\n" * (4 * MIB) + "x" * 200_000)
    os.utime(log, (NOW, NOW))
    found = read(log, most_lines=1000)
    assert any("(1000 lines)" in note or "more than was read" in note for note in found.notes)


def test_rotated_files_without_end(tmp_path) -> None:
    (tmp_path / "access.log").write_text(LINE)
    for number in range(500):
        (tmp_path / f"access.log-2026{number:04d}").write_text("")
    assert len(access_log.generations(str(tmp_path / "access.log"))) <= access_log.GENERATIONS + 1
