"""Hosts of the lab with a local user who means harm."""

from __future__ import annotations

from typing import Generator

import pytest

from tests.integration.conftest import LabHost, LabUp, lab_up

__all__ = ["lab_up"]


@pytest.fixture(scope="module")
def attacked(lab_up: LabUp, request: pytest.FixtureRequest) -> Generator[LabHost, None, None]:
    """Return a host with the unprivileged user mallory; what he leaves running ends with the module."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    host = lab_up(name, scenes=["ptrace"])
    host.sh("useradd --create-home --shell /bin/bash mallory")
    yield host
    host.sh("pkill -KILL -u mallory", check=False)
