"""A local user gives his process the title of an nginx master; root must neither run nor believe it.

Each of these made root run the user's program, load his module, or refuse and undo what is right.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, Generator

import pytest

from tests.integration.conftest import LabHost
from verify.host_report.asking import asking, command

PROOF = "/root/run-by-root"
TITLE = "nginx: master process /usr/sbin/nginx"


def program() -> bytes:
    """Return an ELF program for x86-64: with arguments it makes the file PROOF, without it sleeps."""
    code = bytes.fromhex(
        "488b0424"  # mov rax, [rsp]
        "4883f801"  # cmp rax, 1
        "7509"  # jne run
        "b822000000"  # sleep: mov eax, SYS_pause
        "0f05"  # syscall
        "ebf7"  # jmp sleep
        "b855000000"  # run: mov eax, SYS_creat
        "488d3d0e000000"  # lea rdi, [rip+14]
        "be80010000"  # mov esi, 0600
        "0f05"  # syscall
        "b83c000000"  # mov eax, SYS_exit
        "0f05"  # syscall
    )
    body = code + PROOF.encode() + b"\0"
    base, size = 0x400000, 64 + 56 + len(body)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + body


@pytest.fixture(scope="module")
def host(attacked: LabHost) -> LabHost:
    if attacked.sh("uname -m").strip() != "x86_64":
        pytest.skip("the attacker's program is for x86-64")
    attacked.run("sh", "-c", "cat > /home/mallory/evil", data=program())
    attacked.sh("chown mallory: /home/mallory/evil && chmod 755 /home/mallory/evil")
    attacked.sh("mkdir -p /home/mallory/modules && echo no module > /home/mallory/modules/evil.so")
    attacked.write(
        "/home/mallory/own.conf",
        "load_module modules/evil.so;\nevents {}\nhttp { server { listen 127.0.0.1:8099; } }\n",
    )
    attacked.write(
        "/home/mallory/mine.conf",
        "daemon off; master_process off; pid /home/mallory/pid; error_log stderr;\nevents {}\n"
        "http { access_log off; client_body_temp_path /home/mallory/t1; proxy_temp_path /home/mallory/t2;"
        " fastcgi_temp_path /home/mallory/t3; uwsgi_temp_path /home/mallory/t4;"
        " scgi_temp_path /home/mallory/t5; server { listen 127.0.0.1:8099; } }\n",
    )
    attacked.sh("chown -R mallory: /home/mallory")
    return attacked


@pytest.fixture(autouse=True)
def clean(host: LabHost) -> Generator[None, None, None]:
    """Give each attack a host on which nginx runs and nobody else does."""
    host.sh(f"rm -f {PROOF}; systemctl start nginx")
    yield
    host.sh(
        "pkill -KILL -u mallory; systemctl stop evil 2>/dev/null; systemctl reset-failed; "
        "systemctl restart nginx",
        check=False,
    )


def pose(host: LabHost, title: str, command: str) -> None:
    """Run a command as mallory under a title, and wait until it is there."""
    host.sh(
        f"systemd-run --quiet --collect --unit=evil --uid=mallory -p StandardError=null "
        f"bash -c 'exec -a \"{title}\" {command}'"
    )
    host.sh("timeout 20 sh -c 'until pgrep -u mallory -f \"^nginx: master\"; do sleep 0.05; done'")


def asked(host: LabHost) -> Dict[str, Any]:
    """Return the verification's report of the host."""
    question = asking({"nginx": {}, "timeout": 2.0})
    report: Dict[str, Any] = json.loads(host.run(*command("python3"), data=question.encode()))
    return report


def run_by_root(host: LabHost) -> bool:
    return host.sh(f"test -e {PROOF} && echo yes; true").strip() == "yes"


MODULES: Dict[str, Dict[str, Any]] = {
    "nginx_facts": {},
    "nginx_diagnose": {"url": "http://localhost/"},
    "nginx_validate": {"files": [{"path": "/etc/nginx/sites-available/x", "content": "# nothing\n"}]},
    "nginx_rollback": {},
}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "running"])
def test_a_program_with_that_title_is_not_run(host: LabHost, module: str, stopped: bool) -> None:
    """Root ran it with -V; with nginx stopped, or in a unit, it was even the chosen one."""
    if stopped:
        host.sh("systemctl stop nginx")
    pose(host, TITLE, "/home/mallory/evil")
    host.module(module, MODULES[module])
    assert not run_by_root(host)


def test_the_one_by_hand_is_chosen_not_the_one_in_a_unit(host: LabHost) -> None:
    host.sh("systemctl stop nginx; /usr/sbin/nginx")
    pose(host, TITLE, "/home/mallory/evil")
    facts = host.module("nginx_facts", {})["nginx"]
    assert not run_by_root(host)
    assert [master["user"] for master in facts["masters"]] == ["root"]
    assert any("of user mallory has the title of an nginx master" in text for text in facts["warnings"])
    host.sh("nginx -s stop")


def test_the_verification_runs_nothing_of_it(host: LabHost) -> None:
    pose(host, TITLE, "/home/mallory/evil")
    report = asked(host)
    assert not run_by_root(host)
    assert [master["uids"] for master in report["masters"]] == [[0, 0, 0, 0]]
    assert any(not worker["shutting_down"] for worker in report["workers"])
    assert report["test"]["rc"] == 0


def test_the_command_line_in_a_title_decides_nothing(host: LabHost) -> None:
    """nginx's own binary, run by mallory: its prefix had root load mallory's module."""
    title = f"{TITLE} -p /home/mallory -c own.conf"
    pose(host, title, "/usr/sbin/nginx -c /home/mallory/mine.conf")
    report = asked(host)
    assert report["test"]["rc"] == 0, report["test"]
    assert "/home/mallory" not in report["test"]["messages"]
    facts = host.module("nginx_facts", {})["nginx"]
    assert facts["conf_path"] == "/etc/nginx/nginx.conf"
    for module in ("nginx_diagnose", "nginx_rollback"):
        assert "evil.so" not in json.dumps(host.module(module, MODULES[module]))


def test_a_worker_may_not_pose_as_its_master(host: LabHost) -> None:
    """A child of the master with that title was taken for the newer of a binary upgrade."""
    host.sh(
        "install -m 755 -o www-data /home/mallory/evil /var/tmp/evil && "
        "systemd-run --quiet --collect --unit=evil --uid=www-data "
        f"bash -c 'exec -a \"{TITLE}\" /var/tmp/evil'"
    )
    facts = host.module("nginx_facts", {})["nginx"]
    assert not run_by_root(host)
    assert [master["user"] for master in facts["masters"]] == ["root"]
    assert facts["unit"] == "nginx.service"
    host.sh("rm /var/tmp/evil")


def test_a_setuid_program_may_not_pose_as_a_master(host: LabHost) -> None:
    """sudo, su and passwd run as root under whatever title their caller likes."""
    host.sh(
        "systemd-run --quiet --collect --unit=evil --uid=mallory "
        f"bash -c 'sleep 600 | exec -a \"{TITLE} -p /home/mallory\" su'"
    )
    facts = host.module("nginx_facts", {})["nginx"]
    assert [master["exe"] for master in facts["masters"]] == ["/usr/sbin/nginx"]


def test_a_module_that_others_may_write_is_not_loaded(host: LabHost) -> None:
    host.sh("echo 'load_module /home/mallory/modules/evil.so;' > /etc/nginx/modules-enabled/evil.conf")
    try:
        for module in ("nginx_rollback", "nginx_validate"):
            said = json.dumps(host.module(module, MODULES[module]))
            assert "dlopen" not in said
            assert "/home/mallory belongs to mallory" in said
        assert not host.module("nginx_facts", {})["nginx"]["found"]
    finally:
        host.sh("rm /etc/nginx/modules-enabled/evil.conf")
