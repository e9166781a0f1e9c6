#!/usr/bin/env python3
"""Build the collection NAMESPACE.nginx_websocket out of this checkout: `collection/build.py OUT`.

The checkout stays as it is, so that its playbooks run from where they are; a collection has a layout of its
own, and names everything by its full name. `MOVES` says what is copied where, `Names` what is rewritten:

- Python: imports of ``ansible.module_utils.nginx_websocket`` become the collection's.
- YAML: the names of our modules, actions, filters and of the role become full names.
- Documentation of modules: ``M(name)``, ``seealso`` and examples likewise.

OUT then holds the collection's tree; `make collection` has ansible-galaxy pack it.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[1]
NAME = "nginx_websocket"
NAMESPACE = "proven"

#: From the checkout to the collection: the first that fits is taken. What fits none is not shipped.
MOVES: List[Tuple[str, str]] = [
    ("library/", "plugins/modules/"),
    ("doc_fragments/", "plugins/doc_fragments/"),
    ("module_utils/nginx_websocket/", "plugins/module_utils/nginx_websocket/"),
    ("roles/nginx_websocket/action_plugins/", "plugins/action/"),
    ("playbooks/action_plugins/", "plugins/action/"),
    ("playbooks/filter_plugins/", "plugins/filter/"),
    ("callback_plugins/", "plugins/callback/"),
    # Beside module_utils, which they import as a package of that name.
    ("host_answers/", "plugins/host_answers/"),
    ("verify/", "plugins/verify/"),
    ("rollout/", "plugins/rollout/"),
    ("roles/", "roles/"),
    ("site.yml", "playbooks/site.yml"),
    ("playbooks/", "playbooks/"),
    ("docs/", "docs/"),
    ("inventory/lammp/", "docs/example-inventory/"),
    ("collection/galaxy.yml.in", "galaxy.yml"),
    ("collection/runtime.yml.in", "meta/runtime.yml"),
    ("collection/README.md", "README.md"),
    ("LICENSE", "LICENSE"),
    ("CHANGELOG.md", "CHANGELOG.md"),
]

#: Packages of the controller, which name nothing of Ansible's.
ROOMS = ("plugins/host_answers/", "plugins/verify/", "plugins/rollout/")


def tracked() -> Iterable[str]:
    """Return the files of the checkout, by git; not the links, whose places a collection has by itself."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return (path for path in listed if path and (ROOT / path).is_file() and not (ROOT / path).is_symlink())


def destination(path: str) -> str:
    """Return where a file of the checkout stands in the collection; empty where it is not shipped."""
    if path.startswith("docs/") and path.endswith(".py"):
        return ""  # they write pages out of the checkout
    for start, there in MOVES:
        if path == start or (start.endswith("/") and path.startswith(start)):
            return there + path[len(start) :]
    return ""


class Names:
    """The names that get longer: what the collection holds, found by the files themselves."""

    def __init__(self, namespace: str, paths: Iterable[str]) -> None:
        """Take the stems of modules, actions and filters.

        Args:
            namespace: of the collection.
            paths: of the files in the collection.
        """
        self.prefix = f"{namespace}.{NAME}."
        stems: Dict[str, set[str]] = {"modules": set(), "action": set(), "filter": set()}
        for path in paths:
            parts = Path(path).parts
            if (
                len(parts) == 3
                and parts[0] == "plugins"
                and parts[1] in stems
                and not path.endswith("__init__.py")
            ):
                stems[parts[1]].add(Path(path).stem)
        self.called = stems["modules"] | stems["action"]
        self.filters = set(re.findall(r'^\s+"(\w+)": \w+', self._filters(), re.MULTILINE))
        # A module's arguments stand below it; a variable of the same name has its value beside it.
        self._call = re.compile(rf"^(\s*(?:- )?)({'|'.join(sorted(self.called))}):$", re.MULTILINE)

    @staticmethod
    def _filters() -> str:
        return "".join(
            path.read_text(encoding="utf-8") for path in (ROOT / "playbooks/filter_plugins").glob("*.py")
        )

    def fitting(self, there: str) -> Optional[Callable[[str], str]]:
        """Return what rewrites a file of the collection; None where it stays as it is."""
        if there.startswith("plugins/") and there.endswith(".py") and not there.startswith(ROOMS):
            return self.in_python
        # Not the specification nor the defaults: there the same words are names of variables.
        if there.startswith(("playbooks/", f"roles/{NAME}/tasks/")) and there.endswith(".yml"):
            return self.in_yaml
        return None

    def in_yaml(self, text: str) -> str:
        """Return a playbook's or a task file's text with full names."""
        text = self._call.sub(rf"\1{self.prefix}\2:", text)
        text = re.sub(
            rf"(import_role:\n\s+name: |include_role:\n\s+name: ){NAME}\b", rf"\1{self.prefix}{NAME}", text
        )
        for name in sorted(self.filters):
            text = re.sub(rf"(\|\s*(?:map\(')?){name}\b", rf"\1{self.prefix}{name}", text)
        return text

    def in_python(self, text: str) -> str:
        """Return a plugin's text: its imports, the modules it calls, its documentation and examples."""
        ours = f"ansible_collections.{self.prefix}plugins.module_utils.{NAME}"
        text = text.replace(f"ansible.module_utils.{NAME}", ours)
        # From the checkout's places of action plugins to the collection's: what they need is in plugins/.
        text = re.sub(r"(Path\(__file__\)\.resolve\(\)\.parents)\[[23]\]", r"\1[1]", text)
        text = text.replace(
            'Path(__file__).resolve().parent.parent / "site_model"',
            f'Path(__file__).resolve().parents[2] / "roles" / "{NAME}" / "site_model"',
        )
        text = re.sub(r"^(\s*- )(nginx\.[a-z]+)$", rf"\1{self.prefix}\2", text, flags=re.MULTILINE)
        text = re.sub(rf"\bM\(({'|'.join(sorted(self.called))})\)", rf"M({self.prefix}\1)", text)
        text = re.sub(rf"([OV]|RV)\(({'|'.join(sorted(self.called))})#", rf"\1({self.prefix}\2#", text)
        text = re.sub(
            rf"^(\s*- module: )({'|'.join(sorted(self.called))})$",
            rf"\1{self.prefix}\2",
            text,
            flags=re.MULTILINE,
        )
        head, mark, rest = text.partition('EXAMPLES = r"""')
        if not mark:
            return text
        examples, end, rest = rest.partition('"""')
        return head + mark + self.in_yaml(examples) + end + rest


def build(out: Path, namespace: str, version: str) -> List[str]:
    """Write the collection's tree.

    Args:
        out: an empty directory, or one that does not exist.
        namespace: of the collection.
        version: of the collection.

    Returns:
        The files that were written, relative to it.

    Raises:
        FileExistsError: the directory holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty")
    moves = {path: there for path in tracked() for there in [destination(path)] if there}
    names = Names(namespace, moves.values())
    for path, there in moves.items():
        target = out / there
        target.parent.mkdir(parents=True, exist_ok=True)
        longer = names.fitting(there)
        if longer is None:
            shutil.copyfile(ROOT / path, target)
            continue
        target.write_text(longer((ROOT / path).read_text(encoding="utf-8")), encoding="utf-8")
    galaxy = out / "galaxy.yml"
    text = galaxy.read_text(encoding="utf-8")
    galaxy.write_text(text.replace("NAMESPACE", namespace).replace("VERSION", version), encoding="utf-8")
    readme = out / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("NAMESPACE", namespace), encoding="utf-8")
    return sorted(moves.values())


def main() -> int:
    """Build as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="an empty directory")
    parser.add_argument("--namespace", default=NAMESPACE)
    parser.add_argument("--version", default="1.0.0")
    given = parser.parse_args()
    if not re.fullmatch(r"[a-z][a-z0-9_]+", given.namespace):
        parser.error(
            f"--namespace is {given.namespace!r}, expected lower-case letters, digits and underscores"
        )
    written = build(given.out, given.namespace, given.version)
    print(f"{len(written)} files of the collection {given.namespace}.{NAME} {given.version} in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
