"""Which processes of nginx take connections, seen in real processes that bear nginx's titles."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from module_utils.nginx_websocket.transaction.live import hindrance, workers

TITLES = ["nginx: worker process", "nginx: worker process is shutting down", "nginx: cache manager process"]

# A master that holds a listening socket, or none, and children with titles.
MASTER = """\
import os, socket, subprocess, sys, time
titles = sys.argv[2:]
held = socket.create_server(("127.0.0.1", 0)) if sys.argv[1] == "listen" else None
for title in titles:
    subprocess.Popen(["bash", "-c", 'exec -a "$0" sleep 600', title])
print("up", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def master(*titles: str, listens: bool = True):
    """A process with nginx's title and children with those given."""
    start = ["bash", "-c", 'exec -a "nginx: master process x" "$0" "$@"', sys.executable, "-c", MASTER]
    done = subprocess.Popen(
        [*start, "listen" if listens else "-", *titles],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert done.stdout is not None and done.stdout.readline() == "up\n"
        wait(lambda: sorted(_titles(done.pid)) == sorted(titles))
        yield done.pid
    finally:
        os.killpg(done.pid, signal.SIGKILL)
        done.wait()


def wait(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.01)


def _titles(pid: int):
    found = []
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
        for child in stream.read().split():
            with contextlib.suppress(OSError), open(f"/proc/{child}/cmdline", encoding="utf-8") as line:
                found.append(line.read().split("\0")[0])
    return found


def test_old_workers_do_not_serve():
    with master(*TITLES, TITLES[0]) as pid:
        assert workers.alive(pid) and len(workers.serving(pid)) == 2
        assert len(workers.all_of(pid)) == 3 and len(workers.draining(pid)) == 1
        assert not workers.serving(pid) & set(workers.draining(pid))
        assert not workers.quits(pid)


@pytest.mark.parametrize(
    ("titles", "listens", "quits"),
    [
        ([TITLES[1]], False, True),
        ([TITLES[1], TITLES[1]], False, True),
        ([TITLES[1]], True, False),
        ([TITLES[0], TITLES[1]], False, False),
        ([TITLES[0]], True, False),
        ([], False, False),
    ],
)
def test_a_master_that_quits(titles, listens, quits):
    """One whose workers alone were told to (WINCH) keeps its sockets, and can be told to read a tree."""
    with master(*titles, listens=listens) as pid:
        assert workers.quits(pid) is quits


def test_a_forked_worker_with_its_masters_title_is_no_successor():
    with master("nginx: master process x", TITLES[0]) as pid:
        assert not workers.successors(pid)


def test_the_state_of_a_process_is_named():
    with master(TITLES[0]) as pid:
        (worker,) = workers.serving(pid)
        assert hindrance.hindered(pid, [worker]) == ""
        os.kill(worker, signal.SIGSTOP)
        wait(lambda: workers.state(worker) == "T")
        said = hindrance.hindered(pid, [worker])
        assert f"process {worker} (a worker) is stopped (state T; go on with: kill -CONT {worker})" in said
        os.kill(pid, signal.SIGSTOP)
        wait(lambda: workers.state(pid) == "T")
        assert f"process {pid} (the master) is stopped" in hindrance.hindered(pid)
        assert workers.state(2**22 + 1) == ""


def test_the_limit_is_named_where_nginx_met_it():
    message = 'open() "/var/log/x.log" failed (24: Too many open files)'
    said = hindrance.limited(os.getpid(), "nginx.service", [message])
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert f"may open {'unlimited' if soft < 0 else soft} files" in said and "LimitNOFILE" in said
    assert hindrance.limited(os.getpid(), "", ["open() failed (2: No such file or directory)"]) == ""


def test_who_holds_a_port_is_found_without_a_log():
    from module_utils.nginx_websocket.behaviour.server.listen import Address

    with socket.create_server(("127.0.0.1", 0)) as held, master(TITLES[0]) as pid:
        port = held.getsockname()[1]
        wanted = [Address("inet", "0.0.0.0", port), Address("inet", "127.0.0.1", port)]
        said = hindrance.conflicts(wanted, pid, "")
        assert f"0.0.0.0:{port} is held by" in said and f"pid {os.getpid()}" in said
        assert said.count("is held by") == 1, "the wildcard stands for the other"
        own = hindrance.conflicts([Address("inet", "0.0.0.0", port)], os.getpid(), "nginx.service")
        assert "this nginx itself listens on 127.0.0.1" in own and "systemctl stop nginx.service" in own
        assert hindrance.conflicts([Address("inet", "127.0.0.1", port)], os.getpid(), "") == ""
