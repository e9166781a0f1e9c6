"""The suite's frame: the hosts and sites become test parameters, each test's result becomes its host's."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, Generator, List, NoReturn, Tuple, Union

import pytest

from host_answers.shapes import Misshapen
from verify.as_user.outside import User
from verify.as_user.relays import relayed
from verify.as_user.visits import Crowd
from verify.host_report.gather import Reports, Unreachable
from verify.host_report.timeouts import Timeouts
from verify.results import Down, Fail, Finding, Results
from verify.secrecy import masks
from verify.targets import Target, Targets, read

TARGETS = pytest.StashKey[Targets]()
#: A finding: there is no direct way to the host.
SEEN_THROUGH = "not-from-outside"
RESULTS = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options."""
    group = parser.getgroup("verify")
    group.addoption("--targets", metavar="FILE", help="JSON file that says which hosts and sites to verify")
    group.addoption("--results", metavar="FILE", help="write each host's result to this JSON file")


def pytest_configure(config: pytest.Config) -> None:
    """Read the targets."""
    path = config.getoption("--targets")
    if not path:
        raise pytest.UsageError("--targets FILE is needed: playbooks/verify.yml writes it")
    config.stash[TARGETS] = read(path)
    config.stash[RESULTS] = Results([host.name for host in config.stash[TARGETS].hosts])
    held = ExitStack()
    held.enter_context(relayed(config.stash[TARGETS]))
    config.add_cleanup(held.close)
    for host in config.stash[TARGETS].hosts:
        if host.told and SEEN_THROUGH not in host.accept:
            config.stash[RESULTS].hosts[host.name].findings.append(f"{host.told} [{SEEN_THROUGH}]")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test its hosts, sites and routes."""
    cases: List[Tuple[Tuple[Any, ...], str]] = []
    wanted = [name for name in ("target", "site", "route") if name in metafunc.fixturenames]
    for target in metafunc.config.stash[TARGETS].hosts:
        if "site" not in wanted:
            cases.append(((target,), target.name))
            continue
        for site in target.sites:
            name = f"{target.name}|{site.name}"
            if "route" not in wanted:
                cases.append(((target, site), name))
                continue
            cases += [((target, site, route), f"{name}|{route.shown}") for route in site.routes]
    metafunc.parametrize(wanted, [values for values, _ in cases], ids=[identity for _, identity in cases])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what became of each check, under the name of its host."""
    outcome = yield
    target = item.callspec.params["target"]  # type: ignore[attr-defined]
    if not isinstance(target, Target):  # pytest's placeholder, where there is no host or no site
        return outcome
    host = item.config.stash[RESULTS].hosts[target.name]
    if outcome.when == "call" and outcome.passed:
        host.passed += 1
    elif outcome.failed and outcome.longreprtext.strip() not in host.failures:
        host.failures.append(outcome.longreprtext.strip())
    return outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the results."""
    path = session.config.getoption("--results")
    if path:
        secrets = {
            host.name: masks(site.variables for site in host.sites)
            for host in session.config.stash[TARGETS].hosts
        }
        document = session.config.stash[RESULTS].document(secrets)
        Path(path).write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture(scope="session")
def targets(pytestconfig: pytest.Config) -> Targets:
    """Return everything that is verified."""
    return pytestconfig.stash[TARGETS]


@pytest.fixture(scope="session")
def pool() -> Generator[ThreadPoolExecutor, None, None]:
    """Return the threads in which hosts are asked."""
    with ThreadPoolExecutor(max_workers=32) as threads:
        yield threads


@pytest.fixture(scope="session")
def reports(
    targets: Targets, pool: ThreadPoolExecutor, pytestconfig: pytest.Config
) -> Generator[Reports, None, None]:
    """Ask every host about itself, once, all at the same time."""
    asked = Reports(targets, pool)
    yield asked
    for name, why, ask in asked.unreached():
        pytestconfig.stash[RESULTS].unreached(name, why, ask)


@pytest.fixture
def report(target: Target, reports: Reports) -> Dict[str, Any]:
    """Return what the host says about itself; skip where it could not be asked over ssh."""
    try:
        return reports.of(target.name)
    except Unreachable as error:
        pytest.skip(f"{target.name} could not be asked about itself: {error}")
    except Misshapen as error:
        pytest.fail(distrusted(target, error), pytrace=False)


@pytest.fixture(scope="session")
def configurations() -> Dict[str, Union[Timeouts, Misshapen]]:
    """Return the hosts' configurations as far as they have been read, by host."""
    return {}


@pytest.fixture
def timeouts(
    target: Target, report: Dict[str, Any], configurations: Dict[str, Union[Timeouts, Misshapen]]
) -> Timeouts:
    """Return the timeouts of the host's configuration, which is parsed once."""
    if target.name not in configurations:
        places = [
            (endpoint, route.path)
            for site in target.sites
            for route in site.routes
            for endpoint in site.endpoints()
        ]
        try:
            configurations[target.name] = Timeouts(report, places)
        except Misshapen as error:
            configurations[target.name] = error
    found = configurations[target.name]
    if isinstance(found, Misshapen):
        pytest.fail(distrusted(target, found), pytrace=False)
    return found


def distrusted(target: Target, error: Misshapen) -> str:
    """Return the failure of a host whose report has another shape than on_host.py gives it."""
    return (
        f"{target.name}: what this host tells about itself is not to be trusted: {error}\n"
        "  do:   see who has changed Python or sudo there before anything else is done on it"
    )


@pytest.fixture(scope="session")
def crowd(targets: Targets, pool: ThreadPoolExecutor, reports: Reports) -> Crowd:
    """Start every request from outside, all at the same time, after the hosts have been asked."""
    users = Crowd(User(ca_file=targets.ca_file, timeout=targets.timeout), pool)
    users.start(targets.hosts)
    return users


@pytest.fixture
def finding(target: Target, pytestconfig: pytest.Config) -> Finding:
    """Return the function that notes what is worth knowing and fails nothing."""
    noted = pytestconfig.stash[RESULTS].hosts[target.name].findings

    def note(text: str, code: str = "") -> None:
        told = f"{text} [{code}]" if code else text
        if told not in noted and code not in target.accept:
            noted.append(told)

    return note


@pytest.fixture
def down(target: Target, pytestconfig: pytest.Config) -> Down:
    """Return the function that notes an application that does not answer; the first word of each is kept."""
    noted = pytestconfig.stash[RESULTS].hosts[target.name].down

    def note(site: str, backend: str, text: str) -> None:
        if (site, backend) not in {(one["site"], one["backend"]) for one in noted}:
            noted.append({"site": site, "backend": backend, "text": text})

    return note


@pytest.fixture
def fail(target: Target, request: pytest.FixtureRequest, finding: Finding) -> Fail:
    """Return the function that fails a check in words for a person on call.

    Where a hand edit of the site was kept, it is told and fails nothing: the variables say something else.
    """
    site = request.node.callspec.params.get("site")

    def stop(problem: str, *, sent: object = "", got: object = "", fix: str = "") -> NoReturn:
        if site is not None and site.kept:
            told = f": {got}" if f"{got}" else ""
            finding(f"{problem}{told} (no failure: nginx_websocket_on_drift kept a hand edit)")
            pytest.skip(problem)
        lines = [f"{target.name}: {problem}"]
        lines += [
            f"  {label} {text}"
            for label, text in (("sent:", sent), ("got: ", got), ("do:  ", fix))
            if f"{text}"
        ]
        pytest.fail("\n".join(lines), pytrace=False)

    return stop
