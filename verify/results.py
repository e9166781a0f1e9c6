"""The machine-readable result: per host what passed, what failed, and what is worth knowing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Dict, List, Mapping, NoReturn

from verify.secrecy import masked

#: Fails a check: ``fail(problem, sent=…, got=…, fix=…)``.
Fail = Callable[..., NoReturn]
#: Notes what is worth knowing and fails nothing: ``finding(text, code)``. What has a code can be accepted.
Finding = Callable[..., None]
#: Notes an application that does not answer: ``down(site, backend, text)``.
Down = Callable[[str, str, str], None]


@dataclass
class HostResult:
    """What the suite says of one host.

    Attributes:
        passed: How many checks passed.
        failures: One text for each check that failed.
        findings: What is worth knowing and fails nothing.
        down: Applications that do not answer, each with ``site``, ``backend`` and ``text``; nginx is not to
            blame for them.
        unreached: Why the host could not be asked about itself over ssh; empty when it was.
        ask: What Ansible may ask it in our place: see verify/host_report/on_host.py.
    """

    passed: int = 0
    failures: List[str] = field(default_factory=list)
    findings: List[str] = field(default_factory=list)
    down: List[Dict[str, str]] = field(default_factory=list)
    unreached: str = ""
    ask: Dict[str, Any] = field(default_factory=dict)


class Results:
    """The results of all hosts."""

    def __init__(self, hosts: List[str]) -> None:
        """Begin with nothing known of each host."""
        self.hosts: Dict[str, HostResult] = {name: HostResult() for name in hosts}

    def unreached(self, name: str, why: str, ask: Dict[str, Any]) -> None:
        """Note a host that could not be asked about itself, and how to ask it otherwise."""
        self.hosts[name].unreached = why
        self.hosts[name].ask = ask

    def document(self, secrets: Mapping[str, Mapping[str, str]]) -> Dict[str, Any]:
        """Return everything as plain data.

        Args:
            secrets: By host, what nobody may read, and what is shown in its place. Only ``ask`` keeps it.
        """
        hosts = {}
        for name, result in self.hosts.items():
            hosts[name] = {**masked(asdict(result), secrets.get(name, {})), "ask": result.ask}
        return {"hosts": hosts}
