"""The whole question, on hosts made of files: none, stopped, broken, two at once."""

import sys

import pytest

from module_utils.nginx_websocket.host.describe import describe
from module_utils.nginx_websocket.host.masters import masters
from module_utils.nginx_websocket.host.survey import survey
from tests.unit.nginx_host.fake_proc import FakeProc

CONF = (
    "user web staff;\npid run/n.pid;\nerror_log logs/e.log;\nerror_log stderr warn;\n"
    "load_module modules/ngx_http_image_filter_module.so;\nevents {}\nhttp {\n include conf.d/*.conf;\n}\n"
)


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("module_utils.nginx_websocket.host.binary.WELL_KNOWN", ())
    return FakeProc(tmp_path / "proc")


@pytest.fixture
def install(tmp_path):
    """A script that answers -V, and a configuration tree."""

    def build(name="nginx", version="1.22.1", conf=CONF, **files):
        prefix = tmp_path / f"{name}-tree"
        (prefix / "conf.d").mkdir(parents=True)
        (prefix / "nginx.conf").write_text(conf)
        for file, text in files.items():
            (prefix / "conf.d" / (file + ".conf")).write_text(text)
        (tmp_path / "bin").mkdir(exist_ok=True)
        binary = tmp_path / "bin" / name
        binary.write_text(
            f"#!/bin/sh\necho 'nginx version: nginx/{version}'\necho 'configure arguments: --prefix={prefix} "
            f"--conf-path={prefix}/nginx.conf --with-http_realip_module --with-http_v2_module'\n"
        )
        binary.chmod(0o755)
        return str(binary), prefix

    return build


def title(binary, options=""):
    return f"nginx: master process {binary}{options}"


def test_no_nginx(host):
    found = survey(proc=host.proc)
    assert (found.found, found.nginx) == (False, None)
    assert "no nginx on this host" in found.message
    assert "apt install nginx" in found.message
    data = found.to_dict()
    assert (data["found"], data["running"], data["masters"], data["sites"]) == (False, False, [], [])


def test_installed_but_stopped(host, install):
    binary, prefix = install(site="server { server_name a.test; }")
    found = survey(proc=host.proc)
    assert (found.found, found.nginx.running) == (True, False)
    assert "does not run" in found.message
    data = found.to_dict()
    assert (data["running"], data["binary"], data["version"]) == (False, binary, "1.22.1")
    assert data["conf_path"] == str(prefix / "nginx.conf")
    assert data["layout"]["site_dir"] == str(prefix / "conf.d")
    assert [site["names"] for site in data["sites"]] == [["a.test"]]


def test_running_one_is_described_by_its_configuration(host, install):
    binary, prefix = install()
    host.add(10, title(binary), exe=binary, maps="7f00-7f01 r-xp 0 08:01 5 /usr/lib/libpcre2-8.so.0.11.2\n")
    nginx = survey(proc=host.proc).nginx
    assert (nginx.running, nginx.version, nginx.disk_version) == (True, (1, 22, 1), (1, 22, 1))
    assert (nginx.user, nginx.group) == ("web", "staff")
    assert nginx.pid_path == str(prefix / "run/n.pid")
    assert nginx.error_logs == [str(prefix / "logs/e.log"), "stderr"]
    assert nginx.has_module("http_realip")
    assert nginx.has_module("http_image_filter")
    assert not nginx.has_module("http_geoip")
    assert (nginx.binary.pcre, nginx.binary.pcre_library) == ("pcre2", "/usr/lib/libpcre2-8.so.0.11.2")
    assert nginx.to_dict()["http2_form"] == "listen"


def test_command_line_wins(host, install, tmp_path):
    binary, prefix = install()
    other = tmp_path / "other.conf"
    other.write_text(f"events {{}}\nhttp {{ include {prefix}/conf.d/*.conf; }}\n")
    host.add(10, title(binary, f" -c {other} -g user bob; pid /run/b.pid;"), exe=binary)
    nginx = survey(proc=host.proc).nginx
    assert (nginx.conf_path, nginx.user, nginx.group) == (str(other), "bob", "bob")
    assert nginx.pid_path == "/run/b.pid"


def test_prefix_option_moves_what_is_relative(host, install, tmp_path):
    binary, _ = install(conf=CONF)
    moved = tmp_path / "moved"
    (moved / "conf").mkdir(parents=True)
    (moved / "conf/x.conf").write_text("events {}\nhttp { include sites/*; }\n")
    host.add(10, title(binary, f" -p {moved} -c conf/x.conf"), exe=binary)
    nginx = survey(proc=host.proc).nginx
    assert nginx.conf_path == str(moved / "conf/x.conf")
    assert nginx.layout.site_dir == str(moved / "conf/sites")
    assert nginx.pid_path == str(moved / "logs/nginx.pid")


def test_replaced_binary_is_told_apart_from_the_running_one(host, install, tmp_path):
    old, _ = install("old", "1.18.0")
    new, _ = install("nginx", "1.22.1")
    host.add(10, title(new), exe=new + " (deleted)")
    (tmp_path / "proc/10/exe").unlink()
    # What /proc/PID/exe runs is the old inode, whatever its link reads.
    (tmp_path / "proc/10/exe").symlink_to(old)
    (master,) = masters(host.proc)
    master.exe, master.exe_deleted = new, True
    nginx = describe(master, proc=host.proc)
    assert (nginx.version, nginx.disk_version) == ((1, 18, 0), (1, 22, 1))


def test_broken_tree_still_has_a_layout_and_says_where_it_is_broken(host, install):
    binary, prefix = install(bad="server {\n listen 80\n}\n")
    host.add(10, title(binary), exe=binary)
    found = survey(proc=host.proc)
    assert str(prefix / "conf.d/bad.conf") in found.nginx.conf_error
    assert found.nginx.layout.site_dir == str(prefix / "conf.d")
    assert found.nginx.user == "web"
    assert any("cannot be read whole" in warning for warning in found.warnings)


def test_broken_main_file(host, install):
    binary, _ = install(conf="events {\n")
    host.add(10, title(binary), exe=binary)
    nginx = survey(proc=host.proc).nginx
    assert nginx.layout is None
    assert "cannot be read" in nginx.layout_error
    assert nginx.conf_error


def test_two_masters_are_listed_and_the_choice_is_the_callers(host, install):
    first, _ = install("nginx")
    second, prefix = install("panel")
    host.add(10, title(first), exe=first, ticks=1)
    host.add(20, title(second), exe=second, ticks=2)
    found = survey(proc=host.proc)
    assert (found.nginx, found.choice.ambiguous, found.found) == (None, True, True)
    assert "Say which one" in found.message
    data = found.to_dict()
    assert ([master["pid"] for master in data["masters"]], data["chosen"]) == ([10, 20], None)
    for wish in ({"binary": second}, {"binary": second, "conf_path": str(prefix / "nginx.conf")}):
        chosen = survey(proc=host.proc, **wish)
        assert chosen.nginx.master.pid == 20
        assert any("other nginx masters run" in warning for warning in chosen.warnings)


def test_another_tree_than_the_usual_one_is_told(host, install, monkeypatch):
    usual, usual_tree = install("nginx")
    other, prefix = install("panel")
    # The package's own name `survey` is the function.
    module = sys.modules["module_utils.nginx_websocket.host.survey"]
    monkeypatch.setattr(module, "USUAL", str(usual_tree / "nginx.conf"))
    host.add(20, title(other), exe=other, ticks=2)
    (told,) = survey(proc=host.proc).warnings
    assert told.startswith(f"the running nginx is {other} (pid 20, ")
    assert f"reads {prefix}/nginx.conf; site files belong into {prefix}/conf.d; " in told
    assert told.endswith(f"{usual_tree} is there too, but site files below it have no effect")
    (usual_tree / "nginx.conf").unlink()
    assert "is there too" not in survey(proc=host.proc).warnings[0]
    host.add(30, title(usual), exe=usual, ticks=3)
    (usual_tree / "nginx.conf").write_text(CONF)
    chosen = survey(binary=usual, proc=host.proc).warnings
    assert not any("the running nginx is" in warning for warning in chosen)


def test_wish_for_a_binary_that_is_not_there(host, install):
    install()
    found = survey(binary="/opt/none/nginx", proc=host.proc)
    assert (found.found, found.nginx) == (False, None)
    assert "/opt/none/nginx does not exist" in found.message


def test_binary_that_is_no_nginx(host, tmp_path):
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/nginx"
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    found = survey(proc=host.proc)
    assert found.nginx is None
    assert "does not answer as nginx does" in found.message


def test_wish_for_a_directory_that_is_not_included(host, install):
    install()
    found = survey(site_dir="/srv/none", proc=host.proc)
    assert found.nginx.layout is None
    assert "nginx does not include /srv/none" in found.nginx.layout_error
    assert found.nginx.layout_error in found.warnings
