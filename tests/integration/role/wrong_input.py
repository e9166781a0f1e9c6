"""Wrong input, as data: what is wrong, what is said, and how the run ends.

`test_wrong_input.py` runs every row on a real host and proves that files and running nginx stay as they were;
`docs/generate_wrong_input.py` makes the page of the same rows, so neither can say what the other does not.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Tuple

ROUTE = {"path": "/ws/", "backend": "app"}
SITES = "nginx_websocket_sites[0]"
#: The live file serves other ports, which is another refusal.
OVERWRITE = {"nginx_websocket_on_takeover": "overwrite"}
UNDONE = "undone: nginx keeps the old release"


@dataclasses.dataclass(frozen=True)
class Row:
    """One kind of wrong input."""

    what: str
    said: str
    """What the message holds, word for word."""
    site: Dict[str, Any] = dataclasses.field(default_factory=dict)
    """Keys of a site that is right but for them."""
    variables: Dict[str, Any] = dataclasses.field(default_factory=dict)
    """Other variables of the role, or of Ansible."""
    before: str = ""
    """Shell commands that make the host wrong."""
    after: str = ""
    """Shell commands that make it right again."""
    code: int = 2
    """What ansible-playbook ends with."""
    outcome: str = "refused before anything was touched"


def example(number: int, row: Row) -> Dict[str, Any]:
    """Return a whole site that is right but for the row, with a name that no other row has."""
    name = f"row-{number}.example.org"
    return {
        "name": name,
        "backends": [{"name": "app"}],
        "websockets": [{"path": "/ws/"}],
        "api": [{"path": "/api/"}],
        "file": f"/etc/nginx/sites-available/{name}",
        **row.site,
    }


#: Refused while the values are read, one by one.
VALUES: List[Row] = [
    Row("a key that does not exist", ".websocket is unknown. Did you mean websockets?", {"websocket": []}),
    Row(
        "a value of the wrong type",
        ".http.port is 'eighty', expected a whole number.",
        {"http": {"port": "eighty"}},
    ),
    Row("a list where one value belongs", ".max_body_size is ['1m'], expected", {"max_body_size": ["1m"]}),
    Row(
        "a server name with `;`",
        ".server_names[0] is 'a.org;', expected a host name",
        {"server_names": ["a.org;"]},
    ),
    Row(
        "a server name with a newline",
        r".server_names[0] is 'a.org\n', expected",
        {"server_names": ["a.org\n"]},
    ),
    Row("a server name with a space", ".server_names[0] is 'a.org b.org'", {"server_names": ["a.org b.org"]}),
    Row("a server name in upper case", "Write chat.example.org.", {"name": "Chat.example.org"}),
    Row(
        "an international name",
        "Write an international name in its ASCII form",
        {"name": "b\u00fccher.example"},
    ),
    Row("a relative path", ".spa.root is 'dist', expected an absolute path.", {"spa": {"root": "dist"}}),
    Row(
        "a path with `..`", ".tls.certificate is '/etc/../x', expected", {"tls": {"certificate": "/etc/../x"}}
    ),
    Row(
        "a port out of range",
        ".http.port is 70000, expected a TCP port, from 1 to 65535.",
        {"http": {"port": 70000}},
    ),
    Row(
        "a regex that does not compile",
        "It does not compile: missing ), unterminated",
        {"websockets": [{"regex": "^/ws(", "probe_path": "/ws"}]},
    ),
    Row(
        "a regex that takes exponential time",
        "A path can be made that takes it forever.",
        {"websockets": [{"regex": "^/(a+)+$", "probe_path": "/a"}]},
    ),
    Row(
        "a regex that is not anchored",
        "Without ^ it would match in the middle of other paths, too.",
        {"websockets": [{"regex": "/ws", "probe_path": "/ws"}]},
    ),
    Row(
        "an Origin with a path",
        "An origin has no path: write https://a.org.",
        {"origins": ["https://a.org/app"]},
    ),
    Row(
        "a timeout without unit",
        ".timeout is '3600', expected a time",
        {"websockets": [{**ROUTE, "timeout": "3600"}]},
    ),
    Row(
        "a path that leaves its directive",
        "expected a path that begins with /",
        {"websockets": [{"path": "/ws/; } server { listen 81"}]},
    ),
    Row("a header with a newline", "expected a header value", {"security_headers": {"X-A": "a\nX-B: b"}}),
    Row("a header with a variable", "has no escape for it", {"security_headers": {"X-A": "$http_cookie"}}),
    Row("a limit that is no number", ".limits.sockets is 'many', expected", {"limits": {"sockets": "many"}}),
]

#: Refused when the values are put together.
TOGETHER: List[Row] = [
    Row(
        "a route that an earlier regex takes",
        "expected a route that no earlier one takes: /ws/b/probe goes to websockets[0].regex, ^/ws.",
        {"websockets": [{"regex": "^/ws", "probe_path": "/ws"}, {"path": "/ws/b/"}]},
    ),
    Row(
        "a route below a `^~` block (the ACME path)",
        "expected a path outside /.well-known/acme-challenge/, which this role needs.",
        {"websockets": [{"path": "/.well-known/acme-challenge/ws/"}]},
    ),
    Row(
        "a general route that a WebSocket route takes",
        "expected a path that no WebSocket route takes: it goes to websockets[0], /ws/.",
        {"api": [{"path": "/ws/api/"}]},
    ),
    Row(
        "a backend that does not exist",
        ".websockets[0].backend is 'other', expected the name of a backend of this site.",
        {"websockets": [{"path": "/ws/", "backend": "other"}]},
    ),
    Row(
        "a regex with `{n,m}` that its own test path does not match",
        "expected a path of this route, ^/ws/[0-9]{2,4}$.",
        {"websockets": [{"regex": "^/ws/[0-9]{2,4}$", "probe_path": "/ws/1"}]},
    ),
    Row(
        "two sites with one name",
        "expected a name that nginx_websocket_sites[0] does not have",
        {"name": "row-0.example.org"},
    ),
    Row(
        "two sites that claim one server name",
        "expected a name that nginx_websocket_sites[0] does not claim on port 80.",
        {"name": "own.example.org", "server_names": ["own.example.org", "row-0.example.org"]},
    ),
    Row(
        "limits that a proxy in front makes one client's",
        "or all clients count as one.",
        {"limits": {"sockets": 5}, "listen": {"proxy_protocol": True, "addresses": ["192.0.2.9"]}},
    ),
]

THIEF = (
    "nohup python3 -m http.server 8444 >/dev/null 2>&1 & echo $! > /run/thief; "
    "for i in $(seq 100); do ss -ltn | grep -q ':8444 ' && exit 0; sleep 0.05; done; exit 1"
)
#: What SELinux and AppArmor do, systemd can do as well: root types what the service may not do.
CONFINE = "/run/systemd/system/nginx.service.d/confine.conf"
RELOAD_UNIT = "systemctl daemon-reload; systemctl restart nginx"
LOW_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
PRIVATE = "/srv/private"
SITE_FILE = "/etc/nginx/sites-available/lammp.test"
LIVE = "/etc/letsencrypt/live"

#: Found on the host. The site is the lab's own, right but for the row.
ON_THE_HOST: List[Row] = [
    Row(
        "a certificate that does not exist",
        ".tls.certificate is '/etc/ssl/none.pem', expected a certificate and key that nginx can load: "
        "/etc/ssl/none.pem does not exist. Issue it (certbot",
        {"tls": {"certificate": "/etc/ssl/none.pem"}},
    ),
    Row(
        "a key that belongs to another certificate",
        f"the key {LIVE}/other.test/privkey.pem does not belong to the certificate",
        {"tls": {"certificate_key": f"{LIVE}/other.test/privkey.pem"}},
    ),
    Row(
        "a certificate for none of the names",
        "expected a certificate for lammp.test",
        {
            "tls": {
                "certificate": f"{LIVE}/other.test/fullchain.pem",
                "certificate_key": f"{LIVE}/other.test/privkey.pem",
            }
        },
    ),
    Row(
        "an option file that does not exist",
        ".tls.options_file is '/etc/ssl/none.conf', expected a file that exists on the host.",
        {"tls": {"options_file": "/etc/ssl/none.conf"}},
    ),
    Row(
        "a regex that only nginx can judge",
        "nginx refuses the candidate, and nothing was changed",
        {"websockets": [{"regex": "^/ws/\\p{Nonsense}", "probe_path": "/ws/x"}]},
    ),
    Row(
        "a server name that nginx's hash has no room for",
        "you should increase server_names_hash_bucket_size: 64",
        # Without TLS: the certificate has not that name, which is another refusal.
        {
            "server_names": ["lammp.test", "a-name-of-more-than-46-characters.long.example.org"],
            "tls": {"enabled": False},
        },
        OVERWRITE,
    ),
    Row(
        "a binary that does not exist",
        "no nginx here: /opt/nginx does not exist",
        {},
        {"nginx_websocket_binary": "/opt/nginx"},
    ),
    Row(
        "nginx is stopped",
        "nginx is not running",
        before="systemctl stop nginx",
        after="systemctl start nginx",
    ),
    Row(
        "a port that another process has",
        "The host was put back as it was",
        {"tls": {"port": 8444}},
        OVERWRITE,
        before=THIEF,
        after="kill $(cat /run/thief)",
        outcome=UNDONE,
    ),
    Row(
        "a certificate that the running nginx may not read, though root may (confined by its unit)",
        "nginx -t, run by root, accepted this, but the running nginx is confined: it has its own view of the "
        "file system",
        {
            "tls": {
                "certificate": f"{PRIVATE}/fullchain.pem",
                "certificate_key": f"{PRIVATE}/privkey.pem",
            }
        },
        before=f"mkdir -p {PRIVATE} $(dirname {CONFINE}); cp -L {LIVE}/lammp.test/* {PRIVATE}/; "
        f"printf '[Service]\\nInaccessiblePaths={PRIVATE}\\n' > {CONFINE}; {RELOAD_UNIT}",
        after=f"rm -r {PRIVATE} {CONFINE}; {RELOAD_UNIT}",
        outcome=UNDONE,
    ),
    Row(
        "a port that the running nginx may not bind, though root may (confined by its unit)",
        "(13: Permission denied). nginx -t, run by root, accepted this, but the running nginx is confined: "
        "it lacks CAP_NET_BIND_SERVICE",
        {"tls": {"port": 444}},
        OVERWRITE,
        # nginx gets its old ports while they are anybody's.
        before=f"mkdir -p $(dirname {CONFINE}); mount -o remount,rw /proc/sys; "
        f"printf '[Service]\\nCapabilityBoundingSet=~CAP_NET_BIND_SERVICE\\n' > {CONFINE}; "
        f"echo 0 > {LOW_PORTS}; {RELOAD_UNIT}; echo 1024 > {LOW_PORTS}",
        after=f"rm {CONFINE}; echo 0 > {LOW_PORTS}; {RELOAD_UNIT}",
        outcome=UNDONE,
    ),
    Row(
        "an upstream of that name in somebody else's file",
        "upstream lammp_test_app is defined twice",
        before="echo 'upstream lammp_test_app { server 127.0.0.1:1; }' > /etc/nginx/conf.d/clash.conf",
        after="rm /etc/nginx/conf.d/clash.conf",
    ),
    Row(
        "a file that serves our name and somebody else's",
        "Files of others are not touched",
        before='for name in lammp.test x.test; do echo "server { listen 80; server_name $name; }"; done '
        "> /etc/nginx/conf.d/mixed.conf",
        after="rm /etc/nginx/conf.d/mixed.conf",
    ),
    Row(
        "a live file that does more than the site would",
        "/grafana/ and 1 more like these: now is passed to 127.0.0.1:3001 "
        "(/etc/nginx/sites-enabled/lammp.test:16); then is the file /var/www/lammp.test/index.html",
        before=f"cp -a {SITE_FILE} /root/kept; sed -i "
        f"'/client_max_body_size/a location /grafana/ {{ proxy_pass http://127.0.0.1:3001; }}' {SITE_FILE}",
        after=f"cat /root/kept > {SITE_FILE}",
    ),
    Row(
        "a live server with a name that the site leaves out",
        "add www.lammp.test to the site's server_names",
        {"redirect_www": False},
    ),
    Row(
        "a tree that was broken before we came",
        "nginx's configuration was broken before we came, and nothing was changed",
        before="echo 'nonsense on;' > /etc/nginx/conf.d/broken.conf",
        after="rm /etc/nginx/conf.d/broken.conf",
    ),
    Row(
        "a directory that is read-only",
        "Read-only file system",
        before="mount --bind /etc/nginx /etc/nginx && mount -o remount,bind,ro /etc/nginx",
        after="umount /etc/nginx",
    ),
    Row(
        "a disk that is full",
        "No space left on device",
        # Full of backups: a file of another name there is another refusal.
        before="mkdir -p -m 700 /var/lib/nginx_websocket; mount -t tmpfs -o size=16k,mode=700 tmpfs "
        "/var/lib/nginx_websocket; mkdir -m 700 /var/lib/nginx_websocket/backups; "
        "head -c 1M /dev/zero > /var/lib/nginx_websocket/backups/full; true",
        after="umount /var/lib/nginx_websocket",
    ),
    Row(
        "a file that another tool keeps changing",
        "changed while the transaction was being prepared; nothing was changed by us",
        before=f"cp -a {SITE_FILE} /root/kept; (while sleep 0.01; do echo '#' >> {SITE_FILE}; done) "
        "> /dev/null 2>&1 & echo $! > /run/editor",
        after=f"kill $(cat /run/editor); cat /root/kept > {SITE_FILE}",
    ),
    Row(
        "another run on the same host",
        "another transaction runs on this host (process ",
        {},
        {"nginx_websocket_lock_timeout": 1},
        # A run writes into the lock who it is.
        before="mkdir -p -m 700 /var/lib/nginx_websocket; flock -o /var/lib/nginx_websocket/lock sleep 60 "
        ">/dev/null 2>&1 & echo $! > /run/holder; sleep 0.2; "
        'printf \'{"pid": %s, "since": "2026-01-01T00:00:00Z"}\' $(cat /run/holder) '
        "> /var/lib/nginx_websocket/lock",
        after="pkill -P $(cat /run/holder); kill $(cat /run/holder) 2>/dev/null; true",
    ),
    Row(
        "more sockets than the host grants",
        "may not go beyond 20000; nothing was changed",
        {},
        {"nginx_websocket_max_sockets": 20000},
    ),
]

#: Said by Ansible itself.
ON_THE_WAY: List[Row] = [
    Row(
        "a host that cannot be reached",
        "UNREACHABLE!",
        {},
        {"ansible_host": "127.0.0.254", "ansible_port": 9, "ansible_control_path": "none"},
        code=4,
        outcome="never reached",
    ),
    Row(
        "a user who may not use sudo without a password",
        "Missing sudo password",
        before="cp -a /etc/sudoers.d /root/; sed -i 's/NOPASSWD://' /etc/sudoers.d/*",
        after="cp -a /root/sudoers.d/. /etc/sudoers.d/",
        outcome="refused at the first look at the host",
    ),
    Row(
        "a Python that is too old",
        "is older than 3.8",
        {},
        {"ansible_python_interpreter": "/opt/old-python"},
        before="cat > /opt/old-python <<'END'\n"
        "#!/bin/sh\n"
        'exec /usr/bin/python3 -c \'import sys; sys.version_info = (3, 6, 9, "final", 0)\n'
        'exec(sys.argv[-1], {"__name__": "__main__"})\' "$@"\n'
        "END\nchmod 755 /opt/old-python",
        outcome="refused at the first look at the host",
    ),
]

SECTIONS: List[Tuple[str, List[Row]]] = [
    ("One value", VALUES),
    ("Values that do not go together", TOGETHER),
    ("Found on the host", ON_THE_HOST),
    ("On the way to the host", ON_THE_WAY),
]
