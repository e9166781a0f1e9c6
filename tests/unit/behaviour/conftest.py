"""Configurations from text, without files."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load


@pytest.fixture
def configure():
    """Load a configuration from text; further files by keyword (``sites_a="…"`` → /etc/nginx/sites_a)."""

    def build(text, **files):
        known = {"/etc/nginx/nginx.conf": text.encode()}
        known.update({"/etc/nginx/" + name: content.encode() for name, content in files.items()})

        def read(path):
            if path not in known:
                raise FileNotFoundError(2, "No such file or directory", path)
            return known[path]

        return load("/etc/nginx/nginx.conf", prefix="/etc/nginx/", read=read)

    return build


@pytest.fixture
def serve(configure):
    """Route of a path through servers given as text; every other argument goes to Request or route."""

    def build(
        servers, path="/", *, version=(1, 22, 1), file_kind=None, scheme="ws", host="a.test:8080", **request
    ):
        configuration = configure("events {}\nhttp {\n%s\n}\n" % servers)
        request.setdefault("address", "127.0.0.1:8080")
        url = "%s://%s%s" % (scheme, host, path)
        return route(configuration, Request(url, **request), version=version, file_kind=file_kind)

    return build


@pytest.fixture
def located(serve):
    """Route of a path through the locations of one server."""

    def build(locations, path="/", **arguments):
        return serve("server { listen 8080; server_name a.test;\n%s\n}" % locations, path, **arguments)

    return build
