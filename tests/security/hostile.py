"""Hosts that lie: many names in an inventory, each with an attack in place of its Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple

from lab import inventory
from tests.integration.conftest import LabHost
from tests.security import attacks
from tests.security.watch import Memory, files, watched

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
EVIL = "/opt/evil"
_LINKS = f'for lie; do mkdir -p "{EVIL}/$lie" && ln -sf {EVIL}/python.py "{EVIL}/$lie/python3"; done'
RECAP = re.compile(r"^(\S+)\s*: ok=(\d+) .*unreachable=(\d+)\s+failed=(\d+)\s", re.MULTILINE)

#: ansible.cfg of a user with a repository of his own, who has what docs/rollouts.md asks for and no more.
THEIRS = f"""\
[defaults]
library = {ROOT}/library
module_utils = {ROOT}/module_utils
roles_path = {ROOT}/roles
inject_facts_as_vars = True
interpreter_python = /usr/bin/python3
host_key_checking = False
[ssh_connection]
pipelining = True
"""


class Told(NamedTuple):
    """What a run was like."""

    code: int
    text: str
    memory: Memory
    failed: Dict[str, bool]
    changed: List[str]


class Liar:
    """The hosts, and Ansible on its way there: on this machine, so that no lab is needed."""

    def __init__(self, directory: Path, answers: Dict[str, Any]) -> None:
        """Lay the liars' Python ready, with the true answers of the modules that they know."""
        self.directory = directory
        self.variables: Dict[str, Any] = {}
        self.home = directory / "home"
        self.mark = directory / "mark"
        self.evil = directory / "evil"
        for path in (self.home, directory / "cwd", self.evil / "answers"):
            path.mkdir(parents=True)
        (self.home / ".bashrc").write_text("# mine\n")
        for name in ("attacks.py", "python.py"):
            shutil.copy(HERE / name, self.evil / name)
        (self.evil / "python.py").chmod(0o755)
        (self.evil / "mark").write_text(str(self.mark))
        for module, answer in answers.items():
            (self.evil / "answers" / module).write_text(json.dumps(answer))

    def names(self, wanted: Iterable[str], module: str = "") -> Dict[str, str]:
        """Inventory names for attacks: name → attack, with the module that lies."""
        only = f"@{module}" if module else ""
        return {
            f"{name}--{module or 'all'}".replace("_", "-").replace("+", "-"): name + only for name in wanted
        }

    def reached(self, names: Dict[str, str]) -> Dict[str, Dict[str, Any]]:
        """Lay the liars out, and return how Ansible reaches each."""
        hosts: Dict[str, Dict[str, Any]] = {}
        for name, lie in names.items():
            python = self.evil / lie / "python3"
            python.parent.mkdir(exist_ok=True)
            if not python.exists():
                python.symlink_to(self.evil / "python.py")
            hosts[name] = {
                "ansible_connection": "local",
                "ansible_become": False,
                "ansible_python_interpreter": str(python),
            }
        return hosts

    def run(
        self, playbook: str, names: Dict[str, str], *flags: str, theirs: bool = False, **given: Any
    ) -> Told:
        """Run a playbook of the project on the hosts under these names."""
        group = {"hosts": self.reached(names), "vars": self.variables}
        (self.directory / "hosts.json").write_text(json.dumps({"nginx_websocket": group}))
        configuration = self.directory / "ansible.cfg"
        configuration.write_text(THEIRS if theirs else (ROOT / "ansible.cfg").read_text())
        if not theirs:
            configuration = ROOT / "ansible.cfg"
        roots = (ROOT, self.home, self.directory / "cwd")
        before = files(*roots)
        hosts_file = str(self.directory / "hosts.json")
        extra = ["-e", json.dumps(given)] if given else []
        code, output, memory = watched(
            [str(BIN / "ansible-playbook"), "-i", hosts_file, str(ROOT / playbook), *extra, *flags],
            self.directory / "cwd",
            {
                **os.environ,
                "HOME": str(self.home),
                "ANSIBLE_HOME": str(self.directory / "ansible"),
                "ANSIBLE_CONFIG": str(configuration),
                # A socket's path has 108 bytes at the most (unix(7)); pytest's directories use them up.
                "ANSIBLE_SSH_CONTROL_PATH_DIR": tempfile.mkdtemp(prefix="cp"),
                "ANSIBLE_INJECT_FACT_VARS": "True",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_PIPELINING": "True",
                "ANSIBLE_DEPRECATION_WARNINGS": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )
        after = files(*roots)
        changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        text = output.decode("utf-8", "replace")
        recap = {
            name: int(failed) + int(unreachable) > 0 for name, _, unreachable, failed in RECAP.findall(text)
        }
        return Told(code, text, memory, recap, changed)


class LabLiar(Liar):
    """One host of the lab under many names: real SSH, sudo and nginx, and true answers from there."""

    def __init__(self, host: LabHost, directory: Path, variables: Dict[str, Any]) -> None:
        """Lay the liars' Python ready on the host; nothing is recorded yet."""
        super().__init__(directory, {})
        self.host = host
        self.variables = variables
        host.sh(f"mkdir -p {EVIL}/answers")
        for name in ("attacks.py", "python.py"):
            host.write(f"{EVIL}/{name}", (HERE / name).read_text(encoding="utf-8"))
        host.write(f"{EVIL}/mark", str(self.mark))
        host.sh(f"chmod 755 {EVIL}/python.py")

    def reached(self, names: Dict[str, str]) -> Dict[str, Dict[str, Any]]:
        """Lay the liars out on the host, and return how Ansible reaches each."""
        self.host.run("sh", "-c", _LINKS, "sh", *set(names.values()))
        reached = inventory.variables(self.host.host)
        return {
            name: {**reached, "ansible_python_interpreter": f"{EVIL}/{lie}/python3"}
            for name, lie in names.items()
        }


def wrong(told: Told, names: Dict[str, str]) -> Dict[str, str]:
    """Names that were judged another way than they must be, with the attack."""
    found = {}
    for name, lie in names.items():
        kind, _, whose = lie.partition("@")
        nothing_left = whose.startswith("on_host") and kind in attacks.MODULES
        if kind in attacks.FALSE and not nothing_left and not told.failed.get(name, False):
            found[name] = "was believed"
    return found
