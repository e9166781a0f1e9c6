"""The nginx that a transaction works on, as it was found (live/instance.py)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, List, Optional, Tuple

if TYPE_CHECKING:
    from ...host.layout import Layout


@dataclasses.dataclass(frozen=True)
class Instance:
    """One nginx on the host."""

    binary: str
    conf_path: str
    prefix: str = ""
    options: Tuple[str, ...] = ()
    """Arguments that the master was started with and a test needs too: ``-p``, ``-g`` and their values."""
    version: Tuple[int, ...] = ()
    access_log: str = ""
    """Where requests are logged without any ``access_log``; "" when that is not known."""
    error_log: str = ""
    """The log that nginx opens before it has read its configuration."""
    pid_path: str = ""
    master: Optional[int] = None
    """Process id of the running master; None when nginx is stopped."""
    unit: str = ""
    quitting: Optional[int] = None
    """Process id of a master that was told to quit and waits for its last connections: nginx is stopped."""
    layout: Optional[Layout] = None
    layout_error: str = ""
    """Why there is no layout."""

    def not_running(self) -> str:
        """Say that it is stopped and how it is started, for a message."""
        unit = self.unit or "nginx"
        if self.quitting is not None:
            return (
                f"nginx is shutting down: its master (process {self.quitting}) was told to quit, takes no "
                "new connection and waits for its last open ones to end. Start nginx again, which ends "
                f"those: systemctl restart {unit}"
            )
        from ...host.masters import without_master

        alone = without_master(self.binary)
        if alone is not None:
            return (
                f"nginx runs as one process ({alone}) without a master (master_process off), which cannot "
                f"reload without an end of all connections. Set master_process on and restart: systemctl "
                f"restart {unit}"
            )
        return f"nginx is not running. Start it: systemctl start {unit}"

    def test_command(self, main: str = "", error_log: str = "") -> List[str]:
        """The command that tests and dumps.

        Args:
            main: main file to read instead of this nginx's own.
            error_log: file to log to before the configuration is read, where nginx can be told (1.19.5).
        """
        command = [self.binary, "-T", "-c", main or self.conf_path, *self.options]
        if error_log and self.version >= (1, 19, 5):
            command += ["-e", error_log]
        return command
