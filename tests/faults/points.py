"""Run a transaction in a child process, and let something happen at any of its points.

A point is the beginning of a step, or one touch of the file system: create, sync, rename, link, unlink,
directory.  What happens there is a function; killing is one of them.
"""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from importlib import import_module
from typing import Any, Callable, Dict, List, Optional

from module_utils.nginx_websocket.transaction.live.instance import find_instance
from module_utils.nginx_websocket.transaction.surroundings import host
from module_utils.nginx_websocket.transaction.tree import files

PRIMITIVES = (
    "create",
    "sync",
    "rename",
    "symlink",
    "hard_link",
    "unlink",
    "mkdir",
    "rmdir",
    "sync_directory",
)
Happening = Callable[[], None]


def kill_myself() -> None:
    """As the kernel does to a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


class Points:
    """Calls a function when the transaction comes to a point; remembers all points."""

    def __init__(self, when: Callable[[int, str], bool], then: Happening) -> None:
        self.names: List[str] = []
        self._when, self._then = when, then
        self._step = ""

    def passing(self, name: str) -> None:
        """The transaction comes to a point."""
        self.names.append(name)
        if self._when(len(self.names) - 1, name):
            self._then()

    def install(self) -> None:
        """Look on from now on; meant for a child process, it is never taken back."""
        original = host.Host.step
        outer = self

        def step(this: host.Host, name: str) -> Any:
            outer._step = name
            outer.passing(name)
            return original(this, name)

        host.Host.step = step  # type: ignore[method-assign,assignment]
        for name in PRIMITIVES:
            if hasattr(files.Filesystem, name):
                self._watch(name)

    def _watch(self, name: str) -> None:
        original = getattr(files.Filesystem, name)
        outer = self

        def primitive(this: files.Filesystem, *arguments: Any) -> Any:
            path = str(arguments[-1] if name in ("rename", "symlink", "hard_link") else arguments[0])
            outer.passing(f"{outer._step}: {name} {os.path.basename(path)}")
            return original(this, *arguments)

        setattr(files.Filesystem, name, primitive)


class Run:
    """A verb of the package in a child process."""

    def __init__(
        self,
        verb: str,
        *,
        module: str = "",
        when: Optional[Callable[[int, str], bool]] = None,
        then: Happening = kill_myself,
        **arguments: Any,
    ) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(writer)
            self._reader = reader
            return
        os.close(reader)
        code = 1
        try:
            points = Points(when or (lambda _number, _name: False), then)
            points.install()
            place = module or f"transaction.{verb}"
            transaction = getattr(import_module(f"module_utils.nginx_websocket.{place}"), verb)
            outcome = transaction(nginx=find_instance(), **arguments)
            result = {**outcome.as_dict(), "failed": outcome.failed, "message": outcome.message}
            with os.fdopen(writer, "w") as stream:
                json.dump({"result": result, "points": points.names}, stream)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def kill_after(self, seconds: float) -> None:
        """Kill it from outside, if it still runs then."""
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGKILL)  # not waited for yet, so the number is still its own

    def wait(self) -> Dict[str, Any]:
        """``{}`` when it was killed, else ``result`` and ``points``."""
        with os.fdopen(self._reader) as stream:
            text = stream.read()
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return {}
        if not text:
            raise RuntimeError(f"the transaction ended with exit status {os.WEXITSTATUS(status)}")
        found: Dict[str, Any] = json.loads(text)
        return found


def deploy(revision: Any, **arguments: Any) -> Run:
    """Begin a deployment of one candidate; what it would lose is accepted, since faults are the question."""
    meant = {"on_takeover": "overwrite", "on_loss": "accept"}
    return Run("deploy", sites=[revision], **{**meant, **arguments})
