"""Compile what a module imports once: importing this halves the time of the imports after it.

Ansible sends a module and all that it imports as source in one zip file, and nginx-websocket.pyz is one.
Python's zipimport compiles each piece twice: ``zipimporter.get_filename`` compiles it to know its name, when
the spec is made, and ``exec_module`` does it again (Lib/zipimport.py, ``_get_module_code``).  The finder
below knows the name by itself.
"""

from __future__ import annotations

import os
import sys
import zipimport
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Optional, Sequence

_PACKAGES = ("ansible.module_utils.", "ansible_collections.", "module_utils.")
"""What comes from a zip file: our own packages, in a collection or not, and Ansible's beside them."""
_ARCHIVES = (".zip", ".pyz", "/proc/self/fd/")
"""A zip file's path has one of these; the last is one in memory (run.py)."""


class _Loader:
    """Loads one module; whatever else is asked of it is the zip file's business."""

    def __init__(self, archive: zipimport.zipimporter, filename: str, source: bytes) -> None:
        self._archive = archive
        self._filename = filename
        self._source = source

    def __getattr__(self, name: str) -> object:
        return getattr(self._archive, name)

    def get_filename(self, _name: str) -> str:
        """The path inside the zip file (importlib.abc.ExecutionLoader)."""
        return self._filename

    def create_module(self, _spec: ModuleSpec) -> Optional[ModuleType]:
        """Let Python make the module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Compile and run the module's code."""
        code = compile(self._source, self._filename, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # nosec B102 # what an importer is for; the archive is Ansible's


class _Finder:
    """Finds modules in the zip file (importlib.abc.MetaPathFinder); others are left to the next finder."""

    @staticmethod
    def find_spec(
        name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """Say how a module is loaded; None when it is not in a zip file."""
        if not name.startswith(_PACKAGES):
            return None
        for directory in path or ():
            archive = sys.path_importer_cache.get(directory)
            if archive is None and any(mark in directory for mark in _ARCHIVES):
                try:
                    archive = sys.path_importer_cache[directory] = zipimport.zipimporter(directory)
                except zipimport.ZipImportError:
                    continue
            if not isinstance(archive, zipimport.zipimporter):
                continue
            below = os.path.join(directory, name.rpartition(".")[2])
            for filename, package in ((below + ".py", None), (os.path.join(below, "__init__.py"), [below])):
                try:
                    source = archive.get_data(filename)
                except OSError:
                    continue
                loader = _Loader(archive, filename, source)
                return spec_from_file_location(
                    name,
                    filename,
                    loader=loader,  # type: ignore[arg-type]
                    submodule_search_locations=package,
                )
        return None


if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder())
