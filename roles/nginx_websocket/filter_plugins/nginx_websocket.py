"""Filters of the role nginx_websocket: check its variables, fit its sites to a host.

Ansible loads this file by its path and not as a part of a package, so the package that does the work,
``site_model`` beside this directory, is loaded by its path too.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict

PACKAGE = Path(__file__).resolve().parent.parent / "site_model"


def load(package: Path) -> ModuleType:
    """Return a package, loaded from its directory under a name that no other copy of the role shares."""
    name = f"nginx_websocket_site_model_{abs(hash(str(package)))}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if specification is None or specification.loader is None:
        raise ImportError(f"{package} is not a package")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        site_model = load(PACKAGE)
        return {
            "nginx_websocket_check": site_model.check,
            "nginx_websocket_fit": site_model.fit,
            "nginx_websocket_live_files": site_model.live_files,
        }
