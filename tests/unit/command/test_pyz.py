"""The one file: it is built from the checkout, runs by itself, and says by its status what it found."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from release import pyz

BROKEN = """\
events {}
http {
    server {
        listen 80;
        server_name chat.test;
        location /ws/ { proxy_pass http://127.0.0.1:9001; }
    }
}
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    target = tmp_path_factory.mktemp("built") / pyz.NAME
    target.write_bytes(pyz.archive())

    def run(*arguments, given=""):
        return subprocess.run(
            [sys.executable, "-I", str(target), *arguments],
            input=given,
            capture_output=True,
            encoding="utf-8",
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"},
            timeout=60,
        )

    return run


def test_the_same_checkout_gives_the_same_bytes(tmp_path):
    first, second = pyz.archive(), pyz.archive()
    assert first == second
    (tmp_path / "it.pyz").write_bytes(first)
    with zipfile.ZipFile(tmp_path / "it.pyz") as archive:
        names = archive.namelist()
    assert first.startswith(b"#!") and "__main__.py" in names
    assert not [name for name in names if not name.endswith((".py", "/page.css")) or "__pycache__" in name]


def test_what_mends_is_not_imported_where_nothing_is_to_mend():
    """Its import takes longer than a healthy host takes to be looked at."""
    program = (
        "import sys; from module_utils.nginx_websocket.diagnosis import engine, observe; "
        "print([name for name in sys.modules if name.endswith(('deciding.mending', 'edit.judge'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=pyz.CHECKOUT
    )
    assert done.stdout == "[]\n"


def test_a_dump_is_diagnosed_in_the_words_of_the_playbook(command):
    done = command("diagnose", "ws://chat.test/ws/", "--dump", "-", given=BROKEN)
    assert done.returncode == 1, done.stderr
    assert "Cause: no-upgrade-header" in done.stdout
    assert "+" in done.stdout and "proxy_set_header Upgrade $http_upgrade;" in done.stdout
    assert "\x1b" not in done.stdout  # colours are for a terminal


def test_no_line_of_prose_is_longer_than_80_columns(command):
    done = command("diagnose", "ws://chat.test/ws/", "--dump", "-", given=BROKEN)
    prose = [line for line in done.stdout.split("\n") if " " in line.strip() and line.strip()[0] not in "+-$"]
    assert [line for line in prose if len(line) > 80] == []


def test_a_page_says_the_same_and_shows_what_is_hostile_as_text(command, tmp_path):
    page, hostile = tmp_path / "report.html", "</pre><script>alert(1)</script>\u202e"
    dump = BROKEN.replace("9001;", f"9001/{hostile}; # {hostile}\n")
    done = command("diagnose", "ws://chat.test/ws/<b>", "--dump", "-", "--html", str(page), given=dump)
    assert done.returncode == 1, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "<title>fails: ws://chat.test/ws/" in text
    assert "Cause: <code>no-upgrade-header</code>" in text
    assert '<span class="add">+' in text and "prefers-color-scheme" in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text and "<b>" not in text and "\u202e" not in text


def test_data_in_place_of_text(command):
    done = command("diagnose", "ws://chat.test/ws/", "--dump", "-", "--json", given=BROKEN)
    data = json.loads(done.stdout)
    assert (done.returncode, data["verdict"]) == (1, "fails")


def test_what_cannot_be_told_has_a_status_of_its_own(command):
    upgrades = BROKEN.replace(
        "9001;",
        "9001; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        'proxy_set_header Connection "upgrade";',
    )
    done = command("diagnose", "ws://chat.test/ws/", "--dump", "-", given=upgrades)
    assert done.returncode == 2, done.stdout


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((), "VERB"),
        (("mend",), "mend"),
        (("diagnose",), "URL"),
        (("diagnose", "ftp://chat.test/"), "ftp"),
        (("diagnose", "ws://chat.test/", "--header", "nonsense"), "Name: value"),
        (("diagnose", "ws://chat.test/", "--dump", "/nowhere"), "/nowhere"),
        (("diagnose", "ws://chat.test/", "--dump", "-", "--html", "/nowhere/page"), "/nowhere/page"),
        (("diagnose", "ws://chat.test/", "--dump", "-", "--nginx-version", "new"), "no version"),
        (("probe", "chat.test"), "chat.test"),
    ],
)
def test_wrong_use_is_told_in_a_line_and_has_status_3(command, arguments, said):
    done = command(*arguments)
    assert done.returncode == 3
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_handshake_that_nobody_takes_fails(command):
    done = command("probe", "ws://127.0.0.1:1/ws")
    assert done.returncode == 1
    assert "nothing listens" in done.stdout or "refused" in done.stdout


def test_a_secret_of_the_command_line_is_not_printed(command):
    secret = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
    url = f"ws://chat.test/ws/?token={secret}"
    for arguments in (("diagnose", url, "--dump", "-"), ("diagnose", url.replace("ws:", "gopher:"))):
        done = command(*arguments, given=BROKEN)
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "hard link"])
def test_a_page_goes_through_nothing_that_somebody_put_under_its_name(command, tmp_path, kind):
    page, other = tmp_path / "report.html", tmp_path / "passwd"
    if kind != "dangling":
        other.write_text("root")
    if kind == "fifo":
        os.mkfifo(page)
    elif kind == "hard link":
        os.link(other, page)
    else:
        page.symlink_to(other)
    done = command("diagnose", "ws://chat.test/ws/", "--dump", "-", "--html", str(page), given=BROKEN)
    if kind == "hard link":
        assert done.returncode == 1
        assert "no-upgrade-header" in page.read_text()
    else:
        assert done.returncode == 3
        assert "no regular file" in done.stderr
    assert other.exists() is (kind != "dangling")
    assert kind == "dangling" or other.read_text() == "root"
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
        {"report.html", *(("passwd",) if kind != "dangling" else ())}
    )
