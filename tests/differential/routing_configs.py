"""Random configurations for the routing differential test: servers, names, locations, rewrites.

Every location proxies to an address of its own (127.1.x.y) and adds ``X-Loc``, so that both the backend
and the client see which one nginx chose.
"""

# ruff: noqa: UP031  (one format for a whole address or report line)

from __future__ import annotations

import random
from typing import List, Sequence, Tuple

from routing_nodes import Node, flat, quote

SEGMENTS = ("a", "b", "ws", "A", "x.php", "api", "dir", "f.txt", "a b", "é")
NAMES = ("a.test", "b.test", "www.a.test", "x.y.a.test", "A.test", "net", "a.net")
FILES = ("index.html", "a/index.html", "dir/f.txt", "f.txt", "x.php", "a/x.php", "ws/f.txt", "index.php", "é")


class Maker:
    """Makes one random configuration."""

    def __init__(
        self, rng: random.Random, ports: Sequence[int], backend: int, root: str, tls: int, certs: str
    ) -> None:
        self.rng = rng
        self.ports = ports
        self.backend = backend
        self.root = root
        self.tls = tls
        self.certs = certs
        self.number = 0
        self.prefix = "m%d" % ports[0]
        self.maps: List[Tuple[str, bool]] = []
        self.named: List[str] = []
        self.variables: List[str] = []

    def pick(self, items: Sequence[str]) -> str:
        return self.rng.choice(items)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def mark(self) -> Node:
        self.number += 1
        return Node("add_header", "X-Loc", "%s-%d" % (self.prefix, self.number), "always")

    def target(self) -> str:
        return "127.1.%d.%d:%d" % (self.number // 250, self.number % 250 + 1, self.backend)

    # -- http level -------------------------------------------------------------------------------

    def site(self) -> List[Node]:
        """The nodes of one configuration, to stand in an http block."""
        nodes = [self.map_block(index) for index in range(self.rng.randint(0, 3))]
        upstreams = [
            Node("upstream", self.prefix + "_up", block=[Node("server", "127.1.9.9:%d" % self.backend)])
        ]
        servers = self.servers()
        if self.chance(0.3):
            index = self.rng.randrange(len(servers))
            servers[index] = Node("include", block=[servers[index]])
        return upstreams + nodes + servers

    def map_block(self, index: int) -> Node:
        name = "%s_map%d" % (self.prefix, index)
        source = self.pick(
            ("$http_x", "$uri", "$host", "$http_upgrade", "$args", "$request_method:$http_x", "$arg_q")
        )
        entries: List[Node] = []
        if self.chance(0.8):
            entries.append(
                Node(
                    "default",
                    self.pick(("dflt", "", "$http_x", "up-$request_method", "u-$uri", "u-$uri-$args", "$v0")),
                )
            )
        hostnames = source == "$host" and self.chance(0.7)
        if hostnames:
            entries.insert(0, Node("hostnames"))
            for key in self.rng.sample(("a.test", "*.a.test", ".b.test", "*.test", "a.*", ".net"), 3):
                entries.append(Node(key, "host-" + key.strip("*.")))
        else:
            keys = ("", "One", "two", "/a", "/ws/a", "websocket", "get:one", "q=1", "\\default", "b")
            for key in self.rng.sample(keys, 4):
                entries.append(Node(key, self.pick(("v1", "V2", "", "0", "$request_method", "$host"))))
        regex = self.chance(0.5)
        if regex:
            patterns = ("~^t", "~*^ONE$", "~/ws", "~[[:digit:]]", "~\\.php$", "~^$")
            for key in self.rng.sample(patterns, 2):
                entries.append(Node(key, self.pick(("rx", "rx2", "$http_x"))))
        self.rng.shuffle(entries)
        if hostnames:
            entries.sort(key=lambda entry: entry.name != "hostnames")
        self.maps.append((name, regex))
        return Node("map", source, "$" + name, block=entries)

    def servers(self) -> List[Node]:
        hosts = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "*", "")
        used_defaults = set()
        servers: List[Node] = []
        for _index in range(self.rng.randint(1, 4)):
            body: List[Node] = [self.mark()]
            listens = set()
            for _listen in range(self.rng.choice((1, 1, 2, 3))):
                host, port = self.pick(hosts), self.rng.choice(self.ports)
                key = ("*" if host == "" else host, port)
                if key in listens:
                    continue
                listens.add(key)
                words = [("%s:%d" % (host, port)) if host else str(port)]
                if self.chance(0.2) and key not in used_defaults:
                    used_defaults.add(key)
                    words.append("default_server")
                body.append(Node("listen", *words))
            if self.tls and self.chance(0.4):
                body.append(Node("listen", "127.0.0.1:%d" % self.tls, "ssl"))
                body.append(Node("ssl_certificate", self.certs + "/cert.pem"))
                body.append(Node("ssl_certificate_key", self.certs + "/key.pem"))
            body += self.names()
            body += self.server_settings()
            body += self.locations()
            if self.chance(0.15):
                body.append(self.error_page())
            if self.chance(0.1):
                body.append(self.try_files())
            body += self.rewrites(level="server") if self.chance(0.4) else []
            servers.append(Node("server", block=self.with_include(body)))
        self.ensure_tls(servers)
        return servers

    def ensure_tls(self, servers: List[Node]) -> None:
        """Every server of a TLS address needs a certificate, the default one most of all."""
        if not self.tls or any(n.name == "ssl_certificate" for s in servers for n in flat(s.block or [])):
            return
        servers[0].block = (servers[0].block or []) + [
            Node("listen", "127.0.0.1:%d" % self.tls, "ssl"),
            Node("ssl_certificate", self.certs + "/cert.pem"),
            Node("ssl_certificate_key", self.certs + "/key.pem"),
        ]

    def names(self) -> List[Node]:
        choices = (
            "a.test",
            "b.test",
            "www.a.test",
            "*.a.test",
            "*.test",
            "a.*",
            ".a.test",
            "www.*",
            "x.y.a.test",
            "~^(?<sub>[a-z]+)\\.test$",
            "~A\\.",
            "~^(www\\.)?b\\.test$",
            "net",
            ".net",
            "",
            "_",
            "A.Net",
            "*.y.a.test",
            "~^.{4}$",
            "www.a.*",
        )
        nodes: List[Node] = []
        for _index in range(self.rng.choice((0, 1, 1, 2))):
            nodes.append(Node("server_name", *self.rng.sample(choices, self.rng.randint(1, 3))))
        return nodes

    def with_include(self, body: List[Node]) -> List[Node]:
        if len(body) < 3 or not self.chance(0.2):
            return body
        low = self.rng.randrange(1, len(body))
        high = self.rng.randrange(low, len(body)) + 1
        return [*body[:low], Node("include", block=body[low:high]), *body[high:]]

    def server_settings(self) -> List[Node]:
        nodes: List[Node] = []
        if self.chance(0.15):
            nodes.append(Node("merge_slashes", "off"))
        if self.chance(0.15):
            nodes.append(Node("underscores_in_headers", "on"))
        if self.chance(0.15):
            nodes.append(Node("absolute_redirect", "off"))
        if self.chance(0.15):
            nodes.append(Node("port_in_redirect", "off"))
        if self.chance(0.1):
            nodes.append(Node("server_name_in_redirect", "on"))
        if self.chance(0.3):
            nodes += self.headers()
        if self.chance(0.1):
            nodes += self.guards()
        if self.chance(0.1):
            nodes += self.answer_headers()
        if self.chance(0.3):
            nodes.append(Node("proxy_http_version", "1.1"))
        if self.chance(0.1):
            nodes.append(Node("proxy_pass_request_headers", "off"))
        if self.chance(0.2):
            nodes.append(
                Node("index", *self.rng.sample(("index.html", "index.php", "f.txt", "/a/index.html"), 2))
            )
        return nodes

    # -- values -----------------------------------------------------------------------------------

    def value(self, captures: bool = False) -> str:
        choices = [
            "lit",
            "$uri",
            "$request_uri",
            "$args",
            "$host",
            "$http_x",
            "$http_upgrade",
            "$arg_q",
            "$is_args$args",
            "$scheme://$host",
            "$server_port",
            "$server_name",
            "$request_method",
            "${http_host}x",
            "$cookie_c",
            "$http_x_y",
            "$proxy_host",
            "$sub",
            "$remote_addr",
            "$document_uri",
            "$query_string",
            "$server_addr",
            "$http_connection",
            "$proxy_port",
        ]
        choices += ["$" + name for name, regex in self.maps if not (captures and regex)]
        choices += ["$" + name for name in self.variables]
        if captures:
            choices += ["$1", "$1-$2", "x$1", "$2", "$cap"]
        return self.pick(choices)

    def headers(self) -> List[Node]:
        nodes: List[Node] = []
        for _index in range(self.rng.randint(1, 4)):
            name = self.pick(
                ("Upgrade", "Connection", "Host", "X-One", "X-Two", "TE", "X", "upgrade", "Keep-Alive")
            )
            if name in ("Upgrade", "upgrade"):
                value = self.pick(("$http_upgrade", "websocket", "", "$http_x"))
            elif name == "Connection":
                value = self.pick(("upgrade", "$http_connection", "", "close", "$http_x"))
            elif name == "Host":
                value = self.pick(("$host", "$http_host", "x.test", "$proxy_host:1"))
            else:
                value = self.pick((self.value(), "", self.value() + "-" + self.value()))
            nodes.append(Node("proxy_set_header", name, value))
        return nodes

    # -- locations --------------------------------------------------------------------------------

    def path(self) -> str:
        parts = [self.pick(SEGMENTS) for _index in range(self.rng.choice((0, 1, 1, 2, 2, 3)))]
        text = "/" + "/".join(parts)
        if self.chance(0.5) and not text.endswith("/"):
            text += "/"
        return text

    def regex(self) -> str:
        return self.pick(
            (
                "\\.php$",
                "^/a",
                "^/(?<cap>[a-z]+)/(.*)$",
                "^/ws",
                "/b/?$",
                "\\.(php|txt)$",
                "x",
                "^/(a|b)/(.+)$",
                "[[:upper:]]",
                "^/a$",
                "/$",
                "^/(.*)",
                "^(/api)?/(?<cap>.*)$",
                "^/.{2}/",
                "\\s",
                "(?i)/WS/",
                "^/dir",
                "é",
            )
        )

    def locations(self) -> List[Node]:
        self.named = ["@n%d" % index for index in range(self.rng.randint(0, 2))]
        nodes = self.location_set("", self.rng.randint(1, 6), 0)
        for name in self.named:
            nodes.append(Node("location", name, block=self.body("named", 1, name)))
        return nodes

    def location_set(self, outer: str, count: int, depth: int) -> List[Node]:
        nodes: List[Node] = []
        seen = set()
        for _index in range(count):
            kind = self.pick(("prefix", "prefix", "prefix", "^~", "=", "~", "~*", "~"))
            if kind in ("~", "~*"):
                name = self.regex()
            else:
                name = self.path()
                if outer:
                    name = outer + name.lstrip("/") if outer.endswith("/") else outer + name
                key = (kind == "=", name)
                if key in seen:
                    continue
                seen.add(key)
            words = [name] if kind == "prefix" else [kind, name]
            nested: List[Node] = []
            if depth < 2 and kind != "=" and self.chance(0.35):
                inner = name if kind in ("prefix", "^~") else ""
                nested = self.location_set(inner, self.rng.randint(1, 3), depth + 1)
                if kind in ("~", "~*"):
                    nested = [node for node in nested if node.args[0] in ("~", "~*")]
            block = self.body(kind, depth, name) + nested
            if self.chance(0.3):
                self.rng.shuffle(block)
            nodes.append(Node("location", *words, block=block))
        return nodes

    def body(self, kind: str, depth: int, name: str) -> List[Node]:
        nodes = [self.mark()]
        regex = kind in ("~", "~*")
        if self.chance(0.08):
            nodes.append(Node("internal"))
        if self.chance(0.25):
            nodes += self.headers()
        if self.chance(0.25):
            nodes += self.upgrades()
        elif self.chance(0.2):
            nodes.append(Node("proxy_http_version", self.pick(("1.0", "1.1"))))
        if self.chance(0.05):
            nodes.append(Node("proxy_pass_request_headers", self.pick(("on", "off"))))
        if self.chance(0.25):
            nodes += self.rewrites("location")
        if self.chance(0.25):
            nodes += self.guards()
        if self.chance(0.15):
            nodes += self.answer_headers()
        if self.maps and self.chance(0.1):
            nodes += self.map_twice()
        if self.chance(0.12):
            nodes.append(self.error_page())
        action = self.rng.random()
        if action < 0.66:
            nodes.append(self.proxy_pass(regex or kind == "named", regex))
        elif action < 0.72:
            nodes.append(self.return_())
        elif action < 0.76 and kind not in ("named",):
            nodes.append(Node("root", self.root))
        # try_files with a URI in proxy_pass reads beyond the URI before nginx 1.29.4
        replaced = any(n.name == "proxy_pass" and "/" in n.args[0][8:] for n in nodes)
        if self.chance(0.12) and not replaced:
            nodes.append(self.try_files())
        if self.chance(0.05):
            nodes.append(Node("autoindex", "on"))
        if kind in ("prefix", "^~") and name.endswith("/") and action >= 0.8 and self.chance(0.6):
            nodes.append(Node("alias", self.root + "/" + self.pick(("a/", "dir/", "", "a"))))
            if self.chance(0.6) and not any(node.name == "try_files" for node in nodes):
                nodes.append(self.try_files())
                if self.chance(0.5):
                    nodes[-1].args[-1] = name + self.pick(("$arg_q", "$arg_x", "$http_x"))
        if self.chance(0.06) and nodes[-1].name != "limit_except":
            inner = [
                Node("proxy_pass", "http://" + self.target()),
                *(self.guards() if self.chance(0.5) else []),
            ]
            inner = [node for node in inner if node.name not in ("client_max_body_size", "satisfy")]
            nodes.append(Node("limit_except", "GET", block=inner))
        return nodes

    # -- guards, limits, headers of the answer ----------------------------------------------------

    def guards(self) -> List[Node]:
        """Who is let in: address rules, a password, both joined, how large a body may be."""
        nodes: List[Node] = []
        if self.chance(0.6):
            values = ("127.0.0.1", "127.0.0.0/8", "127.0.0.2", "10.0.0.0/8", "::1", "unix:", "all")
            for _index in range(self.rng.randint(1, 3)):
                nodes.append(Node(self.pick(("allow", "deny")), self.pick(values)))
        if self.chance(0.4):
            nodes.append(Node("auth_basic", self.pick(("realm", "realm", "off", "$http_x"))))
            nodes.append(Node("auth_basic_user_file", self.root + "/users"))
        if self.chance(0.4):
            nodes.append(Node("satisfy", self.pick(("any", "any", "all"))))
        if self.chance(0.5):
            nodes.append(Node("client_max_body_size", self.pick(("0", "1", "4", "8", "1k"))))
        return nodes

    def upgrades(self) -> List[Node]:
        """What a WebSocket location has."""
        return [
            Node("proxy_http_version", "1.1"),
            Node("proxy_set_header", "Upgrade", "$http_upgrade"),
            Node("proxy_set_header", "Connection", self.pick(("upgrade", "Upgrade", "$http_connection"))),
        ]

    def answer_headers(self) -> List[Node]:
        """Headers that nginx adds to the answer or takes from the backend's."""
        nodes: List[Node] = []
        if self.chance(0.6):
            nodes.append(self.mark())
            name = self.pick(("X-Add", "X-Add-Two"))
            value = self.pick(("1", "$uri", "$http_x", "$host-$request_method", ""))
            nodes.append(Node("add_header", name, value, *(["always"] if self.chance(0.5) else [])))
        if self.chance(0.5):
            nodes.append(Node("proxy_hide_header", self.pick(("X-Back", "x-other", "Upgrade"))))
        if self.chance(0.3):
            nodes.append(Node("proxy_pass_header", self.pick(("Server", "X-Pad"))))
        if self.chance(0.3):
            nodes.append(Node("proxy_method", self.pick(("POST", "$http_x$request_method"))))
        return nodes

    def map_twice(self) -> List[Node]:
        """A map that is used before and after the URI changes: it keeps its first value."""
        name = self.rng.choice(self.maps)[0]
        return [
            Node("set", "$v0", "$" + name),
            Node("rewrite", "^(.*)$", self.pick(("/ws/m", "/m$1")), "break"),
            Node("proxy_set_header", "X-Map", "$%s-$v0" % name),
        ]

    def proxy_pass(self, bare: bool, regex: bool) -> Node:
        base = "http://" + (self.target() if self.chance(0.92) else self.prefix + "_up")
        choice = self.rng.random()
        if choice < 0.3:
            tail = self.pick(
                ("$uri", "$request_uri", "/v/$http_x", "/v$uri$is_args$args", "/q?$args", "?z=$arg_q")
            )
            if regex and self.chance(0.6):
                tail = self.pick(("/c/$1", "/c/$2?k=$1", "/$cap"))
            return Node("proxy_pass", base + (tail if self.chance(0.8) else ""))
        if bare or choice < 0.6:
            return Node("proxy_pass", base)
        return Node("proxy_pass", base + self.pick(("/", "/x", "/x/", "/x/y/", "/%41/", "/p?q=1")))

    def return_(self) -> Node:
        return self.pick_node(
            (
                Node("return", "200", "text-" + self.value()),
                Node("return", "204"),
                Node("return", "404"),
                Node("return", "403", "no"),
                Node("return", "418"),
                Node("return", "301", "/moved$uri"),
                Node("return", "302", "https://$host$request_uri"),
                Node("return", "http://other.test/$arg_q"),
                Node("return", "307", "relative"),
                Node("return", "444"),
                Node("return", self.pick(("408", "499", "494", "495", "496", "497"))),
                Node("return", self.pick(("401", "405", "413", "499")), self.pick(("", "text"))),
                Node("return", "200", "line $request"),
            )
        )

    def pick_node(self, nodes: Sequence[Node]) -> Node:
        return self.rng.choice(nodes).copy()

    def error_page(self) -> Node:
        known = ("404", "403", "418", "500", "405", "401", "413", "497", "408")
        codes = self.rng.sample(known, self.rng.randint(1, 3))
        over = self.pick(("", "", "=", "=200"))
        target = self.pick(
            ("/err", "/a/", "/index.html", *self.named, *self.named, "http://err.test/x", "/f.txt?e=1")
        )
        return Node("error_page", *codes, *([over] if over else []), target)

    def try_files(self) -> Node:
        first = self.rng.sample(
            ("$uri", "$uri/", "/f.txt", "/dir$uri", "$uri.txt", "/a/index.html"), self.rng.randint(1, 2)
        )
        last = self.pick(
            ("=404", "=418", "/index.html", "/f.txt", "/api?x=1", "/ws/$arg_q", *self.named, *self.named)
        )
        return Node("try_files", *first, last)

    # -- rewrites ---------------------------------------------------------------------------------

    def condition(self) -> str:
        kind = self.rng.random()
        if kind < 0.3:
            return "(${})".format(
                self.pick(("http_x", "args", "arg_q", "http_upgrade", *(name for name, _r in self.maps)))
            )
        if kind < 0.6:
            value = self.pick(("GET", "one", "a.test", "/a", "", "websocket", "$http_x"))
            variable = self.pick(("request_method", "http_x", "host", "uri", "http_upgrade", "scheme"))
            return "(${} {} {})".format(variable, self.pick(("=", "!=")), quote(value, 1))
        if kind < 0.9:
            pattern = self.pick(("^/a", "one", "^(.)(.)", "WEB", "php$", "^$", "(?<cap>[a-z]+)"))
            variable = self.pick(("uri", "http_x", "request_uri", "host", "args"))
            operator = self.pick(("~", "~*", "!~", "!~*"))
            return f"(${variable} {operator} {quote(pattern, 1)})"
        path = self.pick(("f.txt", "dir", "nope", "a/index.html"))
        return "({} {}/{})".format(self.pick(("-f", "-d", "-e", "!-f", "!-e", "!-d")), self.root, path)

    def rewrites(self, level: str, depth: int = 0) -> List[Node]:
        nodes: List[Node] = []
        open_ended = False
        for _index in range(self.rng.randint(1, 3)):
            kind = self.rng.random()
            if kind < 0.3:
                name = "v%d" % self.rng.randint(0, 3)
                plain = [found for found, regex in self.maps if not regex]
                value = self.value(captures=not open_ended and depth == 0)
                if plain and self.chance(0.3):
                    value = "$" + self.pick(plain)
                nodes.append(Node("set", "$" + name, value))
                if name not in self.variables:
                    self.variables.append(name)
            elif kind < 0.65:
                open_ended = True
                nodes.append(self.rewrite())
            elif kind < 0.9 and depth < 1:
                inner = self.rewrites(level, depth + 1)
                open_ended = True
                if self.chance(0.4):
                    inner.append(self.return_())
                elif level == "location":
                    inner.append(self.mark())
                    if self.chance(0.5):
                        inner.append(Node("proxy_pass", "http://" + self.target()))
                nodes.append(Node("if", block=inner, raw=self.condition()))
            else:
                nodes.append(Node("break"))
        if level == "server":
            # a server that always rewrites or returns hides everything else
            nodes = [node for node in nodes if node.name != "rewrite" or self.chance(0.5)]
        return nodes

    def rewrite(self) -> Node:
        pattern = self.pick(
            ("^/a/(.*)$", "^/(.*)/b$", "^/ws(/.*)?$", "^/(?<cap>a+)", "php", "^(.*)$", "^/b/", "/x")
        )
        target = self.pick(
            (
                "/a/$1",
                "/ws/$1",
                "/b?x=$1",
                "/api/$1?",
                "/new",
                "/$cap/z",
                "/x.php?p=$1&q=$arg_q",
                "/dir$uri",
                "http://r.test/$1",
                "$scheme://$host/r/$1",
                "/q $1",
                "/b?x=$1?y",
                "/$http_x",
            )
        )
        flag = self.pick(("", "last", "last", "break", "break", "redirect", "permanent"))
        return Node("rewrite", pattern, target, *([flag] if flag else []))


def make_site(seed: int, ports: Sequence[int], backend: int, root: str, tls: int, certs: str) -> List[Node]:
    """The random configuration of a seed."""
    return Maker(random.Random(seed), ports, backend, root, tls, certs).site()
