"""The shape of a vocabulary's entry, and the places that links lead to."""

from __future__ import annotations

from typing import NamedTuple

DOCS = "https://nginx.org/en/docs/"
PROXY = DOCS + "http/ngx_http_proxy_module.html"
HEADERS = DOCS + "http/ngx_http_headers_module.html"
CORE = DOCS + "http/ngx_http_core_module.html"
REWRITE = DOCS + "http/ngx_http_rewrite_module.html"
UPSTREAM = DOCS + "http/ngx_http_upstream_module.html"
WEBSOCKET = DOCS + "http/websocket.html"
MAIN = DOCS + "ngx_core_module.html"
REQUESTS = DOCS + "http/request_processing.html"
CONTROL = DOCS + "control.html"
HTTPS = DOCS + "http/configuring_https_servers.html"
SOURCE = "https://github.com/nginx/nginx/blob/master/src/"


class Entry(NamedTuple):
    """What the vocabulary says about one code."""

    title: str
    """The fact in one sentence, without its evidence."""
    fix: str
    """The cure in general words; a finding gives the one for its own file and line where it can."""
    link: str
