"""Whether a probe came out as it should, and one message when it did not."""

from __future__ import annotations

from typing import Sequence

from .result import Probe

EXPECTATIONS = ("open", "pong", "refused", "status", "any")


def unmet(result: Probe, expect: str, statuses: Sequence[int] = ()) -> str:
    """Say what is wrong with a probe; empty when it is as expected.

    Args:
        result: the probe.
        expect: ``open`` (a valid 101), ``pong`` (that, a pong, and still open at the end), ``refused``
            (an HTTP answer of 400 or above), ``status`` (one of ``statuses``), ``any``.
        statuses: for ``status``.

    Returns:
        One message that says what was expected, what was sent, what came and who answered; secrets
        masked.

    Raises:
        ValueError: no such expectation.
    """
    if expect not in EXPECTATIONS:
        raise ValueError(f"expect is {expect!r}; use one of {', '.join(EXPECTATIONS)}")
    if expect == "any":
        return ""
    if expect == "open":
        met, wanted = result.opened, "an open WebSocket"
    elif expect == "pong":
        met, wanted = (
            result.opened and not result.error_kind,
            "a WebSocket that opens, answers and stays open",
        )
    elif expect == "refused":
        met, wanted = not result.opened and (result.status or 0) >= 400, "a refusal (status 400 or above)"
    else:
        met, wanted = result.status in statuses, "status " + " or ".join(str(status) for status in statuses)
    if met:
        return ""
    data = result.to_dict()
    came = f"{result.status} {data['reason']}".strip() if result.status is not None else str(data["error"])
    if result.status is not None and result.error_kind not in ("", "http-status"):
        came += f" ({data['error']})"
    lines = [f"{data['url']}: expected {wanted}, got {came}", f"who answered: {result.who() or 'nobody'}"]
    location = next((value for name, value in data["headers"] if name.lower() == "location"), "")
    if location:
        lines.append(f"it redirects to {location}; browsers do not follow that for a WebSocket")
    lines.append("sent: " + " | ".join(data["request"].strip().split("\r\n")))
    if data["body"].strip():
        lines.append("body: " + " ".join(data["body"].split())[:300])
    return "; ".join(lines)
