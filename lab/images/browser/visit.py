"""Open a page in headless Chromium, watch its WebSocket, and print what happened as lines of JSON.

Events in the order in which they happen:
    {"event": "status", "status": "open"}        the page's status light changed
    {"event": "hints", "hints": […]}             the page's list of hints changed
    {"event": "report", …}                       last: failure to load, console, handshakes, light, hints, …

The page is read as a person reads it (its status light and its list); handshakes are read from the DevTools
protocol (Network.webSocket*), errors from the browser's console.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from typing import Any, Dict, List

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,640"),
    # Nothing but the page: no QUIC, no updates, no talk with anybody else.
    *("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-default-apps", "--no-default-browser-check", "--metrics-recording-only"),
)
POLL = 0.05  # seconds between two looks at the page


def browser(profile: str) -> webdriver.Chrome:
    """Start Chromium with its console and DevTools events recorded."""
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


def emit(**event: object) -> None:
    """Print one event."""
    print(json.dumps(event), flush=True)


class Watch:
    """What the page showed and what the network did, from the start on."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Start with nothing seen."""
        self.driver = driver
        self.status = ""
        self.hints: List[str] = []
        self.sockets: Dict[str, Dict[str, Any]] = {}
        self.console: List[Dict[str, str]] = []
        self.document: Dict[str, Any] = {}
        self.failure = ""

    def look(self) -> None:
        """Read the page once and print what changed."""
        lights = self.driver.find_elements(By.ID, "status")
        status = (lights[0].get_attribute("data-state") or "") if lights else ""
        if status != self.status:
            self.status = status
            emit(event="status", status=status)
        hints = [item.text for item in self.driver.find_elements(By.CSS_SELECTOR, "#hints li")]
        if hints != self.hints:
            self.hints = hints
            emit(event="hints", hints=hints)

    def collect(self) -> None:
        """Read the browser's console and the DevTools events since the last time."""
        for entry in self.driver.get_log("browser"):
            self.console.append({name: entry[name] for name in ("level", "source", "message")})
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            self._network(message["method"], message["params"])

    def _network(self, method: str, event: Dict[str, Any]) -> None:
        """Take in one DevTools event."""
        if method == "Network.webSocketCreated":
            self.sockets[event["requestId"]] = {"url": event["url"], "status": None, "error": "", "frames": 0}
        elif method == "Network.responseReceived" and event.get("type") == "Document":
            response = event["response"]
            if response["url"].startswith("http"):  # not the new tab's own page
                self.document = {name: response.get(name) for name in ("url", "status", "protocol")}
        socket = self.sockets.get(event.get("requestId", ""), {})
        if method == "Network.webSocketHandshakeResponseReceived":
            socket.update(status=event["response"]["status"], reason=event["response"].get("statusText", ""))
        elif method == "Network.webSocketFrameError":
            socket["error"] = event["errorMessage"]
        elif method == "Network.webSocketFrameReceived":
            socket["frames"] += 1

    def done(self, until: str, hint: str) -> bool:
        """Say whether the page is where the caller wants it: its light, and a hint in its list."""
        reached = self.status in (until.split(",") if until else ["open", "failed"])
        return reached and (not hint or any(hint in shown for shown in self.hints))

    def report(self, reached: bool, screenshot: str) -> None:
        """Print the last event."""
        emit(
            event="report",
            reached=reached,
            title=self.driver.title,
            document=self.document,
            failure=self.failure,
            status=self.status,
            hints=self.hints,
            sockets=list(self.sockets.values()),
            console=self.console,
            screenshot=screenshot,
        )


def visit(arguments: argparse.Namespace, profile: str) -> bool:
    """Open the page and watch it until it is where it shall be, or the time is over."""
    driver = browser(profile)
    try:
        driver.set_page_load_timeout(arguments.timeout)
        watch = Watch(driver)
        deadline = time.monotonic() + arguments.timeout
        try:
            driver.get(arguments.url)
        except WebDriverException as error:  # no address, no answer, no trust
            watch.failure = (error.msg or "").splitlines()[0]
            deadline = 0.0
        watch.look()
        while not watch.done(arguments.until, arguments.hint) and time.monotonic() < deadline:
            time.sleep(POLL)
            watch.look()
        watch.collect()
        if arguments.screenshot:
            driver.save_screenshot(arguments.screenshot)
        reached = watch.done(arguments.until, arguments.hint)
        watch.report(reached, arguments.screenshot)
        return reached
    finally:
        driver.quit()


def main() -> int:
    """Visit one page; the exit status is 0 when it came where it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--until", default="", help="states of the light, by comma; default: open or failed")
    parser.add_argument("--hint", default="", help="a text that must appear in the list of hints")
    parser.add_argument("--screenshot", default="")
    parser.add_argument("--timeout", type=float, default=20.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="profile-", ignore_cleanup_errors=True) as profile:
        return 0 if visit(arguments, profile) else 3


if __name__ == "__main__":
    sys.exit(main())
