"""An nginx in a container is diagnosed in its own files and network; see tests/cases/in_container.py."""

from __future__ import annotations

import json
from typing import Any, Dict

import pytest

from tests.integration.contained import python_beside_nginx


@pytest.fixture(scope="module")
def answers() -> Dict[str, Any]:
    """What was said before the diff, with it, and of a backend that only the host has."""
    found: Dict[str, Any] = json.loads(python_beside_nginx("bookworm", "-m", "tests.cases.in_container"))
    return found


def evidence(finding: Dict[str, Any]) -> str:
    """Everything that a finding shows."""
    return " | ".join(f"{item['text']} ({item['file']}:{item['line']})" for item in finding["evidence"])


def test_the_cause_stands_in_the_containers_own_file(answers: Dict[str, Any]) -> None:
    """An absolute link leads to the container's file; the host has one of that name, with the headers."""
    before = answers["before"]
    assert before["verdict"] == "fails"
    first = before["findings"][0]
    assert first["code"] == "no-upgrade-header"
    assert before["nginx"]["container"] and "port 80 of the container" in before["nginx"]["choice"]
    assert "/etc/nginx/conf.d/site.conf:4" in evidence(first)
    assert before["route"]["upstream"]["servers"] == ["127.0.0.1:8000"]
    assert any("direct to the backend" in step["text"] and step["state"] == "ok" for step in before["way"])


def test_the_file_is_named_where_the_host_has_it_and_the_diff_opens(answers: Dict[str, Any]) -> None:
    """The path of the diff is the container's; the finding says where the host has that file."""
    first = answers["before"]["findings"][0]
    assert first["diff"].startswith("--- /etc/nginx/conf.d/site.conf")
    assert "/site/site.conf of this host" in evidence(first)
    assert "Change /tmp/" in first["fix"]
    assert first["commands"] == [f"kill -HUP {answers['before']['nginx']['pid']}"]
    assert answers["after"]["verdict"] == "works", answers["after"]["sentence"]


def test_the_loopback_address_of_a_container_is_its_own(answers: Dict[str, Any]) -> None:
    """A backend on the host's loopback address is none for the container."""
    first = answers["loopback"]["findings"][0]
    assert first["code"] == "backend-down"
    assert "is the container itself" in first["title"]
    assert "port 8000 of this host" in evidence(first)
