"""The lab's images: a base per Debian release, the host upon it, and the browser.

Each image carries the digest of its recipe as a label: only a changed recipe is built again.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from ..console import Progress, run_logged, step
from ..state import LAB, LabError, lock
from . import docker

REPOSITORY = "nginx-websocket-lab"
# Images must not carry the label that marks containers: containers inherit their image's labels.
RECIPE_LABEL = f"{REPOSITORY}.recipe"
SUITES = ("bookworm", "bullseye", "trixie", "forky")
PULL_ANSWER = 15.0  # seconds for a registry to say that it has the image
PULL_WHOLE = 600.0

HOST_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "nginx", "openssh-server", "python3", "sudo"),
    *("iproute2", "procps", "ca-certificates", "openssl", "curl"),
    *("mosquitto", "mosquitto-clients"),
    *("python3-fastapi", "python3-uvicorn", "python3-websockets", "python3-paho-mqtt"),
    # The differential tests ask nginx inside the container.
    *("python3-pytest", "python3-hypothesis"),
)
STREAM_PACKAGE = "libnginx-mod-stream"
MORE_HEADERS_PACKAGE = "libnginx-mod-http-headers-more-filter"  # mirrors have lost the one of bullseye
OPENRC_PACKAGES = ("openrc", "sysvinit-core")
BROWSER_PACKAGES = ("chromium", "chromium-driver", "python3-selenium", "libnss3-tools", "fonts-dejavu-core")

_pull_failed = False


def tag(name: str) -> str:
    """Return the whole name of one of the lab's images."""
    return f"{REPOSITORY}:{name}"


def check_suite(suite: str) -> str:
    """Return the suite when the lab knows it, else say which it knows."""
    if suite not in SUITES:
        raise LabError(f"suite: {suite!r} is unknown, expected one of {', '.join(SUITES)}")
    return suite


def base_image(suite: str) -> str:
    """Make sure that the base image of a Debian release is there; return its id.

    It is pulled where a registry answers, otherwise built with mmdebstrap from the Debian archive.
    """
    name = tag(f"base-{check_suite(suite)}")
    recipe = hashlib.sha256(f"base 1 {suite}".encode()).hexdigest()
    found = _current(name, recipe)
    if found:
        return found
    label = f"LABEL {RECIPE_LABEL}={recipe}"
    with step(f"base image of Debian {suite}") as progress:
        if _pull(f"debian:{suite}", progress):
            dockerfile = f"FROM debian:{suite}\n{label}\n".encode()
            docker.docker("build", "--tag", name, "-", data=dockerfile)
        else:
            _bootstrap(suite, name, label, progress)
    return _current(name, recipe) or _missing(name)


def host_image(suite: str) -> str:
    """Make sure that the host image of a Debian release is there and current; return its name."""
    context = _context(LAB / "images" / "host", {"app.py": LAB / "backend" / "app.py"})
    base_image(check_suite(suite))
    return _build(f"host-{suite}", tag(f"base-{suite}"), HOST_PACKAGES, context)


def modules_image(suite: str) -> str:
    """Make sure that the host image with nginx's further modules is there and current; return its name."""
    return _build(
        f"modules-{check_suite(suite)}",
        host_image(suite),
        (STREAM_PACKAGE,) if suite == "bullseye" else (STREAM_PACKAGE, MORE_HEADERS_PACKAGE),
        _context(LAB / "images" / "modules", {}),
    )


def openrc_image(suite: str) -> str:
    """Make sure that the host image with OpenRC in place of systemd is there and current; return its name."""
    context = _context(LAB / "images" / "openrc", {})
    return _build(f"openrc-{check_suite(suite)}", host_image(suite), OPENRC_PACKAGES, context)


def browser_image() -> str:
    """Make sure that the browser image is there and current; return its name."""
    context = _context(LAB / "images" / "browser", {})
    base_image("bookworm")
    return _build("browser", tag("base-bookworm"), BROWSER_PACKAGES, context)


def _build(name: str, base_name: str, packages: Tuple[str, ...], context: Mapping[str, bytes]) -> str:
    """Build an image from a base, a list of packages and a build context, unless it is there already."""
    with lock(f"image-{name}"):
        base = next((str(image["Id"]) for image in docker.inspect("image", [base_name])), "")
        recipe = _digest(base, packages, context)
        if _current(tag(name), recipe):
            return tag(name)
        old = [image["Id"] for image in docker.inspect("image", [tag(name)])]
        arguments = {"BASE": base_name, "PACKAGES": " ".join(packages)}
        command = ["docker", "build", "--tag", tag(name), "--label", f"{RECIPE_LABEL}={recipe}", "--force-rm"]
        for key, value in arguments.items():
            command += ["--build-arg", f"{key}={value}"]
        with step(f"image {tag(name)}") as progress:
            env = docker.environment()
            run_logged([*command, "-"], f"image-{name}", progress, data=_tar(context), env=env)
        # The one before it goes, unless a container still uses it.
        if old:
            docker.docker("rmi", *old, check=False)
    return tag(name)


def _current(name: str, recipe: str) -> str:
    """Return the image's id when it was made by this recipe, else nothing."""
    for image in docker.inspect("image", [name]):
        if (image["Config"].get("Labels") or {}).get(RECIPE_LABEL) == recipe:
            return str(image["Id"])
    return ""


def _missing(name: str) -> str:
    raise LabError(f"{name} was built, but the engine does not show it: was it removed meanwhile?")


def _pull(reference: str, progress: Progress) -> bool:
    """Pull an image; False when the registry cannot be reached. A failed attempt is not repeated in this run.

    The short limit is for the registry's first word only: a slow line may take its time for the layers.
    """
    global _pull_failed
    if _pull_failed:
        return False
    try:
        run_logged(
            ["docker", "pull", reference],
            "pull-" + reference.replace(":", "-"),
            progress,
            first_line_within=PULL_ANSWER,
            within=PULL_WHOLE,
        )
    except LabError:
        _pull_failed = True
        return False
    return True


def _bootstrap(suite: str, name: str, label: str, progress: Progress) -> None:
    """Build a base image from the Debian archive with mmdebstrap."""
    progress.now("no registry answers; building it from the Debian archive")
    _need_mmdebstrap(progress)
    with tempfile.TemporaryDirectory(prefix="nginx-websocket-lab-") as scratch:
        archive = os.path.join(scratch, "base.tar")
        command = ["mmdebstrap", "--variant=minbase", '--aptopt=Acquire::Check-Valid-Until "false"']
        run_logged([*command, suite, archive], f"base-{suite}", progress)
        progress.now("importing it")
        docker.docker("import", "--change", label, "--change", 'CMD ["/bin/bash"]', archive, name)


def _need_mmdebstrap(progress: Progress) -> None:
    """Install mmdebstrap when it is missing, where that is possible."""
    if shutil.which("mmdebstrap"):
        return
    install = "apt-get install --no-install-recommends mmdebstrap"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"no image registry answers, and mmdebstrap is missing: as root, `{install}`")
    progress.note(f"no image registry answers: installing mmdebstrap to build the base image ({install})")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_logged(["apt-get", "update"], "apt-update", progress, env=env)
    run_logged([*install.split(), "--yes"], "apt-mmdebstrap", progress, env=env)


def _context(folder: Path, more: Mapping[str, Path]) -> Dict[str, bytes]:
    """Return the files of a build context by name."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    files.update({name: path.read_bytes() for name, path in more.items()})
    return files


def _digest(base: str, packages: Tuple[str, ...], context: Mapping[str, bytes]) -> str:
    """Return the digest of everything that an image is made of."""
    digest = hashlib.sha256(f"{base}\n{' '.join(packages)}\n".encode())
    for name in sorted(context):
        digest.update(f"{name} {len(context[name])}\n".encode() + context[name])
    return digest.hexdigest()


def _tar(context: Mapping[str, bytes]) -> bytes:
    """Pack a build context with fixed owners and times, so that the layer cache knows it again."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in sorted(context):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(context[name]), 0o644
            archive.addfile(entry, io.BytesIO(context[name]))
    return out.getvalue()


def ensure(suites: List[str], browser: bool) -> List[str]:
    """Make sure that the named images are there; return their names.

    Args:
        suites: Debian releases whose host images are wanted.
        browser: the browser image too.
    """
    names = [host_image(suite) for suite in suites]
    if browser:
        names.append(browser_image())
    return names


def built(name: Optional[str]) -> bool:
    """Say whether an image of that name is on the engine, current or not."""
    return bool(name and docker.inspect("image", [name]))
