#!/usr/bin/env python3
"""Run the unit tests of what runs on managed hosts under every Python that is to be had: `tests/pythons.py`.

The lab's host images have one each: they run in containers, against their own OpenSSL, PCRE and libc.
Other versions (from 3.8 on) are looked for on this machine, on PATH and below ~/.pyenv/versions; each
gets an environment with pytest and hypothesis in .cache/pythons/. `--local` leaves the containers out, and so
takes every version of this machine.
The oldest runs all tests. The others import all of them, and run a share each: with `tests/run unit`, a test
thus runs under three versions. `--whole` has all run under all. Ends with 1 when one has failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab.containers import images  # noqa: E402
from lab.containers.docker import DockerError  # noqa: E402
from lab.state import LabError  # noqa: E402

CACHE = ROOT / ".cache" / "pythons"
OLDEST = (3, 8)
# Where all of it must run; what it costs is measured elsewhere, and not under every Python at once.
TESTS = [
    *("tests/unit/conf", "tests/unit/behaviour", "tests/unit/nginx_host"),
    *("tests/unit/websocket", "tests/unit/transaction", "tests/unit/diagnosis"),
    *(
        "tests/unit/backend_service",
        "tests/unit/compare",
        "tests/unit/edit",
        "tests/unit/fix",
        "tests/unit/command",
    ),
    "tests/unit/test_importing_once.py",
    "--deselect=tests/unit/conf/test_reading_hostile.py::test_large_and_odd",
    "--ignore=tests/unit/behaviour/test_routing_cost.py",
    # Sites of the role's own variables need PyYAML and Jinja2, as the controller has them.
    *(f"--ignore=tests/unit/compare/test_compare_{name}.py" for name in ("corpus", "lammp")),
    # They render pages as the controller does, by Jinja2.
    *(f"--ignore=tests/unit/diagnosis/test_{name}.py" for name in ("reports", "secrets")),
]
# A crash leaves a traceback, and the line of the test that it was in: `-v` writes it before the test begins.
PYTEST = ["-X", "faulthandler", "-m", "pytest", "-v", "-p", "no:cacheprovider", "-W", "ignore", "-r", ""]
PYTEST += ["--tb=short", "--hypothesis-profile=quick", *TESTS]
ONE_TEST = re.compile(r"tests/\S+::.*")
SIGNALS = {one.value: one.name for one in signal.Signals}
ENDED = re.compile(r" (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b")
#: Exit codes of pytest that tell more than "a test failed".
EXIT_CODES = {2: "pytest was interrupted", 3: "pytest itself failed", 4: "pytest was called wrongly",
              5: "pytest found no test"}  # fmt: skip
LIMIT = 1800.0  # seconds for one Python, with other sections beside it

#: What the images of `lab.containers.images` have.
SUITES = {"bullseye": (3, 9), "bookworm": (3, 11), "trixie": (3, 13), "forky": (3, 14)}

Result = Tuple[str, bool, str]


def interpreters(oldest: Tuple[int, int] = OLDEST) -> Dict[Tuple[int, int], str]:
    """Return one working interpreter of each minor version from the oldest supported on."""
    paths = [Path(directory) for directory in os.environ.get("PATH", "").split(":") if directory]
    candidates = [
        *(path for directory in paths for path in sorted(directory.glob("python3.[0-9]*"))),
        *sorted(Path.home().glob(".pyenv/versions/*/bin/python3.[0-9]*")),
    ]
    found: Dict[Tuple[int, int], str] = {}
    for path in candidates:
        match = re.fullmatch(r"python(3)\.(\d+)", path.name)
        if not match:
            continue
        version = (int(match.group(1)), int(match.group(2)))
        # pyenv's shims answer for versions that are not switched on: only what starts counts.
        if version >= oldest and version not in found and _starts(path, version):
            found[version] = str(path)
    return dict(sorted(found.items()))


def _starts(path: Path, version: Tuple[int, int]) -> bool:
    """Say whether an interpreter runs, is of that version, and can make environments."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run(
            [str(path), "-c", code], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.split() == [str(number) for number in version]


def environment(version: Tuple[int, int], path: str) -> str:
    """Return the interpreter of an environment with the test tools, made when it is not there."""
    folder = CACHE / f"{version[0]}.{version[1]}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        for command in (
            [path, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--disable-pip-version-check", "pytest", "hypothesis"],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True)
        ready.touch()
    return str(python)


def shares(versions: Sequence[Tuple[int, int]]) -> Dict[Tuple[int, int], str]:
    """Return the share of the tests of each version, as TESTS_SHARE wants it; empty for all of them."""
    others = sorted(versions)[1:]
    parts = {version: f"{number}/{len(others)}" for number, version in enumerate(others, 1)}
    return {version: parts.get(version, "") for version in versions}


def local(version: Tuple[int, int], path: str, share: str) -> Result:
    """Run the tests, or a share of them, under an interpreter of this machine."""
    name = f"Python {version[0]}.{version[1]} of this machine"
    try:
        python = environment(version, path)
    except subprocess.CalledProcessError as error:
        return name, False, f"no environment: {error.stderr or error}"
    return _judged(name, [python, *PYTEST], {**os.environ, "PYTHONPATH": str(ROOT), "TESTS_SHARE": share})


def contained(suite: str, share: str) -> Result:
    """Run the tests, or a share of them, in a host image of the lab."""
    name = f"Python {SUITES[suite][0]}.{SUITES[suite][1]} of Debian {suite}"
    try:
        image = images.host_image(suite)
    except (LabError, DockerError) as error:
        return name, False, str(error)
    command = ["docker", "run", "--rm", "--init", "--volume", f"{ROOT}:/src:ro", "--workdir", "/src"]
    # Tests write programs into /tmp and run them; some listen on ::1.
    command += ["--tmpfs", "/tmp:exec", "--sysctl", "net.ipv6.conf.all.disable_ipv6=0"]
    command += ["--env", f"TESTS_SHARE={share}", "--env", "PYTHONPATH=/src"]
    command += ["--env", "PYTHONPYCACHEPREFIX=/tmp/compiled", image, "python3"]
    return _judged(name, [*command, *PYTEST], dict(os.environ))


def _judged(name: str, command: List[str], env: Dict[str, str]) -> Result:
    """Run the tests and return how it went, in one line or with what pytest said."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return name, False, f"not done within {LIMIT:g} s"
    if done.returncode != 0:
        return name, False, failure(done.returncode, done.stdout, done.stderr)
    lines = done.stdout.strip().splitlines() or [""]
    return name, True, f"{lines[-1].strip('= ')}, {time.monotonic() - began:.0f} s in all"


def failure(code: int, out: str, errors: str) -> str:
    """Say how pytest ended, and what it printed without the lines of tests that went well.

    Args:
        code: the exit code: negative for a signal, as is one above 128, from a container.
        out: what ``pytest -v`` printed.
        errors: its standard error, where Python writes the traceback of a crash.
    """
    lines = out.strip().splitlines()
    number = -code if code < 0 else code - 128
    if 0 < number < signal.NSIG:
        tests = [line for line in lines if ONE_TEST.match(line)]
        last = ENDED.split(tests[-1])[0].strip() if tests else "none"
        how = f"ended by {SIGNALS.get(number, number)}; its last test: {last}"
    else:
        how = EXIT_CODES.get(code, f"ended with {code}")
    told = [line for line in lines if not (ONE_TEST.match(line) and ENDED.search(line))]
    return "\n".join([how, *told, *errors.strip().splitlines()])


def main() -> int:
    """Run all of them, two at a time, and say of each how it went."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--local", action="store_true", help="only the interpreters of this machine")
    parser.add_argument("--whole", action="store_true", help="all tests under each version")
    options = parser.parse_args()
    suites = {} if options.local else SUITES
    found = {version: path for version, path in interpreters().items() if version not in suites.values()}
    if not found:
        print("   skipped: no other Python from 3.8 on is on this machine (python3.N on PATH, or pyenv's)")
    versions = [*found, *suites.values()]
    part = dict.fromkeys(versions, "") if options.whole else shares(versions)
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(local, version, path, part[version]) for version, path in found.items()]
        running += [pool.submit(contained, suite, part[version]) for suite, version in suites.items()]
        good = True
        for future in running:
            name, passed, said = future.result()
            good = good and passed
            print(f"   {'passed' if passed else 'FAILED'}  {name}: {said}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
