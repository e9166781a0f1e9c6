"""Run one module out of the zip file that host_answers/sending.py sends by standard input.

This text comes first, then the arguments, then the zip file, which is kept in memory (memfd_create(2)).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from typing import Any, BinaryIO, Dict


def run(given: BinaryIO) -> None:
    """Run the module; what it prints is its answer.

    Args:
        given: after this text: the length of the arguments in a line of its own, the arguments as JSON
            (``module``, ``params``, ``check_mode``, ``diff``), the zip file.
    """
    header: Dict[str, Any] = json.loads(given.read(int(given.readline())))
    directory = None
    if hasattr(os, "memfd_create"):
        kept = os.fdopen(os.memfd_create("nginx_websocket"), "wb")
        archive = f"/proc/self/fd/{kept.fileno()}"
    else:
        directory = tempfile.TemporaryDirectory()
        archive = os.path.join(directory.name, "modules.zip")
        kept = open(archive, "wb")  # noqa: SIM115  it is open as long as modules are imported from it
    kept.write(given.read())
    kept.flush()
    sys.path.insert(0, archive)
    try:
        import ansible.module_utils.basic as basic  # type: ignore[import-untyped]  # the zip file's

        basic.GIVEN.update(header)
        name = header["module"] + ".py"
        source = sys.path_importer_cache[archive].get_data(name)  # type: ignore[union-attr]
        code = compile(source, name, "exec")
        exec(code, {"__name__": "__main__"})  # nosec B102 # the controller sent it
    except Exception as error:
        what = f"Module failed: {type(error).__name__}: {error}"
        told = {"failed": True, "msg": what, "exception": traceback.format_exc()}
        sys.stdout.write(json.dumps(told))
    finally:
        if directory:
            directory.cleanup()


if sys.version_info < (3, 8):  # noqa: UP036  a host may have anything
    sys.exit("nginx_websocket requires a minimum of Python 3.8")
run(sys.stdin.buffer)
