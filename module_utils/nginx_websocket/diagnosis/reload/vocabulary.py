"""The family's codes in words: files that nginx refuses, or has not read."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CONTROL, DOCS, MAIN, PROXY, WEBSOCKET, Entry

ENTRIES: Dict[str, Entry] = {
    codes.MAP_WRONG_CONTEXT: Entry(
        "the map block stands outside http, so nginx refuses the configuration",
        "move the map into http { } (the top of a file included there is right, the top of nginx.conf "
        "is not)",
        DOCS + "http/ngx_http_map_module.html",
    ),
    codes.MISSING_MAP: Entry(
        "a variable is used that no map, set or module defines, so nginx refuses the configuration",
        "define the variable, for example map $http_upgrade $connection_upgrade at http level",
        WEBSOCKET,
    ),
    codes.PROXY_PASS_URI_IN_REGEX: Entry(
        "proxy_pass has a URI part where nginx cannot replace a prefix, so it refuses the configuration",
        "drop the URI part from proxy_pass (rewrite ... break can change the path)",
        PROXY + "#proxy_pass",
    ),
    codes.PROXY_PASS_WS_SCHEME: Entry(
        "proxy_pass has a scheme nginx does not know, so it refuses the configuration",
        "proxy_pass http://... (https:// for a backend that speaks TLS): a WebSocket starts as HTTP",
        PROXY + "#proxy_pass",
    ),
    codes.NGINX_CONFIG_INVALID: Entry(
        "nginx -t refuses the configuration on disk",
        "correct the line that nginx -t names, test again, reload",
        CONTROL,
    ),
    codes.SEMICOLON_MISSING: Entry(
        "a semicolon is missing, and nginx takes the next directive for more arguments of this one",
        "end the directive with a semicolon, so that the next line is a directive of its own",
        DOCS + "beginners_guide.html#conf_structure",
    ),
    codes.NOT_INCLUDED_FILE: Entry(
        "the file with the WebSocket location is not part of the configuration",
        "name the file so that the include pattern takes it (or link it into sites-enabled), then reload",
        MAIN + "#include",
    ),
    codes.RELOAD_FAILED: Entry(
        "the last reload failed: the workers still run the configuration from before it",
        "remove the reason that the error log names, reload, and read the error log again",
        CONTROL,
    ),
    codes.STALE_CONFIG_NOT_RELOADED: Entry(
        "the configuration on disk is newer than the one the workers run",
        "reload nginx, then compare the workers' start time with the file's",
        CONTROL,
    ),
    codes.RELOAD_OLD_SOCKETS_OLD_CONFIG: Entry(
        "sockets opened before the last reload still live on old workers with the old configuration",
        "reconnect the clients (worker_shutdown_timeout ends old workers after a while)",
        CONTROL,
    ),
    codes.RELOAD_CLOSES_SOCKETS: Entry(
        "every reload closes all open sockets after worker_shutdown_timeout",
        "a longer worker_shutdown_timeout, fewer reloads, clients that reconnect with jitter",
        MAIN + "#worker_shutdown_timeout",
    ),
    codes.BACKUP_FILE_INCLUDED: Entry(
        "a file that looks like a backup lies in an included directory and is part of the configuration",
        "move it out of the included directory",
        MAIN + "#include",
    ),
    codes.DUPLICATE_MAP: Entry(
        "two map blocks define the same variable: the last one holds for every site",
        "keep one of them, or give each site a variable of its own",
        DOCS + "http/ngx_http_map_module.html",
    ),
}
