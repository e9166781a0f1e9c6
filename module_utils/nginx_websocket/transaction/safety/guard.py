"""Undoes a release that nobody confirms in time, and one that a start of the host found half done.

While a transaction that needs it is open, the host holds three files and a timer: our own code as one zip
file in the state directory, a unit that runs it at boot before nginx starts, and a transient timer that runs
it when the controller has not confirmed the release in time.  Closing the transaction takes all of it away.

Unit and timer are systemd's, in directories of root.  What they run is the archive that was armed and no
other: its digest stands in the command, and the bytes that were compared are the bytes that are run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from ...host.processes.children import run
from ...host.processes.proc import Proc
from ...host.processes.trust import weakness
from ..site.instance import Instance
from ..site.model import ABSENT, Entry
from ..tree.files import Filesystem, temporary_name

UNIT_DIR = "/etc/systemd/system"
SYSTEM_PYTHON = "/usr/bin/python3"
BOOT_UNIT = "nginx-websocket-recover.service"
TIMER = "nginx-websocket-undo"
_ROOT = __name__.rpartition(".transaction.")[0]
"""The package that all our code is in, under the name that it was imported by."""
_PACKAGES = ("transaction", "behaviour", "conf", "host", "exchange")
_MAIN = "import sys\nfrom module_utils.nginx_websocket{} import main\n\nsys.exit(main())\n"
_LOADER = (
    "import hashlib,os,runpy,sys;d,p=sys.argv[1:3];"
    "f=os.open(p,os.O_RDONLY|os.O_NOFOLLOW|os.O_NONBLOCK|os.O_CLOEXEC);b=open(f,'rb').read();"
    "hashlib.sha256(b).hexdigest()==d or sys.exit(p+' is not the archive that was armed: it is not run');"
    "m=os.memfd_create('guard');open(m,'wb',closefd=False).write(b);del sys.argv[1:3];"
    "runpy.run_path('/proc/self/fd/'+str(m),run_name='__main__')"
)
"""Python, in one line without characters that systemd expands, for its command line."""
_PATIENCE = 20.0


def payload(runs: str) -> bytes:
    """Our own code as a zip file that Python runs, whether it was imported from files or from a zip file.

    Args:
        runs: name of the module whose ``main`` the file runs, as it was imported.
    """
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("__main__.py", _MAIN.format(runs[len(_ROOT) :]))
        for package in ("module_utils", "module_utils/nginx_websocket"):
            archive.writestr(f"{package}/__init__.py", "")
        for package in _PACKAGES:
            for name, source in _sources(package):
                archive.writestr(f"module_utils/nginx_websocket/{name}", source)
        for name in _beside_them():
            archive.writestr(f"module_utils/nginx_websocket/{name}.py", _source(f"{_ROOT}.{name}"))
    return held.getvalue()


def _beside_them() -> List[str]:
    """The modules that all rooms share, such as the codes of findings."""
    import pkgutil

    return [found.name for found in pkgutil.iter_modules(import_module(_ROOT).__path__) if not found.ispkg]


def _sources(package: str) -> Iterator[Tuple[str, str]]:
    """The files of a package and of the packages in it, by their paths below ours."""
    import pkgutil

    path = package.replace(".", "/")
    found = import_module(f"{_ROOT}.{package}")
    yield f"{path}/__init__.py", _source(found.__name__)
    for module in pkgutil.iter_modules(found.__path__):
        if module.ispkg:
            yield from _sources(f"{package}.{module.name}")
        else:
            yield f"{path}/{module.name}.py", _source(f"{found.__name__}.{module.name}")


def _source(name: str) -> str:
    spec = find_spec(name)
    get_source: Optional[Callable[[str], Optional[str]]] = getattr(spec and spec.loader, "get_source", None)
    return (get_source(name) if get_source is not None else None) or ""


@dataclasses.dataclass
class Guard:
    """The guard of one host."""

    nginx: Instance
    state_dir: str
    files: Filesystem

    @property
    def code(self) -> str:
        """The zip file."""
        return os.path.join(self.state_dir, "guard.zip")

    def _boot_files(self) -> List[str]:
        """The unit, and the link that has systemd start it at boot."""
        return [
            os.path.join(UNIT_DIR, BOOT_UNIT),
            os.path.join(UNIT_DIR, "multi-user.target.wants", BOOT_UNIT),
        ]

    def _command(self, verb: str, number: int, digest: str) -> List[str]:
        return [
            *(_python(), "-I", "-B", "-c", _LOADER, digest, self.code, verb),
            *("--backup", str(number), "--state-dir", self.state_dir, "--armed-in", this_boot()),
            *("--binary", self.nginx.binary, "--conf-path", self.nginx.conf_path),
        ]

    def arm(self, number: int, window: float, runs: str) -> None:
        """Have the host go back by itself: at boot, and when the time is over.

        Nothing that serves is touched: systemd reads the unit at the next boot, and the timer is transient.

        Args:
            number: of the backup to go back to.
            window: seconds until the release must be confirmed; 0 guards the boot only.
            runs: name of the module whose ``main`` goes back.  The caller has imported it, and so a module
                that Ansible sends and that can arm a guard carries what the guard runs.

        Raises:
            OSError: a file could not be written, or systemd did not take the timer.
        """
        unit, link = self._boot_files()
        code = payload(runs)
        digest = hashlib.sha256(code).hexdigest()
        self.files.put(self.code, Entry("file", content=code, mode=0o600))
        self.files.put(unit, Entry("file", content=self._unit(number, digest).encode()))
        self.files.make_directory(os.path.dirname(link), 0o755)
        self.files.put(link, Entry("link", target=unit))
        if not window:
            return
        done = _run(
            "systemd-run",
            *("--quiet", "--collect", f"--unit={TIMER}", f"--on-active={window:.0f}s"),
            *("--timer-property=AccuracySec=1s", "--description=Undo an nginx release not confirmed in time"),
            *("--", *self._command("window", number, digest)),
        )
        if done:
            raise OSError(f"systemd-run: {done}")

    def _unit(self, number: int, digest: str) -> str:
        command = " ".join(_quoted(word) for word in self._command("boot", number, digest))
        before = " ".join(dict.fromkeys(["nginx.service", self.nginx.unit or "nginx.service"]))
        return (
            "[Unit]\nDescription=Undo the nginx release that was not finished before the host went down\n"
            f"ConditionPathExists={os.path.join(self.state_dir, 'journal.json')}\n"
            f"After=local-fs.target\nBefore={before}\n\n"
            f"[Service]\nType=oneshot\nTimeoutStartSec=120\nExecStart={command}\n"
        )

    def armed(self) -> bool:
        """Whether anything of a guard is there, half-written files included."""
        ours = (*self._boot_files(), self.code)
        return any(
            self.files.entry(name).kind != "absent" for path in ours for name in (path, temporary_name(path))
        )

    def disarm(self) -> None:
        """Take the guard away, if there is one; the zip file last, so that a half of it is found again."""
        if not self.armed():
            return
        if os.path.exists(f"/run/systemd/transient/{TIMER}.timer"):
            _run("systemctl", "stop", f"{TIMER}.timer")
        for path in (*reversed(self._boot_files()), self.code):
            with contextlib.suppress(FileNotFoundError):
                self.files.put(path, ABSENT)


def this_boot() -> str:
    """A name for the time since this system came up, other after every boot.

    A container that is started again has the same kernel, and so its boot id, but another first process.
    """
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        kernel = stream.read().strip()
    first = Proc().stat(1)
    return f"{kernel}.{first[1] if first else 0}"


def _python() -> str:
    """The Python to run later, as root: ours, unless others may write it; the system's then.

    Raises:
        OSError: there is none that root alone can write.
    """
    found = weakness(sys.executable or SYSTEM_PYTHON)
    if found is None:
        return sys.executable or SYSTEM_PYTHON
    if os.path.exists(SYSTEM_PYTHON) and weakness(SYSTEM_PYTHON) is None:
        return SYSTEM_PYTHON
    raise OSError(found.sentence())


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"'


def _run(*command: str) -> str:
    """Run a command; returns "" or what went wrong."""
    try:
        done = run(command, _PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        return done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
    return ""


@dataclasses.dataclass(frozen=True)
class Note:
    """That the host went back by itself, kept for the next run to tell."""

    backup: int
    time: str
    message: str


class Notes:
    """The one note that a host may hold."""

    def __init__(self, files: Filesystem, state_dir: str) -> None:
        """Name the file; nothing is read or written yet."""
        self._files = files
        self._path = os.path.join(state_dir, "gone-back.json")

    def write(self, note: Note) -> None:
        """Leave a note."""
        content = json.dumps(dataclasses.asdict(note)).encode() + b"\n"
        self._files.put(self._path, Entry("file", content=content, mode=0o600))

    def read(self) -> Optional[Note]:
        """The note, None when there is none that can be read."""
        entry = self._files.entry(self._path)
        if entry.kind != "file":
            return None
        try:
            data = json.loads(entry.content.decode())
            return Note(int(data["backup"]), str(data["time"]), str(data["message"]))
        except (ValueError, KeyError, TypeError):
            return None

    def remove(self) -> None:
        """It was told."""
        self._files.put(self._path, ABSENT)


def arguments(argv: Optional[Sequence[str]] = None) -> Tuple[str, int, str, Instance]:
    """What ``Guard`` wrote on the command line: verb, backup, state directory, nginx.

    The verb is "" where the unit for the boot is started, by whomever, in the boot that it was armed in.
    """
    import argparse

    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["window", "boot"])
    for name in ("backup", "state-dir", "armed-in", "binary", "conf-path"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args(argv)
    if given.verb == "boot" and given.armed_in == this_boot():
        return "", int(given.backup), given.state_dir, Instance(given.binary, given.conf_path)
    from ..live.instance import find_instance

    nginx = find_instance(binary=given.binary, conf_path=given.conf_path)
    return given.verb, int(given.backup), given.state_dir, nginx
