"""The family's codes in words: which server and location answer, and the path that they pass on."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CORE, DOCS, PROXY, REQUESTS, REWRITE, SOURCE, WEBSOCKET, Entry

ENTRIES: Dict[str, Entry] = {
    codes.DEFAULT_SERVER_CAPTURED: Entry(
        "no server block has this name, so the default server answers",
        "add the name that the client uses to the server_name of the right block",
        REQUESTS,
    ),
    codes.DUPLICATE_SERVER_NAME: Entry(
        "another server block has the same name and address and stands first; nginx ignores the second",
        "keep one server block for a name and address (move backups out of included directories)",
        DOCS + "http/server_names.html",
    ),
    codes.LISTEN_ADDRESS_CAPTURED: Entry(
        "a server that listens on the exact address hides those that listen on every address",
        "use the same address in both listen directives",
        REQUESTS,
    ),
    codes.WS_MISSING_IN_TLS_SERVER: Entry(
        "the WebSocket location stands in another server block than the one for this scheme and port",
        "pass the upgrade in this server block as well: in the location that takes this URL here, or in one "
        "like that of the other server",
        WEBSOCKET,
    ),
    codes.WRONG_LOCATION: Entry(
        "the WebSocket location does not match this path, so another location answers",
        "make the WebSocket location match the client's path",
        CORE + "#location",
    ),
    codes.SHADOWED_BY_PREFIX_CARET: Entry(
        "a ^~ prefix ends the search, so the regex location of the WebSocket is never tried",
        "make the WebSocket location a longer prefix instead of a regex",
        CORE + "#location",
    ),
    codes.REGEX_SHADOWS_PREFIX: Entry(
        "a regex location takes the path before the prefix location of the WebSocket",
        "mark the WebSocket prefix with ^~",
        CORE + "#location",
    ),
    codes.REGEX_ORDER: Entry(
        "an earlier regex location takes the path",
        "put the narrower regex first, or use a prefix location with ^~",
        CORE + "#location",
    ),
    codes.REWRITE_RELOCATES: Entry(
        "a rewrite moves the request out of the WebSocket location into another",
        "rewrite ... break instead of last, or put the headers where the rewrite lands",
        REWRITE + "#rewrite",
    ),
    codes.LOCATION_WITHOUT_HANDLER: Entry(
        "the location that wins passes the request to no backend: nginx looks for a file",
        "give the location its own proxy_pass; it is not inherited",
        PROXY + "#proxy_pass",
    ),
    codes.TRY_FILES_SPA_FALLBACK: Entry(
        "no location passes this path to the backend: the fallback of try_files answers with a page",
        "add a location with proxy_pass for the path of the WebSocket",
        CORE + "#try_files",
    ),
    codes.TRY_FILES_BEFORE_PROXY: Entry(
        "try_files in the location answers before proxy_pass gets its turn",
        "remove try_files from the WebSocket location, or end it in a named location that proxies",
        CORE + "#try_files",
    ),
    codes.IF_IS_EVIL: Entry(
        "an if block in the location takes effect as a location of its own, without try_files or handler",
        "no if in a location except for return or rewrite ... last",
        "https://github.com/nginxinc/nginx-wiki/blob/master/source/start/topics/depth/ifisevil.rst",
    ),
    codes.INTERNAL_LOCATION: Entry(
        "the location is internal: nginx answers 404 to every client",
        "remove internal from the WebSocket location",
        CORE + "#internal",
    ),
    codes.HTTP_TO_HTTPS_301: Entry(
        "the plain port redirects to https, and a WebSocket client does not follow redirects",
        "open wss:// in the client (or proxy the WebSocket path on the plain port too)",
        REWRITE + "#return",
    ),
    codes.TRAILING_SLASH_REDIRECT: Entry(
        "nginx redirects to the same path with a slash, and a WebSocket client does not follow redirects",
        "add location = PATH without the slash, or drop the slash from the location, or use it in the client",
        CORE + "#location",
    ),
    codes.RETURN_OR_REWRITE_REDIRECT: Entry(
        "nginx answers with a redirect, and a WebSocket client does not follow redirects",
        "exempt the WebSocket path from the redirect, or open the address it leads to",
        REWRITE + "#return",
    ),
    codes.RETURN_STATUS: Entry(
        "a return directive answers this request before any backend is asked",
        "exempt the WebSocket path from the return",
        REWRITE + "#return",
    ),
    codes.BAD_REQUEST_URI: Entry(
        "nginx refuses the request line or the Host before it looks for a server",
        "correct the path or the Host that the client sends",
        SOURCE + "http/ngx_http_parse.c",
    ),
    codes.ERROR_PAGE_INTERCEPT: Entry(
        "error_page hides the backend's refusal behind a page of nginx",
        "proxy_intercept_errors off on the WebSocket path, then look at the backend's own answer",
        PROXY + "#proxy_intercept_errors",
    ),
    codes.CACHE: Entry(
        "nginx answers from its cache, the backend sees nothing of the handshake",
        "proxy_cache off on the WebSocket path",
        PROXY + "#proxy_cache",
    ),
    codes.QUERY_STRING_LOST: Entry(
        "the query string does not reach the backend",
        "append $is_args$args to proxy_pass",
        PROXY + "#proxy_pass",
    ),
    codes.PROXY_PASS_STRIPS_PREFIX: Entry(
        "the URI part of proxy_pass takes the location's prefix away, and the backend does not know "
        "what is left",
        "drop the URI part from proxy_pass",
        PROXY + "#proxy_pass",
    ),
    codes.REWRITE_CHANGES_PATH: Entry(
        "a rewrite changes the path, and the backend does not know what is left of it",
        "except the WebSocket path from the rewrite",
        REWRITE + "#rewrite",
    ),
    codes.PROXY_PASS_KEEPS_PREFIX: Entry(
        "the backend gets the path with the location's prefix, which it does not know",
        "proxy_pass http://.../ with a URI part, or serve the application from the sub-path",
        PROXY + "#proxy_pass",
    ),
    codes.PROXY_PASS_DOUBLE_SLASH: Entry(
        "location and proxy_pass differ in their trailing slash, so the backend gets a path with // or "
        "without /",
        "give location and proxy_pass the same trailing slash",
        PROXY + "#proxy_pass",
    ),
    codes.PROXY_PASS_NORMALIZES_PATH: Entry(
        "the URI part of proxy_pass makes nginx decode and merge the path before it passes it on",
        "give proxy_pass no URI part: then the client's own bytes are passed",
        PROXY + "#proxy_pass",
    ),
    codes.PROXY_PASS_VARIABLE_URI: Entry(
        "proxy_pass with variables has a URI of its own, which replaces the client's path",
        "with variables give no URI at all, or build it with $request_uri",
        PROXY + "#proxy_pass",
    ),
    codes.CAPTURE_LOST: Entry(
        "a numbered capture in proxy_pass holds something else by the time it is used: another regex "
        "matched since",
        "name the capture, (?<port>...) and $port: a name is not overwritten by the next regex",
        CORE + "#location",
    ),
    codes.WRONG_PASS_DIRECTIVE: Entry(
        "the location speaks another protocol than HTTP to the backend",
        "proxy_pass http://... in place of the other pass directive",
        WEBSOCKET,
    ),
}
