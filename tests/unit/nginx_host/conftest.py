"""One authority for all certificates: keys cost time."""

import pytest

from tests.unit.websocket.tiny_server import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(str(tmp_path_factory.mktemp("ca")))
