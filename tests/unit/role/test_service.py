"""The backend's systemd unit: what is refused, and what the program gets of what the user wrote."""

import shlex

import pytest

from roles.nginx_websocket.site_model import render_unit
from tests.unit.role.rendering import checked

SITE = {"name": "chat.example.org", "backends": [{"name": "app"}], "websockets": [{"path": "/ws/"}]}
SERVICE = {
    "name": "chat-backend",
    "user": "chat",
    "working_directory": "/opt/chat",
    "command": ["/opt/chat/venv/bin/uvicorn", "app:app", "--host", "127.0.0.1", "--port", "8000"],
    "port": 8000,
}


def unit(**changes):
    settings = {key: value for key, value in changes.items() if key.startswith("nginx_websocket_")}
    service = {**SERVICE, **{key: value for key, value in changes.items() if key not in settings}}
    result = checked(SITE, nginx_websocket_backend_service=service, **settings)
    assert result["errors"] == []
    return render_unit(result["service"])


def lines(content, key):
    return [line.split("=", 1)[1] for line in content.splitlines() if line.startswith(f"{key}=")]


WRONG = [
    ({"name": "chat.service"}, "Write chat."),
    ({"name": "nginx"}, "nginx.service is nginx itself"),
    ({"name": "../chat"}, "the name of a unit"),
    ({"user": "root"}, "a user other than root"),
    ({"user": "chat\nExecStartPre=/bin/sh"}, "the name of a user"),
    ({"command": "/opt/chat/run --port 8000"}, "expected a list"),
    ({"command": []}, "a program and its arguments"),
    ({"command": ["uvicorn"]}, "expected an absolute path"),
    ({"command": ["/opt/x", "--host", "0.0.0.0"]}, "Write 127.0.0.1 in its place."),
    ({"command": ["/opt/x", "--bind=0.0.0.0:8000"]}, "Write 127.0.0.1 in its place."),
    ({"command": ["/opt/x", "[::]:8000"]}, "Write 127.0.0.1 in its place."),
    ({"command": ["/opt/x", "a\nUser=root"]}, "printable ASCII on one line"),
    ({"environment": {"A B": "x"}}, "the name of an environment variable"),
    ({"environment": {"A": "x\ny"}}, "printable ASCII on one line"),
    ({"working_directory": "opt"}, "expected an absolute path"),
    ({"after": ["postgresql"]}, "with its suffix"),
    ({"port": 0}, "a TCP port"),
    ({"restart": "always"}, "is unknown."),
]


@pytest.mark.parametrize(("changes", "said"), WRONG, ids=lambda part: str(part)[:40])
def test_wrong_values_are_refused(changes, said):
    result = checked(SITE, nginx_websocket_backend_service={**SERVICE, **changes})
    assert result["service"] is None
    assert any(
        error.startswith("nginx_websocket_backend_service.") and said in error for error in result["errors"]
    ), result["errors"]


def test_what_is_missing_is_named():
    errors = checked(SITE, nginx_websocket_backend_service={})["errors"]
    named = {error.split(" ")[0].split(".")[1] for error in errors}
    assert named == {"name", "user", "working_directory", "command", "port"}


def test_without_it_there_is_no_unit():
    assert checked(SITE)["service"] is None


WORDS = ["plain", "two words", 'a"quote', "back\\slash", "$HOME", "100%", "%h", "it's", ";", "#", "\\n"]


def test_the_program_gets_every_word_as_it_was_written():
    (line,) = lines(unit(command=["/bin/x", *WORDS]), "ExecStart")
    # Here systemd's rules are those of a POSIX shell, but for specifiers and variables.
    assert [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)] == ["/bin/x", *WORDS]
    assert "%" not in line.replace("%%", "")
    assert "$" not in line.replace("$$", "")


def test_the_environment_gets_every_value_as_it_was_written():
    found = lines(unit(environment={"A": 'x "y" \\ %h $HOME'}), "Environment")
    assert found == ["NGINX_WEBSOCKET_UNIT=@RELEASE@", '"A=x \\"y\\" \\\\ %%h $HOME"']


def test_it_is_shut_in():
    content = unit()
    for line in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "Restart=on-failure",
        "ProtectHome=yes",
        'ReadWritePaths="/opt/chat"',
    ):
        assert line in content.splitlines()
    assert "IPAddressDeny" not in content


def test_what_needs_more_gets_it_and_no_more():
    content = unit(
        working_directory="/home/chat/app",
        writable_paths=["/srv/uploads"],
        environment_file="/etc/chat.env",
        loopback_only=True,
        nginx_websocket_max_sockets=200_000,
    )
    assert lines(content, "ProtectHome") == ["read-only"]
    assert lines(content, "ReadWritePaths") == ['"/home/chat/app" "/srv/uploads"']
    assert lines(content, "EnvironmentFile") == ["/etc/chat.env"]
    assert lines(content, "IPAddressDeny") == ["any"]
    assert int(lines(content, "LimitNOFILE")[0]) > 200_000


UVICORN = SERVICE["command"]


@pytest.mark.parametrize(
    ("command", "more", "told"),
    [
        (UVICORN, {}, "uvicorn writes the path of every WebSocket"),
        ([*UVICORN, "--no-access-log"], {}, "uvicorn writes the path of every WebSocket"),
        (["/usr/bin/python3", "-m", *UVICORN[1:]], {}, "cannot be masked there"),
        (["/usr/bin/python3", "-m", "uvicorn", *UVICORN[1:]], {}, "uvicorn writes"),
        (["/opt/chat/run"], {}, "cannot be masked there"),
        ([*UVICORN, "--log-level", "warning"], {}, ""),
        ([*UVICORN, "--log-level=error"], {}, ""),
        ([*UVICORN, "--log-level", "info"], {}, "uvicorn writes"),
        (UVICORN, {"environment": {"UVICORN_LOG_LEVEL": "warning"}}, ""),
        (UVICORN, {"nginx_websocket_accept": ["service-log"]}, ""),
        (UVICORN, {"secret_path": False}, ""),
    ],
)
def test_a_log_that_would_hold_tokens_is_told(command, more, told):
    more = dict(more)
    route = {"path": "/ws/", "secret_path": more.pop("secret_path", True)}
    settings = {key: more.pop(key) for key in list(more) if key.startswith("nginx_websocket_")}
    service = {**SERVICE, "command": command, **more}
    site = {**SITE, "websockets": [route]}
    found = checked(site, nginx_websocket_backend_service=service, **settings)
    assert found["errors"] == []
    assert [told in text for text in found["warnings"]] == ([True] if told else [])
