"""Kinds of files and faults that a fix must do right: one-line blocks, shared lists, ports, links, twins."""

from __future__ import annotations

import socket

import pytest
from conftest import SITE, UsersHost
from simulated_host import ROOT
from test_fix import GOOD, changed_lines, without

from module_utils.nginx_websocket.conf import splice
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.evidence.facts import BackendFacts, Facts, Question
from module_utils.nginx_websocket.edit.memory import edited
from module_utils.nginx_websocket.exchange.result import Probe
from module_utils.nginx_websocket.fix import linking, moving
from module_utils.nginx_websocket.fix.routes import failing
from module_utils.nginx_websocket.host.layout import Layout
from module_utils.nginx_websocket.host.listeners import Listener
from module_utils.nginx_websocket.transaction.site.model import ABSENT, Entry

URL = "ws://chat.test/ws/room"
LINE = (
    "server { listen 80; server_name chat.test;\n"
    "  location /ws/ { proxy_pass http://127.0.0.1:9001; proxy_http_version 1.1; }\n}\n"
)
TLS_TWIN = GOOD.replace("listen      80;", "listen      443 ssl;").replace(
    "server_name chat.test;",
    "server_name chat.test;\n    ssl_certificate /c.pem;\n    ssl_certificate_key /k.pem;",
)


def tree(text):
    data = f"events {{}}\nhttp {{\n{text}}}\n".encode()
    return load("/n.conf", read=lambda path: data, glob=lambda pattern: [])


def test_a_block_on_one_line_stays_on_one_line(host):
    host.put(LINE)
    assert host.fix().outcome == "applied"
    assert changed_lines(LINE, host.text()) == [
        "-   location /ws/ { proxy_pass http://127.0.0.1:9001; proxy_http_version 1.1; }",
        "+   location /ws/ { proxy_pass http://127.0.0.1:9001; proxy_set_header Upgrade $http_upgrade; "
        'proxy_set_header Connection "upgrade"; proxy_http_version 1.1; }',
    ]


def test_of_a_long_line_the_part_that_changes_is_shown(host):
    long = "location /x/ { return 200 " + "y" * 300 + "; } location /ws/"
    dense = "".join(line.strip() for line in LINE.splitlines()).replace("location /ws/", long)
    host.put(dense)
    [edit] = host.fix().edits
    assert 'proxy_set_header Connection "upgrade";' in edit.after[0] and len(edit.after[0]) < 300


def test_a_line_that_is_right_does_not_come_twice(host):
    text = LINE.replace("proxy_http_version 1.1;", 'proxy_set_header Connection "upgrade";')
    host.put(text)
    host.fix()
    assert host.text().count("Connection") == 1 and "Upgrade $http_upgrade" in host.text()


def test_a_dense_file_without_a_last_line_feed_gets_none(host):
    dense = "".join(line.strip() for line in LINE.splitlines())
    host.put(dense)
    assert host.fix().outcome == "applied"
    assert "\n" not in host.text() and len(host.text()) > len(dense)


def test_a_list_that_others_inherit_is_not_touched(host):
    text = without("proxy_http_version", "proxy_set_header").replace(
        "    location / { return 200 hello; }",
        "    proxy_http_version 1.1;\n    proxy_set_header Upgrade $http_upgrade;\n"
        "    proxy_set_header Connection keep-alive;\n    proxy_set_header Host $host;\n\n"
        "    location / { proxy_pass http://127.0.0.1:9100; }",
    )
    host.put(text)
    done = host.fix()
    assert done.outcome == "applied", done.message
    assert changed_lines(text, host.text()) == [
        "+         proxy_set_header Host $host;",
        "+         proxy_set_header Upgrade $http_upgrade;",
        '+         proxy_set_header Connection "upgrade";',
    ]


def test_a_map_that_gives_the_wrong_word_is_mended_itself(host):
    wrong = "map $http_upgrade $how {\n    default close;\n    '' close;\n}\n"
    text = wrong + GOOD.replace('"upgrade"', "$how")
    host.put(text)
    assert host.fix().outcome == "applied"
    assert changed_lines(text, host.text()) == ["-     default close;", "+     default upgrade;"]


def test_a_map_that_other_sites_use_opens_theirs_as_well(host):
    wrong = "map $http_upgrade $how {\n    default close;\n    '' close;\n}\n"
    text = GOOD.replace('"upgrade"', "$how")
    host.put(wrong, f"{ROOT}/conf.d/a-map.conf")
    host.put(text)
    host.put(text.replace("chat.test", "talk.test"), f"{ROOT}/conf.d/talk.conf")
    done = host.fix()
    assert done.outcome == "applied", done.message
    assert host.text(f"{ROOT}/conf.d/a-map.conf") == wrong.replace("default close", "default upgrade")


def test_try_files_beside_proxy_pass_goes(host):
    text = GOOD.replace("    location /ws/ {\n", "    location /ws/ {\n        try_files $uri /index.html;\n")
    host.put(text)
    assert host.fix().outcome == "applied"
    assert host.text() == GOOD


def test_ws_before_a_variable_is_the_same_mistake(host):
    text = GOOD.replace(
        "proxy_pass http://127.0.0.1:9001;", "set $to 127.0.0.1:9001;\n        proxy_pass ws://$to;"
    )
    host.put(text)
    assert host.fix().outcome == "applied"
    assert host.text() == text.replace("ws://$to", "http://$to")


def test_the_location_here_is_mended_though_its_twin_is_right(host):
    broken = TLS_TWIN.replace('Connection "upgrade"', "Connection close")
    host.put(GOOD + broken)
    assert host.fix("wss://chat.test/ws/room").outcome == "applied"
    assert host.text() == GOOD + TLS_TWIN


def test_three_lines_are_fewer_than_a_location_where_all_leads_to_one_application(host):
    own = "map $http_upgrade $how {\n    default upgrade;\n    '' close;\n}\n"
    general = (
        without("proxy_http_version", "Upgrade $http", "Connection", text=TLS_TWIN)
        .replace("location /ws/", "location /")
        .replace("    location / { return 200 hello; }\n", "")
    )
    text = own + GOOD.replace('"upgrade"', "$how") + general
    host.put(text)
    assert host.fix("wss://chat.test/ws/room").outcome == "applied"
    added = changed_lines(text, host.text())
    assert len(added) == 3 and "$how" in added[-1], added


def test_without_a_url_what_only_the_plain_server_has_is_asked_for_over_tls():
    plain = GOOD
    tls = without("proxy_http_version", "Upgrade $http", 'Connection "', text=TLS_TWIN).replace(
        "/ws/", "/api/"
    )
    assert [one.url.rsplit("/", 1)[0] for one in failing(tree(plain + tls))] == [
        "ws://chat.test/ws",
        "wss://chat.test/ws",
    ]


# ------------------------------------------------------------------------------------------- the port

OWN = GOOD.replace("location / { return 200 hello; }", "location / { proxy_pass http://127.0.0.1:9005; }")
NEIGHBOUR = "server { listen 80; server_name other.test; location / { proxy_pass http://127.0.0.1:9005; } }\n"


def seen(text, port=9005, named=9001):
    configuration = tree(text)
    question = Question(URL)
    facts = Facts(question, configuration=configuration)
    from module_utils.nginx_websocket.behaviour.route import route

    facts.route = route(configuration, question.route_request())
    backend = BackendFacts(f"127.0.0.1:{named}", ("127.0.0.1", named))
    backend.other_port = (Listener("tcp", "127.0.0.1", port, 1), Probe(URL, "", opened=True))
    facts.backends = [backend]
    after = tree(text.replace(":9001", f":{port}"))
    return facts, configuration, after


def test_a_port_where_nobody_listens_gives_way_to_one_of_the_same_site_and_that_is_told():
    facts, before, after = seen(OWN)
    assert moving.forbidden(facts, ["backend-down"], before, after) == ""
    assert "nothing listens at 127.0.0.1:9001" in moving.told(facts, ["backend-down"], before, after)


def test_no_request_goes_to_a_neighbours_application():
    facts, before, after = seen(GOOD + NEIGHBOUR)
    why = moving.forbidden(facts, ["backend-down"], before, after)
    assert "other.test" in why and "another site" in why


def test_a_port_that_answers_counts():
    facts, before, after = seen(OWN)
    assert "that port counts" in moving.forbidden(facts, ["wrong-backend"], before, after)


def test_a_port_that_answers_counts_also_where_an_upstream_has_the_other_one():
    facts, before, _ = seen("upstream live { server 127.0.0.1:9002; }\n" + GOOD)
    after = edited(before, [splice.set_argument(
        next(line for line in before.walk() if line.name == b"proxy_pass"), 0, b"http://live"
    )])  # fmt: skip
    assert "that port counts" in moving.forbidden(facts, ["wrong-backend"], before, after)
    assert moving.forbidden(facts, ["wrong-backend"], before, before) == ""


def test_an_application_that_came_back_meanwhile_keeps_its_requests():
    with socket.create_server(("127.0.0.1", 0)) as back:
        named = back.getsockname()[1]
        facts, before, after = seen(OWN, named=named)
        assert "by now" in moving.forbidden(facts, ["backend-down"], before, after)


# ------------------------------------------------------------------------------------------- the link

AVAILABLE = f"{ROOT}/sites-available/chat.test"
LAYOUT = Layout(
    "sites-available", f"{ROOT}/nginx.conf", f"{ROOT}/sites-available", f"{ROOT}/sites-enabled",
    f"{ROOT}/sites-enabled/*", "nginx.conf:4",
)  # fmt: skip


def linked(host, text="", layout=LAYOUT, path=AVAILABLE):
    host.put(GOOD, AVAILABLE)
    if text:
        host.put(text, SITE)
    facts = Facts(Question(URL))
    facts.stray_files = [(path, "location /ws/", 8)]
    live = tree(text)
    return linking.link(facts, live, layout, host.world.files)


def test_a_site_that_was_never_linked_gets_its_link(host):
    change, names = linked(host)
    assert (change.path, change.before, change.after.target) == (
        f"{ROOT}/sites-enabled/chat.test",
        ABSENT,
        AVAILABLE,
    )
    assert names == {"chat.test"}


@pytest.mark.parametrize(
    ("text", "layout", "why"),
    [
        (GOOD, LAYOUT, "two servers"),
        ("", None, "not in a directory"),
    ],
)
def test_a_link_that_would_be_wrong_is_not_made(text, layout, why):
    assert why in linked(UsersHost(), text, layout)


def test_a_link_that_is_there_is_left_alone(host):
    host.world.files.plant(f"{ROOT}/sites-enabled/chat.test", Entry("link", target="/elsewhere"))
    assert "there already" in linked(host)
