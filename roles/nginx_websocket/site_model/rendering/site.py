"""What the templates render: one settled site in nginx's own words, every text quoted where it must be."""

from __future__ import annotations

import os.path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..identifiers import all_names, bracketed, stem, upstream
from ..questions import CERTBOT_DHPARAM, CERTBOT_OPTIONS, IPV6_INTERFACES
from ..sites import usual_ports
from .limits import limits
from .quoting import quoted, regex_literal, token

Site = Dict[str, Any]
Facts = Mapping[str, Any]

LOG_DIRECTORY = "/var/log/nginx"

#: nginx's ``map_hash_bucket_size`` is 64 by default; a longer key stops it from starting, a regular
#: expression does not.
LONGEST_MAP_KEY = 40

#: Mozilla's intermediate profile, version 5.7. DHE suites are of use only with parameters for them.
INTERMEDIATE_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
INTERMEDIATE_DHE_CIPHERS = ":DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"


def model(site: Site, facts: Facts) -> Dict[str, Any]:
    """Return one site as the templates see it.

    Args:
        site: A completed site with the ports of its backends.
        facts: What `nginx_facts` answered.
    """
    name = stem(site["name"])
    names = all_names(site)
    links = {backend["name"]: link(site, backend) for backend in site["backends"]}
    origin_maps = Maps(f"{name}_origin_denied")
    cors_maps = Maps(f"{name}_cors_origin")
    secret = [route for route in site["websockets"] if route["secret_path"]]
    log = log_file(site, facts)
    path_variable = f"${name}_logged_path" if secret else f"${name}_request_path"
    return {
        "name": site["name"],
        "stem": name,
        "server_names": site["server_names"],
        "all_names": names,
        "www": site["www"],
        "www_target": target(site, "https" if site["tls"]["enabled"] else "http", site["name"]),
        "https_target": target(site, "https", redirect_host(site, names)),
        "listen": site["listen"],
        "sockets": sockets(site, facts),
        "http": site["http"],
        "tls": {"enabled": site["tls"]["enabled"], **(tls(site, facts) if site["tls"]["enabled"] else {})},
        "real_ip": site["real_ip"],
        "peers": peers(site, facts),
        "host_header": "$host" if usual_ports(site) else "$http_host",
        "max_body_size": site["max_body_size"],
        "limits": limits(site),
        "headers": headers(site),
        "upstreams": [servers(site, backend) for backend in site["backends"]],
        "websockets": [
            {
                "pattern": quoted(pattern(route)),
                "origin_variable": None
                if "*" in route["origins"]
                else origin_maps.variable(route["origins"], route["path"] or route["regex"]),
                "timeout": route["timeout"],
                "to": links[route["backend"]],
            }
            for route in site["websockets"]
        ],
        "api": [
            {
                **general(route, links),
                "buffering": route["buffering"],
                "cors": cors(route["cors"], cors_maps, route["path"]),
            }
            for route in site["api"]
        ],
        "uploads": [general(route, links) for route in site["uploads"]],
        "spa": site["spa"],
        "includes": site["includes"],
        "takes_root": any(route["path"] == "/" for kind in ("api", "uploads") for route in site[kind]),
        "origin_maps": origin_maps.maps,
        "cors_maps": cors_maps.maps,
        "log": log
        and {"file": log, "masks": [mask(route) for route in secret], "path_variable": path_variable},
    }


class Maps:
    """The maps of one kind, one for each different list of origins."""

    def __init__(self, name: str) -> None:
        """Start without a map; `name` is the first one's variable."""
        self.name = name
        self.maps: List[Dict[str, Any]] = []

    def variable(self, origins: Sequence[str], title: str) -> str:
        """Return the variable of the map for a list of origins, and add the map if it is new."""
        allowed = [origin_key(origin) for origin in origins]
        for known in self.maps:
            if known["allowed"] == allowed:
                known["titles"].append(title)
                return str(known["variable"])
        variable = self.name if not self.maps else f"{self.name}_{len(self.maps) + 1}"
        page = variable.replace("_origin_denied", "_page_denied")
        self.maps.append({"variable": variable, "page": page, "allowed": allowed, "titles": [title]})
        return variable


def origin_key(origin: str) -> str:
    """Return an origin as a key of a map."""
    scheme, _, host = origin.partition("://")
    if host.startswith("*."):
        return quoted(f"~*^{regex_literal(scheme)}://[a-z0-9-]+(?:\\.[a-z0-9-]+)*{regex_literal(host[1:])}$")
    if len(origin) > LONGEST_MAP_KEY:
        return quoted(f"~*^{regex_literal(origin)}$")
    return token(origin)


def pattern(route: Mapping[str, Any]) -> str:
    """Return the regular expression of a WebSocket route's location."""
    if route["regex"]:
        return str(route["regex"])
    return "^" + regex_literal(route["path"]) + ("" if route["path"].endswith("/") else "(?:/|$)")


def mask(route: Mapping[str, Any]) -> Dict[str, str]:
    """Return which paths of a route hold a token, and what the log shows in their place."""
    if route["regex"]:
        return {"key": quoted(f"~{route['regex']}"), "shown": "***"}
    path = route["path"].rstrip("/") + "/"
    return {"key": quoted(f"~^{regex_literal(path)}."), "shown": token(f"{path}***")}


def peers(site: Site, facts: Facts) -> List[str]:
    """Return the variables that must all be the server's own address for a request to come from the host.

    ``$remote_addr`` is what the realip module makes of a header that anybody may send, where the site or the
    rest of the configuration trusts its sender; ``$realip_remote_addr`` is who connected.  An nginx without
    the module does not know that variable, and changes ``$remote_addr`` for nobody.  Behind the PROXY
    protocol whoever connects is a proxy, which may run on the host: then its line must name the host as well.
    """
    connected = "$remote_addr" if facts["nginx"].get("realip") is False else "$realip_remote_addr"
    return [connected, *(["$proxy_protocol_addr"] if site["listen"]["proxy_protocol"] else [])]


def target(site: Site, scheme: str, host: str) -> str:
    """Return scheme, host and port of a redirect."""
    port = site["tls"]["port"] if scheme == "https" else site["http"]["port"]
    return f"{scheme}://{host}" + ("" if port == {"https": 443, "http": 80}[scheme] else f":{port}")


def redirect_host(site: Site, names: Sequence[str]) -> str:
    """Return the host that plain HTTP is sent to: the one that was asked for, when there are several."""
    return str(site["name"]) if len(names) == 1 or site["listen"]["default_server"] else "$host"


def sockets(site: Site, facts: Facts) -> Dict[str, Any]:
    """Return the parameters of the listen directives."""
    listen = site["listen"]
    addresses = [f"[{address}]:" if ":" in address else f"{address}:" for address in listen["addresses"]] or [
        ""
    ]
    ipv6 = listen["ipv6"] == "always" or (listen["ipv6"] == "auto" and exists(facts, IPV6_INTERFACES))
    if not listen["addresses"] and ipv6:
        addresses.append("[::]:")
    common = " proxy_protocol" if listen["proxy_protocol"] else ""
    form = facts["nginx"]["http2_form"] if site["tls"]["http2"] else "none"
    return {
        "http": [f"{address}{site['http']['port']}{common}" for address in addresses],
        "tls": [
            f"{address}{site['tls']['port']} ssl{' http2' if form == 'listen' else ''}{common}"
            for address in addresses
        ],
        "http2_directive": form == "directive",
    }


def tls(site: Site, facts: Facts) -> Dict[str, Any]:
    """Return certificate and protocol settings."""
    settings = site["tls"]
    dhparam = chosen(settings["dhparam"], CERTBOT_DHPARAM, facts)
    return {
        "certificate": settings["certificate"],
        "certificate_key": settings["certificate_key"],
        "options_file": chosen(settings["options_file"], CERTBOT_OPTIONS, facts),
        "dhparam": dhparam,
        "ciphers": INTERMEDIATE_CIPHERS + (INTERMEDIATE_DHE_CIPHERS if dhparam else ""),
    }


def chosen(setting: str, usual: str, facts: Facts) -> Optional[str]:
    """Return the file to include, None for none."""
    if setting == "auto":
        return usual if exists(facts, usual) else None
    return None if setting == "none" else setting


def exists(facts: Facts, path: str) -> bool:
    """Return whether the host has a path."""
    return bool(facts.get("paths", {}).get(path, {}).get("exists"))


def log_file(site: Site, facts: Facts) -> Optional[str]:
    """Return the access log, None for none."""
    if site["access_log"] == "none":
        return None
    if site["access_log"] != "auto":
        return str(site["access_log"])
    logs = [path for path in facts["nginx"].get("error_logs") or [] if path.startswith("/")]
    directory = os.path.dirname(logs[0]) if logs else LOG_DIRECTORY
    return os.path.join(directory, f"{site['name']}.access.log")


def headers(site: Site) -> List[Dict[str, str]]:
    """Return the headers of every answer."""
    hsts = site["tls"]["hsts"]
    result = [{"name": name, "value": token(value)} for name, value in site["security_headers"].items()]
    if hsts["enabled"]:
        value = f"max-age={hsts['max_age']}"
        value += "; includeSubDomains" if hsts["include_subdomains"] else ""
        value += "; preload" if hsts["preload"] else ""
        result.append({"name": "Strict-Transport-Security", "value": token(value)})
    return result


def link(site: Site, backend: Mapping[str, Any]) -> Dict[str, Any]:
    """Return how a location passes requests to a backend."""
    settings = backend["tls"]
    scheme = "https" if settings["enabled"] else "http"
    return {
        "url": f"{scheme}://{upstream(site['name'], backend['name'])}",
        "connect_timeout": backend["connect_timeout"],
        "tls": settings if settings["enabled"] else None,
    }


def servers(site: Site, backend: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a backend as an upstream."""
    name = upstream(site["name"], backend["name"])
    if backend["servers"]:
        lines = [server_line(server) for server in backend["servers"]]
    elif backend["socket"]:
        lines = [f"unix:{backend['socket']}"]
    else:
        lines = [backend["address"]]
    method = None if backend["balance"] == "round_robin" else backend["balance"]
    return {"name": name, "method": method, "servers": lines, "keepalive": backend["keepalive"]}


def server_line(server: Mapping[str, Any]) -> str:
    """Return the parameters of a server directive."""
    place = (
        f"unix:{server['socket']}" if server["socket"] else f"{bracketed(server['host'])}:{server['port']}"
    )
    parameters = [
        f"{key}={server[key]}"
        for key in ("weight", "max_conns", "max_fails", "fail_timeout")
        if server[key] is not None
    ]
    return " ".join([place, *parameters, *(["backup"] if server["backup"] else [])])


def general(route: Mapping[str, Any], links: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a general route as its location needs it."""
    return {
        "location": token(route["path"]),
        "timeout": route["timeout"],
        "max_body_size": route["max_body_size"],
        "to": links[route["backend"]],
    }


def cors(settings: Mapping[str, Any], maps: Maps, path: str) -> Dict[str, Any]:
    """Return what a location answers to requests of other origins."""
    origins = settings["origins"]
    if not origins:
        return {"allow": None}
    everybody = "*" in origins
    return {
        "allow": "*" if everybody else "$" + maps.variable(origins, path),
        "vary": not everybody,
        "methods": quoted(", ".join(settings["methods"])),
        "headers": quoted(", ".join(settings["headers"])),
        "max_age": settings["max_age"],
        "credentials": settings["credentials"],
    }
