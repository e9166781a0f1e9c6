"""A person's browser: one container with headless Chromium that trusts the lab's CA, kept between visits."""

from __future__ import annotations

import json
import subprocess
import tempfile
from typing import Any, Callable, Dict, List, Mapping, Optional

from .console import step
from .containers import docker, images
from .files import pki
from .hosts import CHECKOUT_LABEL, KIND_LABEL, LABEL, container_name, listing
from .state import CHECKOUT_ID, OUT, LabError, lock

NAME = "browser"
USER = "browser"
CA = "/home/browser/lab-ca.crt"
SHOT = "/home/browser/page.png"
# Chromium reads the CAs that its user trusts from this NSS database.
TRUST = (
    "mkdir -p ~/.pki/nssdb && certutil -N -d sql:$HOME/.pki/nssdb --empty-password"
    f" && certutil -A -d sql:$HOME/.pki/nssdb -t C,, -n lab -i {CA}"
)

Event = Dict[str, Any]


def start() -> str:
    """Make sure that the browser's container runs and is current; return its name."""
    image = images.browser_image()
    container = container_name(NAME)
    with lock("browser"):
        current = docker.inspect("image", [image])[0]["Id"]
        for found in listing():
            if found.kind == "browser" and found.running and found.image == current:
                return container
        authority = pki.authority()
        with step("start the browser"):
            docker.docker("rm", "--force", "--volumes", container, check=False)
            labels = {LABEL: NAME, CHECKOUT_LABEL: CHECKOUT_ID, KIND_LABEL: "browser"}
            marks = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
            # Chromium wants more shared memory than the 64 MB of a container.
            docker.docker("run", "--detach", "--init", "--shm-size=512m", "--name", container, *marks, image)
            docker.docker("cp", str(authority), f"{container}:{CA}")
            docker.docker("exec", "--user", USER, "--env", f"HOME=/home/{USER}", container, "sh", "-c", TRUST)
    return container


def run_python(container: str, source: str, *arguments: str) -> str:
    """Run a program as the browser's user, on the container's Python; return what it prints.

    Raises:
        LabError: it failed; the message is what it said.
    """
    command = ["docker", "exec", "--interactive", "--user", USER, "--env", f"HOME=/home/{USER}", container]
    done = subprocess.run(
        [*command, "python3", "-", *arguments],
        input=source, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise LabError(done.stderr)
    return done.stdout


def visit(
    url: str,
    addresses: Mapping[str, str],
    *,
    until: str = "",
    hint: str = "",
    screenshot: str = "",
    timeout: float = 20.0,
    on_event: Optional[Callable[[Event], None]] = None,
) -> Event:
    """Open a page in the browser and return the report of what happened.

    Args:
        url: the page.
        addresses: DNS name → IP address, for names that only the lab knows.
        until: states of the page's light to wait for, by comma; open or failed when empty.
        hint: a text to wait for in the page's list of hints.
        screenshot: name of a PNG file below `out/`; none when empty.
        timeout: seconds for the page to come there.
        on_event: called with each event as it happens, see lab/images/browser/visit.py.

    Returns:
        The report: reached, title, document, failure (why the page did not load), status, hints, sockets,
        console, screenshot.

    Raises:
        LabError: the browser itself failed; a page that fails is a report, not an error.
    """
    container = start()
    # Removed first, so that a name's older address does not win.
    entries = "".join(f"{address} {name}\\n" for name, address in addresses.items())
    names = "|".join(name.replace(".", "[.]") for name in addresses) or "no names"
    rewrite = f"kept=$(grep -vwE '{names}' /etc/hosts); printf '%s\\n{entries}' \"$kept\" >/etc/hosts"
    docker.docker("exec", "--user", "root", container, "sh", "-c", rewrite)
    command = ["docker", "exec", "--user", USER, "--env", f"HOME=/home/{USER}", container]
    command += ["python3", "/opt/browser/visit.py", url, "--until", until, "--hint", hint]
    command += ["--timeout", f"{timeout:g}", "--screenshot", SHOT if screenshot else ""]
    events: List[Event] = []
    # Errors go to a file: a full pipe that nobody reads would stop the browser.
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            events.append(event)
            if on_event is not None:
                on_event(event)
        process.wait()
        errors.seek(0)
        said = errors.read()
    if not events or events[-1]["event"] != "report":
        raise LabError(f"the browser could not visit {url}: {said.strip()[-1500:]}")
    report = events[-1]
    if screenshot:
        OUT.mkdir(exist_ok=True)
        docker.docker("cp", f"{container}:{SHOT}", str(OUT / screenshot))
        report["screenshot"] = str(OUT / screenshot)
    return report
