"""Writes the table of causes in docs/fix.md: each example goes through the engine, which says cause and edit.

python3 -m docs.generate_fix
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict, List, Tuple

CHECKOUT = Path(__file__).resolve().parents[1]
if str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

from module_utils.nginx_websocket.codes import NGINX_CONFIG_INVALID  # noqa: E402
from module_utils.nginx_websocket.conf.load import load  # noqa: E402
from module_utils.nginx_websocket.diagnosis.engine import diagnose_configuration  # noqa: E402
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question  # noqa: E402
from module_utils.nginx_websocket.diagnosis.vocabulary.whole import CODES  # noqa: E402
from module_utils.nginx_websocket.edit.cures import curable  # noqa: E402
from module_utils.nginx_websocket.fix import linking, moving, unended  # noqa: E402
from module_utils.nginx_websocket.fix.fix import STALE  # noqa: E402
from module_utils.nginx_websocket.fix.mending import hunks, ways  # noqa: E402

PAGE = CHECKOUT / "docs" / "fix.md"
BEGIN, END = "<!-- causes: written by docs/generate_fix.py -->", "<!-- end of causes -->"
BY_OTHER_MEANS = {
    unended.CODE: " (where its place is certain)",
    linking.CODE: " (the link is made)",
    STALE: " (one reload)",
    NGINX_CONFIG_INVALID: " (what its message names)",
}
"""What is cured, and beside the cures of `edit`."""
MAIN = "/etc/nginx/nginx.conf"
URL = "ws://chat.test/ws/room"
UP = (
    "        proxy_http_version 1.1;\n        proxy_set_header Upgrade $http_upgrade;\n"
    '        proxy_set_header Connection "upgrade";\n'
)
PASS = "        proxy_pass http://127.0.0.1:9001;\n"


def server(*locations: str, http: str = "", listen: str = "80", name: str = "chat.test") -> str:
    """Return a configuration with one server."""
    body = "".join(f"    location {one}    }}\n" for one in locations)
    return f"{http}server {{\n    listen {listen};\n    server_name {name};\n{body}}}\n"


EXAMPLES: List[Tuple[str, str]] = [
    (server("/ws/ {\n" + PASS), URL),
    (server("/ws/ {\n" + PASS + UP.replace("$http_upgrade", "$http_upgrde")), URL),
    (server("/ws/ {\n" + PASS + UP.replace('"upgrade"', "close")), URL),
    (server("/ws/ {\n" + PASS + UP.replace('"upgrade"', '""')), URL),
    (server("/ws/ {\n" + PASS + UP.replace('"upgrade"', "$connection_upgrade")), URL),
    (server("/ws/ {\n" + PASS + "        proxy_set_header Host $host;\n", http=UP), URL),
    (server("/ws/ {\n" + PASS + UP.replace("proxy_set_header", "add_header")), URL),
    (server("/ws/ {\n" + PASS.replace("http:", "ws:") + UP), URL),
    (server("~ ^/ws {\n" + PASS.replace(";", "/;") + UP), URL),
    (server("/ws/ {\n" + PASS + UP, "~ room$ {\n        return 404;\n"), URL),
    (server("/ws/ {\n" + PASS + UP, "^~ /ws/room {\n        return 404;\n"), URL),
    (server("/ws/ {\n" + PASS + UP, "/ {\n        try_files $uri /index.html;\n"), "ws://chat.test/ws"),
    (
        server("/ws/ {\n" + PASS + UP) + server("/ {\n        return 404;\n", listen="8080"),
        "ws://chat.test:8080/ws/room",
    ),
    (
        server(
            "/ws/ {\n" + PASS + UP + "        proxy_method GET;\n        proxy_pass_request_headers off;\n"
        ),
        URL,
    ),
    (server("/ws/ {\n" + PASS + UP + "        proxy_hide_header Upgrade;\n"), URL),
]


def rows() -> Dict[str, List[str]]:
    """Return for each cause the lines that the first example of it loses and gets."""
    found: Dict[str, List[str]] = {}
    for text, url in EXAMPLES:
        main = f"events {{}}\nhttp {{\n{text}}}\n".encode()
        tree = load(MAIN, read=lambda _path, main=main: main, glob=lambda _pattern: [])  # type: ignore[misc]
        report = diagnose_configuration(Question(url), tree, version=(1, 22, 1))
        causes = [finding for finding in report.findings if finding.is_cause]
        mended = next(ways(report.facts, causes, tree), None) if causes else None
        if mended is None:
            continue
        lines = [
            mark + line.strip()
            for hunk in hunks(main, mended.after.files[MAIN])
            for mark, side in (("- ", hunk.removed), ("+ ", hunk.added))
            for line in side
        ]
        found.setdefault(" + ".join(mended.codes), lines)
    return found


def table() -> str:
    """Return the generated part of the page."""
    shown = rows()
    lines = [BEGIN, "", "| cause | | example |", "|---|---|---|"]
    for codes, edit in shown.items():
        title = "; ".join(CODES[code].title for code in codes.split(" + "))
        example = "<br>".join(f"`{line}`" for line in edit).replace("|", "\\|")
        lines.append(f"| {codes} | {title} | {example} |")
    known = {code for codes in shown for code in codes.split(" + ")}
    lines += [
        "",
        "With what only the running host tells, such as the port on which the socket opens, also:",
        "",
    ]
    also = [
        code
        for code in dict.fromkeys([*curable(), *BY_OTHER_MEANS])
        if code not in known and code != moving.WRONG
    ]
    lines += [f"- {code}: {CODES[code].title}{BY_OTHER_MEANS.get(code, '')}" for code in also]
    return "\n".join([*lines, "", END])


def page() -> str:
    """Return the page with its generated part anew."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page())
