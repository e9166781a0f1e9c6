"""The words of a transaction: site, entry, change, finding, outcome, and the ways it can refuse."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .release import claimed

STATE_DIR = "/var/lib/nginx_websocket"
"""Where lock, journal and backups live."""

UNCHANGED = "unchanged"
APPLIED = "applied"
REFUSED = "refused"
"""Something spoke against the change before anything on the host was touched."""
RELOAD_FAILED = "reload failed"
"""The files were right already; nginx read them anew, or was started, and does not serve them. There is no
older state of ours to go back to."""
NOTHING_TO_GO_BACK_TO = "nothing to go back to"
"""The release was live before, nothing was changed, and it fails its proof."""
ROLLED_BACK = "rolled back"
ROLLBACK_FAILED = "rollback failed"

UNDECIDED = "route-undecided"
"""Code of the finding that the configuration alone cannot tell whether a URL opens."""


@dataclasses.dataclass(frozen=True)
class RouteCheck:
    """A WebSocket URL of a site that the release must open."""

    url: str
    """As the browser asks for it: ``wss://example.org/ws/room``."""
    backend: str = ""
    """Where nginx passes it: ``http://127.0.0.1:8000`` or ``unix:/run/app.sock``, with spaces between several
    servers; "" when not known."""
    origin: str = ""
    subprotocols: Tuple[str, ...] = ()
    server_name: str = ""
    """SNI that nginx sends to a backend with TLS; "" means the URL's host."""
    headers: Tuple[Tuple[str, str], ...] = ()
    """What else the page's handshake has, such as a cookie."""
    must_open: bool = False
    """Whether the transaction is undone where it does not open, whoever is to blame: it was made for that."""


@dataclasses.dataclass(frozen=True)
class Site:
    """A candidate: the rendered configuration of one set of server names."""

    name: str
    content: bytes
    """With the literal ``@RELEASE@`` where the release id belongs."""
    server_names: Tuple[str, ...]
    routes: Tuple[RouteCheck, ...] = ()
    path: str = ""
    """File to write; "" means where the site stands already, else where the host's layout puts sites."""

    @classmethod
    def of(cls, data: Mapping[str, Any], content: bytes = b"") -> Site:
        """Make a site of plain data, as a module's arguments have it.

        Args:
            data: ``name``, ``server_names``, ``path``, and ``routes`` with the fields of `RouteCheck`.
            content: the rendered configuration.
        """
        routes = [
            RouteCheck(**{**route, "subprotocols": tuple(route["subprotocols"])}) for route in data["routes"]
        ]
        return cls(data["name"], content, tuple(data["server_names"]), tuple(routes), data["path"])


@dataclasses.dataclass(frozen=True)
class Entry:
    """What stands at one path of the file system."""

    kind: str
    """``file``, ``link``, ``absent``, or ``other`` (directory, socket …: never touched)."""
    content: bytes = dataclasses.field(default=b"", repr=False)
    target: str = ""
    """Of a symbolic link."""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    xattrs: Tuple[Tuple[str, bytes], ...] = dataclasses.field(default=(), repr=False)

    def same(self, other: Entry) -> bool:
        """Whether nginx would see the same thing; owner and mode do not count."""
        if self.kind != other.kind:
            return False
        return self.target == other.target if self.kind == "link" else self.content == other.content

    def text(self) -> str:
        """For a diff."""
        if self.kind == "link":
            return f"link to {self.target}\n"
        return self.content.decode("utf-8", "replace")


ABSENT = Entry("absent")


@dataclasses.dataclass(frozen=True)
class Change:
    """One path, what stood there and what shall stand there."""

    path: str
    before: Entry
    after: Entry
    site: str = ""

    def difference(self) -> Dict[str, str]:
        """Before and after, as Ansible's ``--diff`` shows them.

        Release ids differ whenever anything does: they stand in the headers, and no hunk is for them alone.
        """
        told = {}
        for side, entry in (("before", self.before), ("after", self.after)):
            text, header = entry.text(), self.path if entry.kind != "absent" else "/dev/null"
            release = claimed(entry.content) if entry.kind == "file" else None
            if release and claimed(self.before.content) and claimed(self.after.content):
                text, header = text.replace(release, "…"), f"{header} (release {release[:8]})"
            told.update({side: text, f"{side}_header": header})
        return told


def ordered(changes: Sequence[Change]) -> List[Change]:
    """Files before the links to them; links before the files they leave; what goes away comes last.

    A link to nothing in an included directory is an error of nginx.
    """

    def rank(change: Change) -> Tuple[bool, bool]:
        gone = change.after.kind == "absent"
        return gone, change.before.kind != "link" if gone else change.after.kind == "link"

    return sorted(changes, key=rank)


class Losses(NamedTuple):
    """What users may lose by a change."""

    on_takeover: str
    """``fail``, or ``overwrite`` to lose what somebody else's file did."""
    on_loss: str
    """``fail``, or ``accept`` to lose what the release before did."""
    accepted: Sequence[str]
    """Paths or URLs whose losses are meant, in both cases."""


@dataclasses.dataclass(frozen=True)
class ConfError:
    """One message of nginx about a configuration."""

    message: str
    file: str = ""
    """The real path, also when a staged copy was tested; "" when nginx named none."""
    line: int = 0
    level: str = "emerg"
    context: Tuple[str, ...] = ()
    """The lines around, numbered, the bad one marked with ``>``."""

    def where(self) -> str:
        """``file:line``, or what is known of it."""
        if self.file and self.line:
            return f"{self.file}:{self.line}"
        return self.file

    def sentence(self) -> str:
        """Place and message on one line."""
        return f"{self.where()}: {self.message}" if self.where() else self.message

    def as_dict(self) -> Dict[str, Any]:
        """For a module's result."""
        return {
            "file": self.file,
            "line": self.line,
            "level": self.level,
            "message": self.message,
            "context": list(self.context),
        }


@dataclasses.dataclass
class Validation:
    """What nginx says of a tree."""

    valid: bool
    errors: List[ConfError] = dataclasses.field(default_factory=list)
    warnings: List[ConfError] = dataclasses.field(default_factory=list)
    dump: bytes = dataclasses.field(default=b"", repr=False)
    """What ``nginx -T`` printed: the files as nginx read them."""
    method: str = ""
    """``mount namespace`` or ``rewritten includes``."""
    staged: str = ""
    """With rewritten includes, the directory that paths in the dump begin with."""


@dataclasses.dataclass
class Finding:
    """Something a person should know, that does not stop the transaction."""

    code: str
    message: str
    fix: str = ""

    def as_dict(self) -> Dict[str, str]:
        """For a module's result."""
        return {"code": self.code, "message": self.message, "fix": self.fix}


@dataclasses.dataclass
class Step:
    """One step done, and how long it took."""

    name: str
    seconds: float

    def as_dict(self) -> Dict[str, Any]:
        """For a module's result."""
        return {"name": self.name, "seconds": round(self.seconds, 3)}


@dataclasses.dataclass
class Outcome:
    """How a transaction ended."""

    outcome: str
    changed: bool = False
    failed: bool = False
    message: str = ""
    releases: Dict[str, str] = dataclasses.field(default_factory=dict)
    """Site name → release id that is live now (in check mode: would be live)."""
    previous: Dict[str, str] = dataclasses.field(default_factory=dict)
    """Site name → release id that was live before; "" where the file was not ours."""
    backup: Optional[int] = None
    files: List[Dict[str, str]] = dataclasses.field(default_factory=list)
    replaced: List[str] = dataclasses.field(default_factory=list)
    recovered: str = ""
    confirm_by: str = ""
    """Until when the release must be confirmed (UTC), or the host goes back; "" when it need not."""
    steps: List[Step] = dataclasses.field(default_factory=list)
    diff: List[Dict[str, str]] = dataclasses.field(default_factory=list)
    drift: List[Dict[str, str]] = dataclasses.field(default_factory=list)
    """Files that a person edited since we wrote them: path, and what they changed."""
    findings: List[Finding] = dataclasses.field(default_factory=list)
    cured: List[Finding] = dataclasses.field(default_factory=list)
    """Why WebSocket URLs of the sites could not open before this release (in check mode: cannot, today)."""
    comparison: Dict[str, Any] = dataclasses.field(default_factory=dict)
    """What users would see of the change (``differences.Comparison``); empty where nothing changes."""
    errors: List[ConfError] = dataclasses.field(default_factory=list)
    warnings: List[ConfError] = dataclasses.field(default_factory=list)
    method: str = ""
    old_workers: Dict[str, Optional[int]] = dataclasses.field(default_factory=dict)
    sockets: Dict[str, int] = dataclasses.field(default_factory=dict)
    """Connections to backends ``before`` and ``after``, and how many were ``lost``; see ``sockets``."""
    remedy: List[str] = dataclasses.field(default_factory=list)
    """Shell commands for a person, when the rollback failed."""

    def stopped(self, failure: Failure) -> None:
        """Take over why it could not go on; a message that is there already says more."""
        self.failed = True
        self.message = self.message or str(failure)
        self.errors = self.errors or failure.errors
        self.diff = failure.diff or self.diff

    def as_dict(self, *, diff: bool = True) -> Dict[str, Any]:
        """For a module's result; ``failed`` and ``message`` are the module's to use.

        Args:
            diff: whether the difference is wanted, which holds whole files.
        """
        # Ansible takes "failed" away before a callback sees a result, so the word itself must be true.
        word = REFUSED if self.failed and self.outcome == UNCHANGED else self.outcome
        return {
            "outcome": word,
            "changed": self.changed,
            "releases": self.releases,
            "previous": self.previous,
            "backup": self.backup,
            "files": self.files,
            "replaced": self.replaced,
            "recovered": self.recovered,
            "confirm_by": self.confirm_by,
            "steps": [step.as_dict() for step in self.steps],
            **({"diff": self.diff} if diff else {}),
            "drift": self.drift,
            "findings": [finding.as_dict() for finding in self.findings],
            "cured": [finding.as_dict() for finding in self.cured],
            "comparison": self.comparison,
            "errors": [error.as_dict() for error in self.errors],
            "warnings_of_nginx": [warning.sentence() for warning in self.warnings],
            "method": self.method,
            "old_workers": self.old_workers,
            "sockets": self.sockets,
            "remedy": self.remedy,
        }


class Failure(Exception):
    """A transaction cannot go on; the message is the reason.

    Attributes:
        errors: nginx's messages, where the reason comes from them.
        diff: what a person edited, where the reason is drift.
    """

    def __init__(
        self, message: str, errors: Sequence[ConfError] = (), diff: Sequence[Dict[str, str]] = ()
    ) -> None:
        """Keep the evidence beside the message."""
        super().__init__(message)
        self.errors = list(errors)
        self.diff = list(diff)


class Refused(Failure):
    """The transaction stops before anything on the host was changed."""


class NotProven(Failure):
    """The running nginx does not serve what the disk holds."""
