"""Where a site's file belongs, read from the includes of the configuration that nginx reads."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import re
from typing import Any, Dict, List, Optional

from ..conf.tree import Configuration, Include

_WILDCARD = re.compile(r"[*?\[]")


class LayoutError(Exception):
    """No directory for sites can be told; the message says what to do."""


@dataclasses.dataclass
class Layout:
    """One place for site files that nginx includes inside ``http``."""

    kind: str
    """``sites-available`` (file there, symlink in the included directory), ``conf.d``, or ``directory``."""
    conf_path: str
    """The main configuration file."""
    site_dir: str
    """Where the file itself is written."""
    enabled_dir: Optional[str]
    """Where the symlink goes; None when the file's own directory is included."""
    include: str
    """The full pattern by which nginx finds the file (or the symlink)."""
    include_at: str
    """``file:line`` of the include directive."""

    @property
    def prefix(self) -> str:
        """What a file name must begin with to be included."""
        name = os.path.basename(self.include)
        match = _WILDCARD.search(name)
        return name[: match.start()] if match else ""

    @property
    def suffix(self) -> str:
        """What a file name must end with to be included."""
        return re.sub(r"^.*[*?\]]", "", os.path.basename(self.include))

    def file_name(self, site: str) -> str:
        """The file name of a site: its name with the prefix and suffix that the include asks for."""
        name = site if site.startswith(self.prefix) else self.prefix + site
        return name if name.endswith(self.suffix) else name + self.suffix

    def site_path(self, site: str) -> str:
        """Path of the site's file."""
        return os.path.join(self.site_dir, self.file_name(site))

    def includes(self, path: str) -> bool:
        """Whether nginx's pattern finds a file of that path (glob(3): ``*`` finds no dot files)."""
        directory, name = os.path.split(path)
        if os.path.realpath(directory) != os.path.realpath(os.path.dirname(self.include)):
            return False
        return not name.startswith(".") and fnmatch.fnmatchcase(name, os.path.basename(self.include))

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        data = dataclasses.asdict(self)
        data.update(prefix=self.prefix, suffix=self.suffix)
        return data


def site_includes(configuration: Configuration) -> List[Include]:
    """The includes with a wildcard that stand directly in ``http``, in file order."""
    return [
        include
        for include in configuration.includes
        if _WILDCARD.search(os.path.basename(include.pattern))
        and include.directive.parent is not None
        and include.directive.parent.name == b"http"
    ]


def find_layout(configuration: Configuration, *, site_dir: str = "", enabled_dir: str = "") -> Layout:
    """Tell where this nginx takes its sites from.

    ``sites-enabled`` with ``sites-available`` beside it comes first, then ``conf.d/*.conf``, then the
    directory whose files hold the most servers.

    Args:
        configuration: what the running nginx reads.
        site_dir: the caller's wish for the directory of the files.
        enabled_dir: the caller's wish for the directory of the symlinks.

    Raises:
        LayoutError: ``http`` includes no directory, or not the one that is wished for.
    """
    found = site_includes(configuration)
    if site_dir or enabled_dir:
        return _wished(configuration, found, site_dir, enabled_dir)
    for include in found:
        directory = os.path.dirname(include.pattern)
        if directory.endswith("-enabled"):
            available = directory[: -len("enabled")] + "available"
            if os.path.isdir(available):
                return _layout(configuration, include, "sites-available", available, directory)
    for include in found:
        directory, name = os.path.split(include.pattern)
        if os.path.basename(directory) == "conf.d" and name.endswith(".conf"):
            return _layout(configuration, include, "conf.d", directory, None)
    if not found:
        raise LayoutError(
            f"http in {configuration.main} includes no directory of sites; add a line such as "
            f"'include {os.path.join(os.path.dirname(configuration.main), 'conf.d')}/*.conf;' to it"
        )
    servers: Dict[str, int] = {}
    for directive in configuration.walk():
        if directive.name == b"server" and directive.block is not None:
            servers[directive.file] = servers.get(directive.file, 0) + 1
    best = max(found, key=lambda include: sum(servers.get(file, 0) for file in include.files))
    return _layout(configuration, best, "directory", os.path.dirname(best.pattern), None)


def _wished(configuration: Configuration, found: List[Include], site_dir: str, enabled_dir: str) -> Layout:
    """The layout that the caller asks for, if nginx includes it."""
    included = os.path.normpath(enabled_dir or site_dir)
    for include in found:
        directory = os.path.dirname(include.pattern)
        if os.path.realpath(directory) == os.path.realpath(included):
            if enabled_dir and site_dir and os.path.realpath(site_dir) != os.path.realpath(enabled_dir):
                return _layout(
                    configuration, include, "sites-available", os.path.normpath(site_dir), directory
                )
            kind = "conf.d" if os.path.basename(directory) == "conf.d" else "directory"
            return _layout(configuration, include, kind, directory, None)
    patterns = ", ".join(include.pattern for include in found) or "no directory at all"
    raise LayoutError(
        f"nginx does not include {included}: http in {configuration.main} includes {patterns}; choose one of "
        "these directories, or include yours"
    )


def _layout(
    configuration: Configuration, include: Include, kind: str, site_dir: str, enabled_dir: Optional[str]
) -> Layout:
    """Fill in what every kind has in common."""
    return Layout(
        kind=kind,
        conf_path=configuration.main,
        site_dir=site_dir,
        enabled_dir=enabled_dir,
        include=include.pattern,
        include_at=include.directive.where(),
    )
