"""A host in memory whose files are the user's own, and a diagnosis that reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict, List, Optional

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "transaction"))

from simulated_host import MAIN, ROOT, STATE, SimulatedHost

from module_utils.nginx_websocket.diagnosis.engine import Report, diagnose_configuration
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.diagnosis.words.findings import FAILS, WORKS
from module_utils.nginx_websocket.fix.fix import fix
from module_utils.nginx_websocket.fix.model import Fixed, Wish
from module_utils.nginx_websocket.transaction.live.routes import LiveCheck
from module_utils.nginx_websocket.transaction.site.model import Entry
from module_utils.nginx_websocket.transaction.surroundings.host import Host

SITE = f"{ROOT}/conf.d/chat.conf"


class UsersHost(SimulatedHost):
    """Files that no role wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.opens: List[bool] = []
        """What the handshakes after the next reloads come to; open when nothing is said."""
        self.world.check_live = self._check  # type: ignore[method-assign]

    def put(self, content: str, path: str = SITE) -> None:
        self.world.files.plant(path, Entry("file", content=content.encode()))

    def text(self, path: str = SITE) -> str:
        return self.world.files.entry(path).content.decode()

    def fix(self, url: Optional[str] = "ws://chat.test/ws/room", *, wish: Wish = Wish(), **more) -> Fixed:  # noqa: B008
        return fix(
            Question(url) if url else None,
            nginx=self.nginx,
            state_dir=STATE,
            world=self.world,
            wish=wish,
            ask=self._ask,
            **more,
        )

    def _ask(self, question: Question) -> Report:
        host = Host(self.nginx, STATE, world=self.world)
        report = diagnose_configuration(question, host.tree().configuration, version=self.nginx.version)
        if report.verdict != FAILS:
            report.verdict = WORKS  # a handshake would say so
        return report

    def _check(self, sites, tree) -> List[LiveCheck]:
        good = self.opens.pop(0) if self.opens else True
        return [LiveCheck() if good else LiveCheck(failure="it does not open: 403")]

    def all_files(self) -> Dict[str, str]:
        return self.files()


@pytest.fixture
def host() -> UsersHost:
    return UsersHost()


__all__ = ["MAIN", "SITE", "UsersHost"]
