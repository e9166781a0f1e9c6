import pytest

from lab import state


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Keys, certificates and logs of these tests are not the checkout's."""
    monkeypatch.setattr(state, "STATE", tmp_path / "state")
    return tmp_path / "state"
