"""Times and sizes as nginx reads them."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.conf.units import bytes_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("90", 90), ("500ms", 0.5), ("1s", 1), ("1m", 60), ("2h", 7200), ("1d", 86400),
        ("1w", 604800), ("1M", 2592000), ("1y", 31536000), ("1h 30m", 5400), ("1m30s", 90),
        ("", None), ("x", None), ("1x", None), ("-1", None), ("1.5s", None),
    ],
)  # fmt: skip
def test_times(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("8192", 8192), ("1k", 1024), ("1K", 1024), ("1m", 1 << 20), ("20M", 20 << 20),
        ("1g", 1 << 30), ("2G", 2 << 30),
        ("", None), ("m", None), ("1x", None), ("1.5m", None), ("-1", None),
    ],
)  # fmt: skip
def test_sizes(text, size):
    assert bytes_of(text) == size
