"""Faults put into the code on purpose, each of which a unit test must find.

``python -m tests.mutations.named [WORD…]`` applies one named mutation after the other to a copy of the
package and runs the unit tests that are named with it; a word chooses mutations by their names.  Ends with 1
where one survives, or where its place is no longer found.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, Tuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "module_utils/nginx_websocket"
UNDO = ("test_transaction_undo.py", "test_transaction_running.py")
GUARD = ("test_transaction_guard.py",)
WORKERS = ("test_transaction_workers.py",)


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One fault."""

    name: str
    file: str
    """Below the package."""
    before: str
    after: str
    tests: Tuple[str, ...]
    """Names of files below ``tests/unit``, or folders there."""


MUTATIONS = (
    Mutation(
        "the undo overwrites a hand edit made after activation",
        "transaction/undo.py",
        "if not current.same(change.after):",
        "if False:",
        UNDO,
    ),
    Mutation(
        "an edit in the moment of the replacement is not told",
        "transaction/undo.py",
        'if kept.kind not in ("absent", "other") and not kept.same(change.before):',
        "if False:",
        UNDO,
    ),
    Mutation(
        "additions always come first",
        "transaction/deploy.py",
        "if removals and additions and not",
        "if False and not",
        UNDO,
    ),
    Mutation(
        "removals always come first",
        "transaction/deploy.py",
        "if removals and additions and not host.world.validate(additions, host.nginx).valid:",
        "if removals and additions:",
        UNDO,
    ),
    Mutation(
        "the undo goes in the order of the activation",
        "transaction/undo.py",
        "for change in reversed(list(backup.changes)):\n        path",
        "for change in list(backup.changes):\n        path",
        UNDO,
    ),
    Mutation(
        "an old timer undoes a newer transaction",
        "transaction/auto_rollback.py",
        '(verb == "window" and record.backup != backup)',
        "False",
        GUARD,
    ),
    Mutation(
        "the boot unit without Before=nginx",
        "transaction/safety/guard.py",
        "After=local-fs.target\\nBefore={before}",
        "After=local-fs.target",
        GUARD,
    ),
    Mutation(
        "old workers count as serving",
        "transaction/live/workers.py",
        "if _WORKER in title and _SHUTTING_DOWN not in title)",
        "if _WORKER in title)",
        WORKERS,
    ),
    Mutation(
        "an undo enables a disabled unit",
        "backend_service/deploy.py",
        'verb = "enable" if state["UnitFileState"] == "enabled" else "disable"',
        'verb = "enable"',
        ("backend_service",),
    ),
    Mutation(
        "another master is proven and never reloaded",
        "transaction/running.py",
        "        if found.current == master:\n            if failure",
        "        if True:\n            if failure",
        UNDO,
    ),
    Mutation(
        "a reload that was not taken is no failure",
        "transaction/undo.py",
        "            host.world.prove_untouched(tree",
        "            0 and host.world.prove_untouched(tree",
        UNDO,
    ),
    Mutation(
        "the undo tells nginx nothing",
        "transaction/undo.py",
        "        bring_to_life(host, tree, (), alone=False)\n",
        "        pass\n",
        UNDO,
    ),
    Mutation(
        "a restart under way is not awaited",
        "transaction/running.py",
        "over = late or not host.world.restarting(host.nginx)",
        "over = True",
        UNDO,
    ),
    Mutation(
        "a master in a binary upgrade is reloaded",
        "transaction/running.py",
        "(found.older is None or not alone)",
        "True",
        UNDO,
    ),
    Mutation(
        "a transaction begins within a binary upgrade",
        "transaction/execute.py",
        "    settle(host)\n",
        "    pass\n",
        UNDO,
    ),
    Mutation(
        "a master whose workers were told to shut down counts as quitting",
        "transaction/live/workers.py",
        "return sockets is None or not sockets & _inodes(_LISTEN)",
        "return True",
        WORKERS,
    ),
    Mutation(
        "a worker just forked counts as a new master",
        "transaction/live/workers.py",
        "if alive(pid) and serving(pid))",
        "if alive(pid))",
        WORKERS,
    ),
    Mutation(
        "nginx's own address counts as taken",
        "transaction/live/hindrance.py",
        "if (family, host, port) in mine:",
        "if False:",
        WORKERS,
    ),
    Mutation(
        "satisfy any is ignored",
        "behaviour/access/guards.py",
        'if voters[0].satisfy != "any":',
        "if True:",
        ("test_guards.py",),
    ),
    Mutation(
        "allow unix: fits every client",
        "behaviour/access/addresses.py",
        "return value == remote",
        "return True",
        ("test_guards.py", "test_verdict.py"),
    ),
    Mutation(
        "keep-alive, Upgrade is no Connection for an upgrade",
        "behaviour/upgrade/request.py",
        '(header.value or "").split(",")]',
        '[header.value or ""]]',
        ("test_verdict.py",),
    ),
    Mutation(
        "two Host lines are refused by every version",
        "behaviour/upgrade/request.py",
        'len(upstream.values("Host")) > 1 and route.version < (1, 31, 4)',
        'len(upstream.values("Host")) > 1',
        ("test_verdict.py",),
    ),
    Mutation(
        "the second hop gets headers that the first does not send",
        "behaviour/upgrade/hops.py",
        "exact_headers=True",
        "exact_headers=False",
        ("test_verdict.py",),
    ),
    Mutation(
        "a location nested in a regex location is not seen",
        "behaviour/location.py",
        'Found(nested.location or location, "regex", matches)',
        'Found(location, "regex", matches)',
        ("test_routing_regex.py",),
    ),
    Mutation("a minute is a second", "conf/units.py", '"m": 60.0', '"m": 1.0', ("test_units.py",)),
    Mutation("1g is a mebibyte", "conf/units.py", '"g": 1 << 30', '"g": 1 << 20', ("test_units.py",)),
    Mutation(
        "a relative certificate is carried over as it stands",
        "host/certificates.py",
        "return os.path.join(base, pair[0]), os.path.join(base, pair[1])",
        "return pair",
        ("test_nginx_host_certificates.py",),
    ),
    Mutation(
        "close code 1015 is taken from the wire",
        "exchange/frames.py",
        "ABNORMAL, 1015)",
        "ABNORMAL)",
        ("test_websocket_frames.py",),
    ),
    Mutation(
        "a slow body is read for the whole deadline",
        "exchange/exchange.py",
        "patience = deadline.capped(seconds)",
        "patience = deadline",
        ("test_websocket_exchange.py", "test_websocket_probe.py"),
    ),
    Mutation(
        "a file dated in the future is stale for ever",
        "transaction/live/stale.py",
        "since + _MARGIN < _changed(path) <= now",
        "since + _MARGIN < _changed(path)",
        ("test_transaction_stale.py",),
    ),
    Mutation(
        "a renewed certificate is not reloaded",
        "transaction/live/stale.py",
        'for name in (b"ssl_certificate", b"ssl_certificate_key"):',
        'for name in (b"ssl_certificate_key",):',
        ("test_transaction_stale.py",),
    ),
    Mutation(
        "another backup's release is confirmed",
        "transaction/confirm.py",
        "record.step != UNCONFIRMED or record.backup != backup",
        "record.step != UNCONFIRMED",
        ("test_transaction_window.py", "test_transaction_confirm.py"),
    ),
    Mutation(
        "a foreign unit file is a crash",
        "backend_service/deploy.py",
        "if mark is None:",
        "if False:",
        ("test_backend_service_deploy.py",),
    ),
    Mutation(
        "an application on every address is kept",
        "backend_service/deploy.py",
        "if not ipaddress.ip_address(one.address).is_loopback:",
        "if False:",
        ("test_backend_service_undo.py",),
    ),
    Mutation(
        "max_conns counts once for all workers",
        "diagnosis/capacity/limits.py",
        "total *= 1 if shared else worker_count(facts)",
        "total *= 1",
        ("test_capacity.py",),
    ),
    Mutation(
        "an expired certificate of an unknown issuer is only unknown",
        "diagnosis/tls/issuer.py",
        "if certificate_fault(probe, probe.url):",
        "if False:",
        ("test_issuer.py",),
    ),
    Mutation(
        "the copy with rewritten includes holds what would be gone",
        "transaction/tree/rewriting.py",
        "if canonical(real) in gone:",
        "if False:",
        ("test_transaction_validation.py",),
    ),
    Mutation(
        "one right answer proves a release",
        "transaction/live/answers.py",
        "_CONNECTIONS = 3",
        "_CONNECTIONS = 1",
        ("test_transaction_answers.py",),
    ),
    Mutation(
        "an old worker's answer does not begin the count anew",
        "transaction/live/answers.py",
        "        right = 0\n        if time",
        "        if time",
        ("test_transaction_answers.py",),
    ),
    Mutation(
        "the release id counts with any status",
        "transaction/live/answers.py",
        "if head.status == 200 and question",
        "if question",
        ("test_transaction_answers.py",),
    ),
    Mutation(
        "idle connections of a pool count as lost",
        "transaction/live/sockets.py",
        "frozenset(everything - pooled)",
        "frozenset(everything)",
        ("test_transaction_sockets.py",),
    ),
    Mutation(
        "nginx as its own backend counts its clients twice",
        "transaction/live/sockets.py",
        "served -= where.ports",
        "served -= set()",
        ("test_transaction_sockets.py",),
    ),
    Mutation(
        "a master that upgrades is signalled",
        "transaction/live/reload.py",
        "    if workers.successors(master):\n        raise NotProven(_UPGRADED.format(master))\n    #",
        "    #",
        ("test_transaction_reload.py",),
    ),
    Mutation(
        "old workers beside new ones are a reload",
        "transaction/live/reload.py",
        "if now and not now & before and not",
        "if now and not",
        ("test_transaction_reload.py",),
    ),
    Mutation(
        "a worker that still bears its master's title counts as a new one",
        "transaction/live/reload.py",
        "frozenset(workers.children(master))",
        "frozenset(workers.serving(master))",
        ("test_transaction_reload.py",),
    ),
    Mutation(
        "the location of another server is the one that is mended",
        "edit/judge.py",
        "return frozenset(real_names(server)), *words",
        "return tuple(words)",
        ("test_judge.py",),
    ),
    Mutation(
        "a rollback needs a main file that can be read",
        "transaction/rollback.py",
        "        return Configuration(host.nginx.conf_path, [], {})",
        "        raise",
        ("test_transaction_going_back.py",),
    ),
    Mutation(
        "the guard runs whatever archive lies there",
        "transaction/safety/guard.py",
        "hashlib.sha256(b).hexdigest()==d or",
        "True or",
        ("test_transaction_guard_timer.py",),
    ),
    Mutation(
        "a boot unit that somebody starts undoes the release",
        "transaction/safety/guard.py",
        'if given.verb == "boot" and given.armed_in == this_boot():',
        "if False:",
        ("test_transaction_guard_timer.py",),
    ),
    Mutation(
        "a rollback overwrites the edit of a mended file",
        "transaction/rollback.py",
        "            if on_drift == FAIL:",
        "            if False:",
        ("test_transaction_going_back.py",),
    ),
    Mutation(
        "a rollback overwrites a user's own file",
        "transaction/rollback.py",
        "elif edited and not site:",
        "elif False:",
        ("test_transaction_going_back.py",),
    ),
)


def survives(mutation: Mutation, copy: Path) -> str:
    """Apply one to a copy of the repository, and take it back: "" when a test found it, else why not."""
    path = copy / PACKAGE / mutation.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.before) != 1:
        return f"its place stands {text.count(mutation.before)} times in {mutation.file}"
    path.write_text(text.replace(mutation.before, mutation.after), encoding="utf-8")
    folder = copy / "tests/unit"
    tests = [str(found) for one in mutation.tests for found in list(folder.rglob(one)) or [folder / one]]
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return ""
    finally:
        path.write_text(text, encoding="utf-8")
    if done.returncode == 1:
        return ""
    return "no test failed" if done.returncode == 0 else f"the tests did not run: {done.stdout[-500:]}"


def main(words: List[str]) -> int:
    """Try all, or those whose names hold one of the words."""
    chosen = [one for one in MUTATIONS if not words or any(word in one.name for word in words)]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("module_utils", "tests", "roles", "lab", "pyproject.toml"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__", ".state")
                )
            else:
                shutil.copy(source, Path(folder) / name)
        for mutation in chosen:
            why = survives(mutation, Path(folder))
            survived += bool(why)
            print(
                f"{'SURVIVES' if why else 'found':8} {mutation.name}{': ' + why if why else ''}", flush=True
            )
    print(f"{len(chosen)} mutations, {survived} not found by a test")
    return 1 if survived or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
