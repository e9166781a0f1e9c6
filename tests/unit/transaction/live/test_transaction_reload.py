"""What becomes of a reload, seen in real processes that bear nginx's titles and do what nginx may do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from test_transaction_workers import wait

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.transaction.live import workers
from module_utils.nginx_websocket.transaction.live.errorlog import LogWatch
from module_utils.nginx_websocket.transaction.live.reload import reload
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import NotProven

NGINX = Instance("/usr/sbin/nginx", "/nginx.conf", unit="nginx.service")
EMPTY = load_dump(b"# configuration file /nginx.conf:\nevents {}\n")

# argv: what happens at SIGHUP, and the error log.
MASTER = """\
import os, signal, subprocess, sys
act, log = sys.argv[1:3]
def child(title):
    return subprocess.Popen(["bash", "-c", 'exec -a "$0" sleep 600', title])
def end(process):
    process.kill()
    process.wait()
def write(text):
    with open(log, "a") as stream:
        stream.write("2026/11/28 23:00:00 [emerg] %d#0: %s\\n" % (os.getpid(), text))
worker = child("nginx: worker process")
if act == "name":
    script = "trap 'exec -a \\"$TITLE\\" sleep 600' USR1; sleep 600 & echo ready; wait"
    nameless = subprocess.Popen(["bash", "-c", 'exec -a "nginx: master process x" bash -c "$0"', script],
                                env={**os.environ, "TITLE": "nginx: worker process"}, stdout=subprocess.PIPE)
    nameless.stdout.readline()
def reload():
    if act == "take":
        child("nginx: worker process")
        end(worker)
    elif act == "end":
        write("the disk is gone")
        end(worker)
        os._exit(1)
    elif act == "quit":
        child("nginx: worker process is shutting down")
        end(worker)
    elif act == "upgrade":
        write("upgrades")
        subprocess.Popen(["bash", "-c", 'exec -a "nginx: master process x" bash -c "$0"',
                          'bash -c \\'exec -a "nginx: worker process" sleep 600\\' & wait'])
    elif act == "name":
        nameless.send_signal(signal.SIGUSR1)
        end(worker)
    elif act != "keep":
        write(act)
# A handler would not run before the end of a sleep that begins just after the signal has come.
acts = {signal.SIGHUP: reload, signal.SIGUSR1: lambda: write("is here")}
signal.pthread_sigmask(signal.SIG_BLOCK, acts)
print("up", flush=True)
while True:
    acts[signal.sigwait(acts)]()
"""


@contextlib.contextmanager
def nginx(act, log):
    start = ["bash", "-c", 'exec -a "nginx: master process x" "$0" "$@"', sys.executable, "-c", MASTER]
    done = subprocess.Popen(
        [*start, act, str(log)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert done.stdout is not None and done.stdout.readline() == "up\n"
        wait(lambda: len(workers.serving(done.pid)) == 1)
        yield done.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(done.pid, signal.SIGKILL)
        done.wait()


def told(act, tmp_path, tree=EMPTY, seconds=0.3):
    """What the reload says that does not come about."""
    log = tmp_path / "error.log"
    log.write_text("")
    with nginx(act, log) as master, contextlib.closing(LogWatch([str(log)])) as watch:
        with pytest.raises(NotProven) as caught:
            reload(tree, NGINX, master, watch, time.monotonic() + seconds)
        return str(caught.value), master


def test_new_workers_alone_are_a_reload(tmp_path):
    log = tmp_path / "error.log"
    with nginx("take", log) as master, contextlib.closing(LogWatch([str(log)])) as watch:
        before = workers.serving(master)
        after = reload(EMPTY, NGINX, master, watch, time.monotonic() + 20)
        assert len(after) == 1 and not after & before


def test_a_worker_that_had_no_title_of_its_own_before_is_no_new_one(tmp_path):
    said, _ = told("name", tmp_path)
    assert said.startswith("after the reload the old workers (") and "still take connections" in said


def test_old_workers_that_stay_are_named_with_what_the_log_does_not_say(tmp_path):
    said, _ = told("keep", tmp_path)
    assert said.startswith("after the reload the old workers (") and "still take connections" in said
    assert "its error log says nothing about it" in said


def test_a_refusal_is_told_in_nginxs_words(tmp_path):
    said, _ = told('open() "/x" failed (13: Permission denied)', tmp_path, seconds=20)
    assert said.startswith("nginx refused to reload and serves on with the old configuration")
    assert 'open() "/x" failed (13: Permission denied)' in said


def test_whoever_has_the_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        tree = load_dump(
            b"# configuration file /nginx.conf:\nevents {}\nhttp { server { listen 127.0.0.1:%d; } }\n" % port
        )
        said, _ = told("keep", tmp_path, tree)
        assert f"127.0.0.1:{port} is held by" in said and f"pid {os.getpid()}" in said
        bound = f"bind() to 127.0.0.1:{port} failed (98: Address already in use)"
        said, _ = told(bound, tmp_path, seconds=5)
        assert bound in said and f"127.0.0.1:{port} is held by" in said


def test_a_master_that_ends_or_quits_is_no_reload(tmp_path):
    said, master = told("end", tmp_path, seconds=20)
    assert said == f"the nginx master (process {master}) ended during the reload: the disk is gone"
    said, master = told("quit", tmp_path, seconds=20)
    assert said == f"the nginx master (process {master}) was told to quit during the reload"


def test_a_binary_upgrade_is_not_waited_for(tmp_path):
    said, master = told("upgrade", tmp_path, seconds=20)
    assert said == f"a binary upgrade of nginx began before process {master} had read the new tree"


def test_a_master_that_has_begun_an_upgrade_is_not_signalled(tmp_path):
    log = tmp_path / "error.log"
    with nginx("upgrade", log) as master, contextlib.closing(LogWatch([str(log)])) as watch:
        os.kill(master, signal.SIGHUP)
        wait(lambda: workers.successors(master))
        with pytest.raises(NotProven, match="a binary upgrade"):
            reload(EMPTY, NGINX, master, watch, time.monotonic() + 20)
        os.kill(master, signal.SIGUSR1)  # handled after a SIGHUP that came before it
        wait(lambda: "is here" in log.read_text())
        assert log.read_text().count("upgrades") == 1, "it would have started another"
