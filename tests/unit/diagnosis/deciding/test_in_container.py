"""What a cause says when its files are a container's: whose they are, and how they are changed."""

from __future__ import annotations

import dataclasses
import os
import types

import pytest

from module_utils.nginx_websocket.diagnosis import contained
from module_utils.nginx_websocket.diagnosis.deciding import in_container
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence import host_state, place
from module_utils.nginx_websocket.host.binary import NginxError
from module_utils.nginx_websocket.host.containers import answering, inside
from module_utils.nginx_websocket.host.containers.mounts import Home
from tests.unit.diagnosis.seen import (
    CONF,
    backend,
    broken,
    host,
    opened,
    page,
    proxied,
    refused,
    shown,
    site,
    socket_of,
)

NOWHERE = Home("")
BARE = "    location / { proxy_pass http://127.0.0.1:8000; }"


def box(home=NOWHERE, name="web", engine="docker", conf=""):
    """A container as the rules see it."""
    master = types.SimpleNamespace(prefix="", conf_path=conf)
    found = types.SimpleNamespace(master=master, address="172.17.0.2", port=80, name=name, engine=engine)
    words = f"the container {name}" if name else "the container of process 60"
    return types.SimpleNamespace(
        pid=60,
        found=found,
        words=words,
        home=lambda path: home,
        resolve=lambda name: ["127.0.0.1"],
        kind=lambda path: "",
    )


def failing(where, body=BARE, **more):
    """The first finding of a host whose nginx is in a container and sends no headers."""
    answer = refused(400, "no upgrade")
    asked = backend(answer)
    asked.search.tried.append(("the same, with a right handshake", opened()))
    facts = host(
        site(body), {"loopback": more.pop("answer", answer)}, backends=more.pop("backends", [asked]), **more
    )
    facts.inside = where
    return conclude_live(facts).findings[0]


@pytest.mark.parametrize(
    ("home", "words", "advice"),
    [
        (
            Home("/srv/web.conf"),
            f"{CONF} of the container web is /srv/web.conf of this host",
            "Change /srv/web.conf",
        ),
        (
            Home("/var/lib/docker/volumes/conf/_data/a"),
            "(volume conf)",
            "Change /var/lib/docker/volumes/conf/_data/a",
        ),
        (Home("", own_layer=True), "belongs to its image", "in the image of the container web"),
        (Home("/srv/old", replaced=True), "was replaced since", "Restart the container web"),
        (Home(""), f"{CONF} is a file of the container web", "gets it from"),
    ],
)
def test_whose_the_file_is_and_where_it_is_changed(home, words, advice):
    finding = failing(box(home))
    assert finding.code == "no-upgrade-header" and words in shown(finding) and advice in finding.fix
    assert finding.change.diff().startswith(f"--- {CONF}")
    assert finding.change.commands == [
        "docker exec web /usr/sbin/nginx -t",
        "docker exec web /usr/sbin/nginx -s reload",
    ]


def test_commands_without_an_engine_execute_nothing_of_the_containers():
    assert failing(box(name="", engine="")).change.commands == ["kill -HUP 60"]
    named = failing(box(conf="/my conf"))
    assert named.change.commands[0] == "docker exec web /usr/sbin/nginx -c '/my conf' -t"


def test_the_loopback_address_of_a_container(monkeypatch):
    monkeypatch.setattr(in_container, "listeners", lambda ports, unix: [socket_of(70, ports[0])])
    down = broken("connect-refused", "127.0.0.1:8000 refused the connection")
    finding = failing(box(), proxied(), answer=page(502), backends=[backend(down)])
    assert finding.code == "backend-down" and "is the container itself" in finding.title
    assert "port 8000 of this host" in shown(finding) and "host-gateway" in finding.fix
    assert finding.change.commands == ["nsenter -t 60 -n ss -ltnp"]
    shared = box()
    shared.found.address = ""  # it has the host's network
    finding = failing(shared, proxied(), answer=page(502), backends=[backend(down)])
    assert "is the container itself" not in finding.title


def test_names_sockets_and_files_are_those_of_the_place(monkeypatch):
    facts = host(site(BARE), {})
    monkeypatch.setattr(host_state, "resolve", lambda name: ["192.0.2.9"])
    seen = []
    monkeypatch.setattr(place, "listeners", lambda ports, unix, beside: seen.append(beside) or [])
    assert place.resolve(facts, "app") == ["192.0.2.9"] and place.unix_socket(facts, "/run/x") == "/run/x"
    place.listening(facts, [80])
    facts.inside = box()
    facts.inside.socket, facts.inside.times = (lambda path: "inner" + path), {"/a": (2000.0, 1.0, False)}
    assert (
        place.resolve(facts, "app") == ["127.0.0.1"] and place.unix_socket(facts, "/run/x") == "inner/run/x"
    )
    place.listening(facts, [80])
    assert seen == [None, 60]
    assert place.file_kinds(facts) is facts.inside.kind
    assert [(file.path, file.content) for file in place.newer_files(facts)] == [("/a", True)]


@pytest.fixture
def looked(monkeypatch):
    """Looks into a container whose nginx is described, or not."""

    def look(describe, *, root=True, found=True):
        facts = host(site(BARE), {})
        facts.owner, facts.owner_is_nginx = dataclasses.replace(socket_of(50, 443), exe="docker-proxy"), False
        where = types.SimpleNamespace(
            name="web", port=80, address="172.17.0.2", master=types.SimpleNamespace(pid=60)
        )
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(answering, "answering", lambda owner, port: where if found else None)
        made = types.SimpleNamespace(describe=describe, words="the container web", found=where)
        monkeypatch.setattr(inside, "Inside", lambda found: made)
        monkeypatch.setattr(contained, "container_publishing", lambda port: "by-port")
        contained.look_inside(facts)
        return facts

    return look


def test_an_nginx_that_was_read_owns_the_port(looked):
    facts = looked(lambda: types.SimpleNamespace(version=(1, 25, 3), conf_error="broken in a.conf:3"))
    assert facts.owner_is_nginx and facts.version == (1, 25, 3) and facts.container == "web"
    assert "port 443 of this host leads to port 80 of the container web" in facts.nginx_choice
    assert any("broken in a.conf:3" in note for note in facts.notes)


def test_what_cannot_be_read_stays_unknown(looked):
    def refuse():
        raise NginxError("its files are silent")

    facts = looked(refuse)
    assert facts.inside is None and not facts.owner_is_nginx and "its files are silent" in facts.notes[0]
    for more in ({"root": False}, {"found": False}):
        facts = looked(refuse, **more)
        assert facts.inside is None and facts.container == "by-port" and not facts.notes
