"""What the keys of one site mean together: dependent defaults, and combinations that make no sense."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .specification import Reader, options
from .values.regex import matches

Site = Dict[str, Any]

DEFAULT_PORTS = [8000, 3000]
LETS_ENCRYPT = "/etc/letsencrypt/live"
ACME_PATH = "/.well-known/acme-challenge/"
RELEASE_PATH = "/.well-known/nginx-websocket/"
YEAR = 31536000

#: WebSockets that verification opens from one address, for each route and each of HTTP and HTTPS.
PROBES = 5


def complete(site: Site, place: str, reader: Reader) -> Site:
    """Return the site with nothing left open that the host does not decide.

    Args:
        site: The site as the specification has read it.
        place: How messages name it.
        reader: Keeps what is refused.
    """
    _names(site, place, reader)
    _sides(site, place, reader)
    _backends(site, place, reader)
    _websockets(site, place, reader)
    _prefixes(site, place, reader)
    _cross_origin(site, place, reader)
    _headers(site, place, reader)
    _addresses(site, place, reader)
    _limits(site, place, reader)
    return site


def _names(site: Site, place: str, reader: Reader) -> None:
    name = site["name"]
    names = site["server_names"] = site["server_names"] or [name]
    if name not in names:
        reader.refuse(
            f"{place}.server_names", names, f"a list that holds {name} too", "The name itself is one of them."
        )
    for index, other in enumerate(names):
        if other in names[:index]:
            reader.refuse(
                f"{place}.server_names[{index}]", other, "each name once", "Take it out of the list."
            )
    if site["redirect_www"] and name.startswith("www."):
        fix = f"Make {name[4:]} the name of the site."
        reader.refuse(f"{place}.redirect_www", True, "a site whose name does not begin with www.", fix)
    if site["redirect_www"] and f"www.{name}" in names:
        fix = f"Take www.{name} out of server_names."
        reader.refuse(f"{place}.redirect_www", True, f"www.{name} to be either redirected or served", fix)
    site["www"] = f"www.{name}" if site["redirect_www"] else None


def _sides(site: Site, place: str, reader: Reader) -> None:
    http, tls, hsts = site["http"], site["tls"], site["tls"]["hsts"]
    http["mode"] = http["mode"] or ("redirect" if tls["enabled"] else "serve")
    # Where nothing is said, the live file's pair is carried over, whoever wrote it.
    tls["carry_over"] = not tls["certificate"] and not tls["certificate_key"]
    tls["certificate"] = tls["certificate"] or f"{LETS_ENCRYPT}/{site['name']}/fullchain.pem"
    tls["certificate_key"] = tls["certificate_key"] or f"{LETS_ENCRYPT}/{site['name']}/privkey.pem"
    if not tls["enabled"] and http["mode"] != "serve":
        fix = "Set http.mode to serve, or tls.enabled to true."
        reader.refuse(f"{place}.http.mode", http["mode"], "serve, since tls.enabled is false", fix)
    if tls["enabled"] and http["mode"] != "none" and http["port"] == tls["port"]:
        reader.refuse(
            f"{place}.tls.port", tls["port"], "another port than http.port", "443 is the usual one."
        )
    if hsts["enabled"] and (http["mode"] == "serve" or not tls["enabled"]):
        expected = "HTTPS only, since browsers that saw the header never use HTTP again"
        reader.refuse(f"{place}.tls.hsts.enabled", True, expected, "Set http.mode to redirect.")
    if hsts["preload"] and not (hsts["include_subdomains"] and hsts["max_age"] >= YEAR):
        fix = f"Set include_subdomains to true and max_age to {YEAR} or more."
        reader.refuse(f"{place}.tls.hsts.preload", True, "what the preload list asks for", fix)
    if site["real_ip"]["header"] == "proxy_protocol" and not site["listen"]["proxy_protocol"]:
        fix = "Set listen.proxy_protocol to true."
        reader.refuse(f"{place}.real_ip.header", "proxy_protocol", "sockets that speak it", fix)


def _backends(site: Site, place: str, reader: Reader) -> None:
    names = []
    for index, backend in enumerate(site["backends"]):
        here = f"{place}.backends[{index}]"
        if backend["name"] in names:
            reader.refuse(
                f"{here}.name", backend["name"], "a name that no other backend has", "Choose another."
            )
        names.append(backend["name"])
        places = [key for key in ("ports", "socket", "servers") if backend[key]]
        if len(places) > 1:
            reader.refuse(
                here, backend["name"], "one of ports, socket and servers", f"It has {' and '.join(places)}."
            )
        if not places:
            backend["ports"] = list(DEFAULT_PORTS)
        backend["tls"]["server_name"] = backend["tls"]["server_name"] or site["name"]
        _servers(backend, here, reader)
    for kind in ("websockets", "api", "uploads"):
        for index, route in enumerate(site[kind]):
            route["backend"] = route["backend"] or (names[0] if names else None)
            if route["backend"] not in names:
                fix = f"There are: {', '.join(names)}." if names else "Add it to `backends`."
                variable = f"{place}.{kind}[{index}].backend"
                reader.refuse(variable, route["backend"], "the name of a backend of this site", fix)


def _servers(backend: Dict[str, Any], place: str, reader: Reader) -> None:
    for index, server in enumerate(backend["servers"] or []):
        here = f"{place}.servers[{index}]"
        by_host = server["host"] is not None and server["port"] is not None
        if server["socket"] is not None and (server["host"] is not None or server["port"] is not None):
            reader.refuse(here, server["socket"], "a socket, or host and port", "Not both.")
        elif server["socket"] is None and not by_host:
            reader.refuse(
                here, server["host"] or server["port"], "host and port, or a socket", "Add what is missing."
            )
        if server["backup"] and backend["balance"] == "ip_hash":
            fix = "Choose least_conn or round_robin."
            reader.refuse(
                f"{here}.backup", True, "no backup servers, which nginx does not have with ip_hash", fix
            )
    if backend["servers"] and all(server["backup"] for server in backend["servers"]):
        reader.refuse(f"{place}.servers", "backup: true", "at least one server that is no backup", "")


def own_origins(site: Site) -> List[str]:
    """Return the origins of the site's own pages."""
    sides = []
    if site["tls"]["enabled"]:
        sides.append(("https", site["tls"]["port"], 443))
    if site["http"]["mode"] == "serve":
        sides.append(("http", site["http"]["port"], 80))
    return [
        f"{scheme}://{name}" + ("" if port == usual else f":{port}")
        for name in site["server_names"]
        for scheme, port, usual in sides
    ]


def _with_own(origins: Optional[List[str]], site: Site) -> List[str]:
    """Return an allow-list with the site's own pages, which nobody means to lock out by naming others."""
    own = own_origins(site)
    if origins and ("*" in origins or not site["own_origins"]):
        return origins
    return own + [origin for origin in origins or [] if origin not in own]


def _websockets(site: Site, place: str, reader: Reader) -> None:
    _origin_list(site["origins"] or [], f"{place}.origins", reader)
    site["origins"] = _with_own(site["origins"], site)
    paths: List[str] = []
    for index, route in enumerate(site["websockets"]):
        here = f"{place}.websockets[{index}]"
        route["index"] = index
        if route["origins"] is not None:
            _origin_list(route["origins"], f"{here}.origins", reader)
        route["origins"] = _with_own(route["origins"], site) if route["origins"] else site["origins"]
        path, regex = route["path"], route["regex"]
        if (path is None) == (regex is None):
            fix = "Add what is missing." if path is None else "Take one out."
            reader.refuse(here, path, "path or regex, one of them", fix)
            continue
        if regex is not None and route["probe_path"] is None:
            fix = "Give a path that the regex matches."
            reader.refuse(
                f"{here}.probe_path", None, "a path on which verification can open a WebSocket", fix
            )
            continue
        route["probe_path"] = route["probe_path"] or (f"{path}probe" if path.endswith("/") else path)
        if path is not None:
            if path in paths:
                reader.refuse(f"{here}.path", path, "each path once", "Take one of the two routes out.")
            paths.append(path)
        if takes(route, route["probe_path"]) is False:
            fix = "Give one that the route takes."
            reader.refuse(
                f"{here}.probe_path", route["probe_path"], f"a path of this route, {path or regex}", fix
            )
        for reserved in (ACME_PATH, RELEASE_PATH):
            if path is not None and path.startswith(reserved):
                fix = "Serve the WebSocket elsewhere."
                reader.refuse(f"{here}.path", path, f"a path outside {reserved}, which this role needs", fix)
    site["websockets"] = _in_order(site["websockets"])
    _refuse_shadowed(site["websockets"], place, reader)


def _in_order(routes: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return the routes as they must stand in the file, where the first match wins."""
    return [route for route in routes if route["regex"]] + sorted(
        (route for route in routes if not route["regex"]), key=lambda route: -len(route["path"] or "")
    )


def _refuse_shadowed(routes: List[Dict[str, Any]], place: str, reader: Reader) -> None:
    for number, route in enumerate(routes):
        for earlier in routes[:number]:
            if earlier["regex"] and route["probe_path"] and takes(earlier, route["probe_path"]):
                variable = f"{place}.websockets[{route['index']}].{'regex' if route['regex'] else 'path'}"
                by = f"websockets[{earlier['index']}].regex, {earlier['regex']}"
                expected = f"a route that no earlier one takes: {route['probe_path']} goes to {by}"
                fix = "Put the narrower regex first, or make the other narrower."
                reader.refuse(variable, route["regex"] or route["path"], expected, fix)
                break


def takes(route: Dict[str, Any], path: str) -> Optional[bool]:
    """Return whether a WebSocket route takes a path, None where only nginx can tell."""
    if route["regex"]:
        return matches(route["regex"], path)
    if route["path"] is None:
        return None
    own = route["path"]
    return path.startswith(own) if own.endswith("/") else path == own or path.startswith(own + "/")


def prefixes(site: Site, place: str) -> Iterator[Tuple[str, str]]:
    """Yield the general routes of a site: the variable that sets each, and its path."""
    for kind in ("api", "uploads"):
        for index, route in enumerate(site[kind]):
            yield f"{place}.{kind}[{index}].path", route["path"]
    if site["spa"]:
        for index, path in enumerate(site["spa"]["assets"]):
            yield f"{place}.spa.assets[{index}]", path
        yield f"{place}.spa", "/"


def _prefixes(site: Site, place: str, reader: Reader) -> None:
    seen: Dict[str, str] = {}
    for variable, path in prefixes(site, place):
        if path in seen:
            reader.refuse(
                variable, path, f"a path that {seen[path]} has not taken", "Take one of the two out."
            )
        seen[path] = variable
        if path != "/" and path.startswith((ACME_PATH, RELEASE_PATH)):
            reader.refuse(variable, path, "a path that this role does not use itself", "Choose another.")
        for route in site["websockets"]:
            if takes(route, path):
                by = f"websockets[{route['index']}], {route['path'] or route['regex']}"
                fix = "A WebSocket route stands before all others: make it narrower, or take this one out."
                reader.refuse(variable, path, f"a path that no WebSocket route takes: it goes to {by}", fix)


def _origin_list(origins: List[str], place: str, reader: Reader) -> None:
    if "*" in origins and len(origins) > 1:
        reader.refuse(place, origins, "* alone, or a list of origins", "* allows all: take the others out.")
    for index, origin in enumerate(origins):
        if origin in origins[:index]:
            reader.refuse(f"{place}[{index}]", origin, "each origin once", "Take it out of the list.")


def _cross_origin(site: Site, place: str, reader: Reader) -> None:
    for index, route in enumerate(site["api"]):
        here = f"{place}.api[{index}].cors"
        cors = route["cors"]
        _origin_list(cors["origins"], f"{here}.origins", reader)
        if cors["credentials"] and "*" in cors["origins"]:
            fix = "Name the origins, or set credentials to false."
            reader.refuse(
                f"{here}.credentials", True, "a list of origins; browsers refuse cookies with *", fix
            )
        if cors["credentials"] and "*" in cors["headers"] + cors["methods"]:
            reader.refuse(
                f"{here}.credentials", True, "headers and methods by name", "* does not hold with cookies."
            )


def _headers(site: Site, place: str, reader: Reader) -> None:
    """Complete the response headers: a header of one's own replaces that of the role, and no other."""
    given = {name.lower() for name in site["security_headers"]}
    role = options()["nginx_websocket_sites"]["options"]["security_headers"]["default"]
    usual = {name: value for name, value in role.items() if name.lower() not in given}
    seen: List[str] = []
    for name in site["security_headers"]:
        if name.lower() in seen:
            reader.refuse(
                f"{place}.security_headers.{name}", name, "each header once", "Case does not matter."
            )
        seen.append(name.lower())
    wanted = {**usual, **site["security_headers"]}
    site["security_headers"] = {name: value for name, value in wanted.items() if value != ""}
    if "strict-transport-security" in seen:
        variable = f"{place}.security_headers.Strict-Transport-Security"
        reader.refuse(
            variable, "", "this header to be set by tls.hsts", "Set tls.hsts.enabled to true there."
        )


def _addresses(site: Site, place: str, reader: Reader) -> None:
    seen = set()
    for index, address in enumerate(site["listen"]["addresses"]):
        with contextlib.suppress(ValueError):  # refused already
            one = ipaddress.ip_address(address)
            if one in seen:
                variable = f"{place}.listen.addresses[{index}]"
                reader.refuse(variable, address, "each address once", "Take it out.")
            seen.add(one)


def _limits(site: Site, place: str, reader: Reader) -> None:
    limits = site["limits"]
    counted = [key for key in ("sockets", "handshakes_per_minute", "requests_per_second") if limits[key]]
    if counted and site["listen"]["proxy_protocol"] and not site["real_ip"]["trusted"]:
        expected = "real_ip.trusted to name the proxy in front, or all clients count as one"
        fix = "Set real_ip.trusted to its addresses, and real_ip.header to proxy_protocol."
        reader.refuse(f"{place}.limits.{counted[0]}", limits[counted[0]], expected, fix)
    endpoints = int(site["tls"]["enabled"]) + int(site["http"]["mode"] == "serve")
    room = PROBES * endpoints * len(site["websockets"])
    for key in ("sockets", "burst") if limits["handshakes_per_minute"] else ("sockets",):
        if limits[key] and limits[key] < room:
            expected = f"at least {room}, since deployment and verification open so many WebSockets at once"
            reader.refuse(f"{place}.limits.{key}", limits[key], expected, f"Write {room} or more.")


def usual_ports(site: Site) -> bool:
    """Return whether browsers reach the site without a port in the URL."""
    plain = site["http"]["mode"] == "none" or site["http"]["port"] == 80
    return plain and (not site["tls"]["enabled"] or site["tls"]["port"] == 443)


__all__ = ["complete", "own_origins", "prefixes", "takes", "usual_ports"]
