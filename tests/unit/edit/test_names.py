"""A client may write the name in capitals, with a dot behind it: nginx looks for the plain one."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.location import all_locations
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import index_of, route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit import places
from module_utils.nginx_websocket.edit.fault import Fault
from module_utils.nginx_websocket.edit.memory import edited

TREE = (
    b"events {}\nhttp {\nserver {\nlisten 80;\nserver_name app.test;\n"
    b"location /ws/ { proxy_pass http://b; }\n}\n"
    b"server {\nlisten 80;\nserver_name other.test;\n}\n}\n"
)


def tree():
    return load("/n.conf", read=lambda path: TREE, glob=lambda pattern: [])


def texts(edits_of):
    """The configuration after each of the edits."""
    return [edited(tree(), edits).files["/n.conf"].decode() for edits in edits_of]


@pytest.mark.parametrize("host", ["New.Test", "new.test:80", "new.test."])
def test_the_name_is_added_as_nginx_keeps_it(host):
    before = tree()
    asked = route(before, Request("ws://127.0.0.1/ws/x", headers=[("Host", host)]))
    meant = next(all_locations(index_of(before).servers[0]))
    fault = Fault("default-server-captured", meant=meant)
    (text,) = texts(places.served_name(before, asked, fault))
    assert "server_name app.test new.test;" in text


@pytest.mark.parametrize("host", ["Other.Test", "other.test:8080", "other.test."])
def test_the_server_of_the_name_listens_on_the_port(host):
    before = tree()
    asked = route(before, Request("ws://127.0.0.1:8080/ws/x", headers=[("Host", host)]))
    (text,) = texts(places.listen(before, asked, Fault("port-not-listening")))
    assert text.index("listen 8080;") > text.index("location /ws/")
