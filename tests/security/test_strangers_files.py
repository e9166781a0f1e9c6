"""What strangers put where root looks: logs, web roots, included directories, titles, requests of clients.

Each deployment must end in seconds, as if they had not been there, and tell nothing of what they hide.
`make security` tries all of them, `make test` the first few of each kind.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, Generator, Iterable, List

import pytest

from tests.integration.conftest import LabHost
from tests.integration.transaction_host import TransactionHost, site
from tests.security.test_hostile_answers import EVERYTHING

LOGS = "/home/mallory/logs"
WEB = "/home/mallory/web"
SECRET = "root-secret-87234"
ESCAPES = "\\033[2J\\033]0;owned\\007"
LATEST = 60.0
"""Seconds for a deployment on a loaded machine; what waits for a stranger never ends."""

SERVED = f"""\
log_format theirs '$remote_addr $host $http_user_agent $http_referer $http_x $request_uri $status';
server {{
    listen 80;
    server_name lammp.test;
    root {WEB};
    access_log {LOGS}/access.log theirs;
    error_log {LOGS}/error.log;
    location / {{ try_files $uri $uri/ =404; }}
}}
"""


def few(attacks: Iterable[str]) -> List[str]:
    """As many as there is time for."""
    return list(attacks)[: None if EVERYTHING else 3]


@pytest.fixture(scope="module")
def started(attacked: LabHost) -> TransactionHost:
    attacked.write("/root/secret", f"{SECRET} {SECRET};\n")
    attacked.sh("chmod 600 /root/secret")
    return TransactionHost(attacked)


@pytest.fixture
def host(started: TransactionHost) -> Generator[TransactionHost, None, None]:
    started.reset()
    started.sh(f"rm -rf {LOGS} {WEB}; install -d -o mallory {LOGS} {WEB}")
    yield started
    started.sh("rm -rf /etc/nginx/sites-enabled/theirs*", check=False)


def before(host: TransactionHost, content: str = SERVED) -> None:
    """The site as it was before, whose log and files are in mallory's home."""
    host.write("/etc/nginx/sites-available/theirs", content)
    host.sh("ln -sf ../sites-available/theirs /etc/nginx/sites-enabled/theirs && nginx -s reload; sleep 0.3")


def mine(tail: str = "") -> Dict[str, Any]:
    """A site in the place of the one before, with the same log and files."""
    content = site(ws="", tail=tail)
    content["content"] = content["content"].replace(
        "    location / { return 200 lammp; }",
        f"    root {WEB}; access_log {LOGS}/access.log combined; "
        "location /forge/ { root /nowhere; } location / { try_files $uri $uri/ =404; }",
    )
    return content


def deployed(host: TransactionHost, **more: Any) -> Dict[str, Any]:
    """Deploy over the site before, in bounded time; the outcome says nothing that only root may read."""
    begun = time.monotonic()
    outcome = host.deploy(mine(), on_loss="accept", **more)
    assert time.monotonic() - begun < LATEST
    assert SECRET not in json.dumps(outcome)
    return outcome


def mallory(host: TransactionHost, script: str) -> None:
    host.lab.run("runuser", "-u", "mallory", "--", "bash", "-c", script)


MEMBERS = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(b'') * 400000)"
WORDS = "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a"
LOG_ATTACKS = {
    "fifo": f"rm -f {LOGS}/access.log.1; mkfifo {LOGS}/access.log.1",
    "spaces": f"yes '{WORDS}' | head -c 30000000 | tr -d '\\n' > {LOGS}/access.log.1",
    "bomb": f"head -c 300000000 /dev/zero | gzip > {LOGS}/access.log.2.gz",
    "packed-fifo": f"mkfifo {LOGS}/access.log.2.gz",
    "endless": f"ln -s /dev/zero {LOGS}/access.log.1; ln -s /dev/zero {LOGS}/access.log.2.gz",
    "kernel-messages": f"ln -s /proc/kmsg {LOGS}/access.log.1",
    "memory": f"ln -s /proc/kcore {LOGS}/access.log.1",
    "secret": f"ln -s /root/secret {LOGS}/access.log.1",
    "loop": f"ln -s access.log.1 {LOGS}/access.log.1",
    "directory": f"mkdir {LOGS}/access.log.1",
    "members": f'python3 -c "{MEMBERS}" > {LOGS}/access.log.2.gz',
    "giant-line": f"head -c 40000000 /dev/zero | tr '\\0' a > {LOGS}/access.log.1",
    "escapes": f"printf '1 lammp.test u r x /%b 200\\n' '{ESCAPES}' > {LOGS}/access.log.1",
    "numbers": f"printf '1 lammp.test u r x /a \u00b2\\n' > {LOGS}/access.log.1",
    "rotations": f"for n in $(seq 2000 2999); do : > {LOGS}/access.log-2026$n; done",
}


@pytest.mark.parametrize("attack", few(LOG_ATTACKS))
def test_a_log_in_a_strangers_directory(host: TransactionHost, attack: str) -> None:
    before(host)
    host.sh("curl -s -o /dev/null -H 'Host: lammp.test' http://127.0.0.1/seen")
    mallory(host, LOG_ATTACKS[attack])
    outcome = deployed(host)
    assert outcome["outcome"] == "applied", outcome


NAMES = r"$'a\033[2Jb' $'c\nd' $'\xff\xfe' '<script>alert(1)<' '{{ lookup }}' '$request_uri' ';'"
WEB_ATTACKS = {
    "fifo": f"mkfifo {WEB}/index.html {WEB}/a.html",
    "names": f"cd {WEB}; touch {NAMES}",
    "loop": f"ln -s . {WEB}/loop; ln -s ../web {WEB}/again",
    "deep": f"cd {WEB}; for n in $(seq 400); do mkdir d && cd d; done",
    "wide": f"cd {WEB}; mkdir w; seq 30000 | (cd w && xargs touch)",
    "everything": f"ln -s / {WEB}/all; ln -s /proc/self/root {WEB}/again",
    "gone": f"rmdir {WEB}",
}


@pytest.mark.parametrize("attack", few(WEB_ATTACKS))
def test_files_below_a_strangers_root(host: TransactionHost, attack: str) -> None:
    before(host)
    mallory(host, WEB_ATTACKS[attack]) if attack != "gone" else host.sh(WEB_ATTACKS[attack])
    outcome = deployed(host)
    assert outcome["outcome"] == "applied", outcome


def test_an_error_log_that_becomes_a_fifo(host: TransactionHost) -> None:
    host.sh(f"sed -i 's|^error_log .*|error_log {LOGS}/main.log;|' /etc/nginx/nginx.conf; nginx -s reload")
    host.deploy(site())
    mallory(host, f"mv {LOGS}/main.log {LOGS}/main.log.1; ln -s /proc/kmsg {LOGS}/main.log")
    begun = time.monotonic()
    outcome = host.deploy(site(tail="# two"), deadline=5)
    assert time.monotonic() - begun < LATEST
    assert outcome["outcome"] in ("applied", "rolled back", "refused", "failed"), outcome


def test_a_client_writes_no_reason_to_undo(host: TransactionHost) -> None:
    """nginx writes the line ends of a file's name as they are: a client can have it write any line."""
    host.deploy(mine())
    master = host.sh("cat /run/nginx.pid").strip()
    line = f"2026/11/28%2023:00:00%20[emerg]%20{master}%230:%20still%20could%20not%20bind()"
    host.sh(
        "cat > /opt/forge.sh <<'X'\n"
        "while :; do curl -g -s -o /dev/null --path-as-is -H 'Host: lammp.test' "
        f"'http://127.0.0.1/forge/%22%0a{line}%0a' 'http://127.0.0.1/forge/%22,%20client:%20x%0a{line}%0a'\n"
        "done\nX\n"
        "systemd-run -q --collect --unit=forge sh /opt/forge.sh"
    )
    try:
        host.sh(
            'timeout 20 sh -c \'until grep -q "^2026/11/28 23:00:00" /var/log/nginx/error.log; '
            "do sleep 0.1; done'"
        )
        for number in range(3):
            outcome = host.deploy(mine(f"# {number}"))
            assert outcome["outcome"] == "applied", outcome
    finally:
        host.sh("systemctl stop forge")


def test_a_title_with_escapes_is_text(host: TransactionHost) -> None:
    """Whoever holds a port is named by his command line, which is his own choice."""
    host.sh(
        "systemd-run -q --collect --unit=evil --uid=mallory bash -c "
        '\'exec -a "$(printf "\\033[2Jnginx\\nok: [host]")" python3 -m http.server 8099\'; '
        "timeout 20 sh -c 'until ss -ltn | grep -q :8099; do sleep 0.1; done'"
    )
    try:
        outcome = host.deploy(site(listen="8099"))
        assert outcome["failed"], outcome
        assert "\x1b" not in outcome["message"] and "\n" not in outcome["message"], outcome["message"]
    finally:
        host.sh("systemctl stop evil")


INCLUDED = [
    "ln -s /root/secret {}/x.conf",
    "mkfifo {}/x.conf",
    "ln -s /dev/zero {}/x.conf",
    "ln -s x.conf {}/x.conf",
    "mkdir {}/x.conf",
    "printf 'include {}/*.conf;' > {}/x.conf",
    "head -c 20000000 /dev/zero | tr '\\0' '{{' > {}/x.conf",
    "printf '# configuration file /proc/kcore:\\n# /.well-known/nginx-websocket/%032d\\n' 0 > {}/x.conf",
]


@pytest.mark.parametrize("put", few(INCLUDED))
def test_an_included_directory_of_a_stranger(host: TransactionHost, put: str) -> None:
    """Where nginx itself would wait or fail, the run says so at once; nothing that it reads is told."""
    inside = f"{LOGS}/conf"
    host.sh(
        f"install -d -o mallory {inside}; echo 'include {inside}/*.conf;' > /etc/nginx/conf.d/theirs.conf"
    )
    mallory(host, put.replace("{{", "{").replace("{}", inside))
    begun = time.monotonic()
    outcome = host.deploy(site())
    assert time.monotonic() - begun < LATEST
    assert SECRET not in json.dumps(outcome)
    facts = host.lab.module("nginx_facts", {})
    assert SECRET not in json.dumps(facts)
    host.sh("rm -f /etc/nginx/conf.d/theirs.conf")
    assert host.deploy(site())["outcome"] in ("applied", "unchanged")
