"""The codes of no family, in words."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CONTROL, WEBSOCKET, Entry

ENTRIES: Dict[str, Entry] = {
    codes.STATIC_LIVE_DISAGREE: Entry(
        "the answer is not the one that the configuration on disk leads to",
        "read what the error log says of this request, and show both to who knows this configuration",
        CONTROL,
    ),
    codes.UNDECIDED: Entry(
        "the configuration alone does not settle what happens here",
        "run the diagnosis on the host, where it can ask",
        WEBSOCKET,
    ),
}
