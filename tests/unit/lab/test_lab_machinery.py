"""Images' recipes, long commands, the demo's reading of what it saw, and the engine's note."""

import subprocess
import sys
import time

import pytest

from lab import console, demo, hosts
from lab.console import Progress, run_logged
from lab.containers import engine, images
from lab.state import LabError

HOST = hosts.Host("demo", "host", "c", "i", "m", "bookworm", ("broken",), True, "192.0.2.1")


@pytest.mark.parametrize(
    "other",
    [
        ("base2", ("nginx",), {"Dockerfile": b"FROM x"}),
        ("base", ("nginx", "curl"), {"Dockerfile": b"FROM x"}),
        ("base", ("nginx",), {"Dockerfile": b"FROM y"}),
        ("base", ("nginx",), {"Dockerfile": b"FROM x", "app.py": b""}),
    ],
)
def test_recipe_digest_changes_with_all_that_an_image_is_made_of(other):
    first = ("base", ("nginx",), {"Dockerfile": b"FROM x"})
    assert images._digest(*first) == images._digest(*first)
    assert images._digest(*first) != images._digest(*other)


def test_unknown_suite_is_refused_with_the_known_ones():
    with pytest.raises(LabError, match="suite: 'sid' is unknown, expected one of bookworm"):
        images.host_image("sid")


def test_a_failed_pull_is_not_tried_again(monkeypatch):
    tried = []

    def fails(command, *_, **__):
        tried.append(command)
        raise LabError("no registry")

    monkeypatch.setattr(images, "_pull_failed", False)
    monkeypatch.setattr(images, "run_logged", fails)
    assert not images._pull("debian:bookworm", Progress("x"))
    assert not images._pull("debian:trixie", Progress("x"))
    assert tried == [["docker", "pull", "debian:bookworm"]]


def test_long_command_leaves_its_output_in_a_log(own_state):
    program = "import sys; print('one'); print('two', file=sys.stderr)"
    assert sorted(run_logged([sys.executable, "-c", program], "x", Progress("x"))) == ["one", "two"]
    assert "one" in (own_state / "log" / "x.log").read_text()


def test_long_command_that_fails_says_how_with_its_last_lines():
    program = "print('the reason'); raise SystemExit(7)"
    with pytest.raises(LabError, match=r"exit status 7\n    the reason\n    \(all of it: .*/log/x\.log\)"):
        run_logged([sys.executable, "-c", program], "x", Progress("x"))


def test_long_command_that_says_nothing_is_ended():
    started = time.monotonic()
    with pytest.raises(LabError, match=r"no answer within 0\.2 s"):
        run_logged(["sleep", "30"], "x", Progress("x"), first_line_within=0.2)
    assert time.monotonic() - started < 10


def test_long_command_that_spoke_in_time_may_take_longer():
    program = "import time; print('hello', flush=True); time.sleep(1.2)"
    assert run_logged([sys.executable, "-c", program], "x", Progress("x"), first_line_within=1.0) == ["hello"]


def test_recap_is_read_by_host():
    lines = [
        "TASK [x] ****",
        "demo                       : ok=9    changed=1    unreachable=0    failed=0    skipped=2",
        "other                      : ok=1    changed=7    unreachable=0    failed=0    skipped=0",
    ]
    assert demo._recap(lines, HOST)["changed"] == 1
    with pytest.raises(LabError, match="does not name the host demo"):
        demo._recap(lines[2:], HOST)


def test_console_entry_is_shown_as_the_browser_shows_it():
    message = (
        "https://lammp.test/assets/index-1.js 30 WebSocket connection to 'wss://lammp.test/x' failed: why"
    )
    shown = demo._console({"message": message})
    assert shown == "index-1.js:30 WebSocket connection to 'wss://lammp.test/x' failed: why"
    assert demo._console({"message": "a word"}) == "a word"


def test_demo_fails_when_the_broken_host_is_not_broken(monkeypatch):
    monkeypatch.setattr(
        demo.browser,
        "visit",
        lambda *_, **__: {"status": "open", "console": [], "screenshot": "", "sockets": []},
    )
    with pytest.raises(LabError, match="the broken host is not broken"):
        demo._before({})


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({"status": "failed", "sockets": [{"status": None}], "hints": []}, "the WebSocket still fails"),
        ({"status": "open", "sockets": [{"status": 101, "url": ""}], "hints": ["another"]}, "did not appear"),
    ],
)
def test_demo_fails_when_the_page_does_not_work_afterwards(monkeypatch, report, words):
    monkeypatch.setattr(
        demo.browser, "visit", lambda *_, **__: {"console": [], "screenshot": "x", "reached": False, **report}
    )
    with pytest.raises(LabError, match=words):
        demo._after(HOST, {}, "3", "x.png")


@pytest.mark.parametrize(
    ("after", "recap"),
    [("a\n1\n2\n3\n4\nb\n", "changed=1"), ("a\nb\n", "changed=1"), ("a\n1\n2\n3\nb\n", "changed=0")],
    ids=["too many lines", "none", "says nothing changed"],
)
def test_demo_fails_when_the_fix_is_not_the_one_of_the_story(monkeypatch, after, recap):
    contents = iter(["a\nb\n", after])
    monkeypatch.setattr(demo, "_limited", lambda command, _: command)
    monkeypatch.setattr(demo.hosts, "run", lambda *_: next(contents))
    monkeypatch.setattr(demo, "_ansible", lambda *_, **__: [f"demo : ok=3 {recap} failed=0"])
    with pytest.raises(LabError, match="3 lines"):
        demo._fix(HOST)


def test_demo_fails_when_the_second_run_changes_something(monkeypatch):
    monkeypatch.setattr(demo, "_limited", lambda command, _: command)
    monkeypatch.setattr(demo, "_ansible", lambda *_, **__: ["demo : ok=3 changed=1 failed=0"])
    with pytest.raises(LabError, match="a second run must change nothing"):
        demo._again(HOST)


def test_engine_that_is_not_ours_is_left_alone(tmp_path, monkeypatch):
    note = tmp_path / "engine"
    monkeypatch.setattr(engine, "NOTE", note)
    monkeypatch.setattr(engine.docker, "text", lambda *_: "")
    assert not engine.stop_if_ours()
    with subprocess.Popen(["sleep", "30"]) as other:  # a pid that has gone to somebody else
        note.write_text(f"pid {other.pid}\n")
        assert not engine.stop_if_ours()
        assert other.poll() is None
        other.kill()


def test_engine_with_containers_is_left_running(tmp_path, monkeypatch):
    note = tmp_path / "engine"
    note.write_text("pid 1\n")
    monkeypatch.setattr(engine, "NOTE", note)
    monkeypatch.setattr(engine.docker, "text", lambda *_: "abc")
    assert not engine.stop_if_ours()
    assert note.exists()


def test_progress_is_one_line_a_step_where_nobody_looks(capsys):
    with console.step("a thing") as progress:
        progress.now("half way")
    assert capsys.readouterr().err.splitlines()[0] == "  … a thing"
