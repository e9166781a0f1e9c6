"""What the host's own report makes of `nginx -T` and of releases."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import threading

import pytest

from verify.host_report import exchanges, files, on_host, processes
from verify.host_report.asking import asking, command

TEMPLATE = (
    b"# @RELEASE@\nserver { location = /.well-known/nginx-websocket/@RELEASE@ { return 200 @RELEASE@; } }\n"
)
RELEASE = hashlib.sha256(TEMPLATE).hexdigest()[:32]
LIVE = TEMPLATE.replace(b"@RELEASE@", RELEASE.encode())


def dump(*paths):
    return b"".join(
        b"# configuration file %s:\n%s\n" % (str(path).encode(), path.read_bytes()) for path in paths
    )


def test_modules_in_the_working_directory_are_not_run(tmp_path):
    for name in ("json", "types", "ssl", "verify"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    asked = asking({"timeout": 1.0, "releases": [], "backends": []})
    done = subprocess.run(
        command(sys.executable), input=asked, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["releases"] == [] and not (tmp_path / "ran").exists()


def test_a_release_is_found_in_its_file(tmp_path):
    main, site = tmp_path / "nginx.conf", tmp_path / "a.test"
    main.write_bytes(b"http { include a.test; }\n")
    site.write_bytes(LIVE)
    (found,) = files.release_files(dump(main, site))
    assert (found["path"], found["releases"], found["edited"]) == (str(site), [RELEASE], False)


def test_an_edit_shows(tmp_path):
    site = tmp_path / "a.test"
    site.write_bytes(LIVE + b"# by hand\n")
    assert files.release_files(dump(site))[0]["edited"] is True


def test_a_comment_that_looks_like_a_header_divides_nothing(tmp_path):
    site = tmp_path / "a.test"
    site.write_bytes(b"# configuration file /nowhere/at/all:\n" + LIVE)
    (found,) = files.release_files(dump(site))
    assert found["path"] == str(site)


def test_the_file_of_a_site(tmp_path):
    site, link = tmp_path / "available-a.test.conf", tmp_path / "a.test.conf"
    site.write_bytes(LIVE)
    link.symlink_to(site)
    found = files.release_files(dump(link))
    assert files.file_of({"site": "a.test", "file": ""}, found) == found[0]
    assert files.file_of({"site": "b.test", "file": ""}, found) is None
    assert files.file_of({"site": "b.test", "file": str(site)}, found) == found[0]
    assert files.file_of({"site": "a.test", "file": "/elsewhere"}, found) is None


def headed(site, tail=b""):
    template = b"# " + site + b", release @RELEASE@\n#\n" + TEMPLATE + tail
    release = hashlib.sha256(template).hexdigest()[:32]
    return release, template.replace(b"@RELEASE@", release.encode())


@pytest.mark.parametrize("name", ["myapp", "00-web.conf", "b.test.conf"])
def test_a_file_that_was_taken_over_may_be_called_anything(tmp_path, name):
    other, mine = tmp_path / "a.test", tmp_path / name
    other.write_bytes(headed(b"other.test")[1])
    release, content = headed(b"a.test")
    mine.write_bytes(content)
    found = files.release_files(dump(other, mine))
    for asked in ("", release):
        ask = {"site": "a.test", "file": "", "release": asked}
        assert files.file_of(ask, found)["path"] == str(mine)
    assert files.file_of({"site": "b.test", "file": "", "release": ""}, found) is None


def test_of_two_files_of_a_site_the_one_with_the_release_is_meant(tmp_path):
    old, new = tmp_path / "a.test", tmp_path / "myapp"
    (first, content), (second, other) = headed(b"a.test"), headed(b"a.test", b"# more\n")
    old.write_bytes(content)
    new.write_bytes(other)
    found = files.release_files(dump(old, new))
    found = [
        files.file_of({"site": "a.test", "file": "", "release": release}, found)["path"]
        for release in (first, second)
    ]
    assert found == [str(old), str(new)]


def test_an_edit_of_the_first_line_hides_no_file(tmp_path):
    site = tmp_path / "myapp"
    release, content = headed(b"a.test")
    site.write_bytes(b"# mine\n" + content)
    found = files.release_files(dump(site))
    assert files.file_of({"site": "a.test", "file": "", "release": release}, found) == found[0]


def test_of_two_masters_with_one_binary_the_main_file_decides(monkeypatch):
    titles = [
        "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;",
        "nginx: master process /usr/sbin/nginx -p /www/server/nginx -c conf/nginx.conf",
        "nginx: worker process",
    ]
    found = [
        {"pid": 10 + n, "parent": 11 if n == 2 else 1, "started": n, "title": text, "exe": "/usr/sbin/nginx"}
        for n, text in enumerate(titles)
    ]
    monkeypatch.setattr(processes, "processes", lambda: found)
    monkeypatch.setattr(processes, "left_out", lambda process: "")  # test_nginx_host_genuine.py has that rule
    masters, workers = processes.masters_and_workers(
        "/usr/sbin/nginx", "/www/server/nginx/conf/nginx.conf", []
    )
    assert ([m["pid"] for m in masters], [w["pid"] for w in workers]) == ([11], [12])
    assert processes.prefix_of(masters[0]["title"]) == ["-p", "/www/server/nginx"]
    masters, workers = processes.masters_and_workers("/usr/sbin/nginx", "/etc/nginx/nginx.conf", [])
    assert ([m["pid"] for m in masters], workers) == ([10], [])


def test_a_backend_may_be_a_socket_and_have_several_servers(tmp_path):
    path = str(tmp_path / "app.sock")
    ask = {"target": "/ws/x", "host": "a.test", "origin": ""}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen()

        def refuse():
            with server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        alive, dead = exchanges.ask_backends(
            [{**ask, "address": path, "port": 0}, {**ask, "address": path + ".gone", "port": 0}], 5.0
        )
        thread.join()
    assert (alive["answer"]["status"], alive["answer"]["opened"]) == (403, False)
    assert dead["answer"]["status"] is None and "No such file" in dead["answer"]["error"]


def test_a_private_file_is_not_quoted(tmp_path):
    secret, link = tmp_path / "secret", tmp_path / "x.conf"
    secret.write_text("word\n")
    secret.chmod(0o600)
    link.symlink_to(secret)
    said = f'nginx: [emerg] unknown directive "word" in {link}:1\nnginx: configuration file x test failed'
    assert on_host.discreet(said, "") == said.replace("word", "…")
    assert on_host.discreet(said, str(tmp_path / "nginx.conf")) == said
    secret.chmod(0o644)
    assert on_host.discreet(said, "") == said
