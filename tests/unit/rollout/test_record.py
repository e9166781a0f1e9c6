"""What becomes of a host, from what the modules and tasks say."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.utils.helpers import pct_to_int

from rollout.outcomes import BAD, MEANINGS, OUTCOMES
from rollout.record import WHY_LINES, HostRecord, Rollout, batch_sizes, masked

OLD, NEW = "a" * 32, "b" * 32


def deployed(outcome="applied", **more):
    return {"outcome": outcome, "releases": {"s": NEW}, "previous": {"s": OLD}, "backup": 3, **more}


def rollout(*names):
    made = Rollout("Play", 0.0)
    made.expect(names)
    return made


def after(host):
    return [(release.before, release.after) for release in host.releases]


def test_applied_and_unchanged():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(changed=True), failed=False, undo=False, check=False)
    assert (host.outcome, after(host), host.backup) == ("applied", [(OLD, NEW)], 3)
    host.transaction(deployed("unchanged", previous={"s": NEW}), failed=False, undo=False, check=False)
    assert (host.outcome, after(host)) == ("unchanged", [(NEW, NEW)])


def test_check_mode_says_what_would_change():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed("unchanged", changed=True), failed=False, undo=False, check=True)
    assert host.outcome == "would change"
    host.transaction(deployed("unchanged", changed=False), failed=False, undo=False, check=True)
    assert host.outcome == "unchanged"


@pytest.mark.parametrize(
    ("word", "live"),
    [
        ("refused", OLD),
        ("rolled back", OLD),
        ("nothing to go back to", OLD),
        ("reload failed", None),
        ("rollback failed", None),
    ],
)
def test_a_transaction_that_failed_says_what_is_live(word, live):
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(word), failed=True, undo=False, check=False)
    host.failed("nginx refuses the candidate", phase="deploy")
    assert (host.outcome, after(host), host.why) == (word, [(OLD, live)], ["nginx refuses the candidate"])


def test_a_refusal_without_a_candidate_still_tells_what_is_live():
    host = rollout("web1").hosts["web1"]
    host.transaction({"outcome": "refused", "previous": {"s": OLD}}, failed=True, undo=False, check=False)
    assert (host.outcome, after(host)) == ("refused", [(OLD, OLD)])


@pytest.mark.parametrize("word", ["unchanged", "applied"])
def test_a_failure_is_never_told_by_a_word_of_success(word):
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(word), failed=True, undo=False, check=False)
    assert host.outcome == "failed"


def test_a_deployment_that_ends_without_an_answer_leaves_unknown_what_is_live():
    host = rollout("web1").hosts["web1"]
    host.transaction({"msg": "MODULE FAILURE"}, failed=True, undo=False, check=False)
    host.failed("MODULE FAILURE", phase="deploy")
    assert host.outcome == "unknown"


def test_a_host_that_goes_silent_after_its_deployment_is_unknown():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(), failed=False, undo=False, check=False)
    host.failed("no route to host", phase="verify", unreachable=True)
    assert (host.outcome, after(host)) == ("unreachable", [(OLD, None)])


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (deployed("unchanged", previous={"s": NEW}), "nothing to go back to"),
        (deployed("applied", previous={"s": NEW}, backup=None), "reload failed"),
        ({}, "failed"),
    ],
)
def test_a_failed_verification_of_what_was_live_undoes_nothing(made, outcome):
    host = rollout("web1").hosts["web1"]
    host.transaction(made, failed=False, undo=False, check=False)
    host.verified({"passed": 21, "findings": []}, failed=True)
    host.failed("1 of 22 checks failed.", phase="verify")
    host.failed("The verification failed:", phase="undo")
    assert (host.outcome, after(host)) == (outcome, [(NEW, NEW)] if made else [])


@pytest.mark.parametrize(
    ("failed", "outcome"), [(True, "application down"), (False, "application down, accepted")]
)
def test_an_application_that_is_down_is_another_word(failed, outcome):
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(), failed=False, undo=False, check=False)
    host.verified({"passed": 21, "findings": [], "application_down": ["nothing listens"]}, failed=failed)
    assert (host.outcome, after(host)) == (outcome, [(OLD, NEW)])


@pytest.mark.parametrize(
    "odd",
    [
        {"previous": [OLD], "releases": "x", "backup": "9", "sockets": {"before": 1}},
        {"previous": {"s": 7}, "releases": {"s": {"a": 1}}, "findings": ["x", {"code": None, "fix": 3}]},
        {"findings": {"a": 1}, "sockets": [1, 2], "confirm_by": ["x"]},
        {"findings": [{"code": "c", "message": str(number)} for number in range(9999)]},
    ],
)
def test_what_a_host_says_in_another_shape_breaks_nothing(odd):
    host = rollout("web1").hosts["web1"]
    host.transaction({**deployed(), **odd}, failed=False, undo=False, check=False)
    host.verified({"passed": "many", "findings": 3}, failed=False)
    assert host.outcome == "applied"
    assert len(host.findings) <= 200


def test_an_answer_without_an_outcome_takes_nothing_away():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(), failed=False, undo=False, check=False)
    host.transaction({"msg": "skipped"}, failed=False, undo=False, check=False)
    assert (host.outcome, after(host), host.backup) == ("applied", [(OLD, NEW)], 3)


def test_a_failed_verification_is_undone():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(), failed=False, undo=False, check=False)
    host.failed("1 of 22 checks failed.")
    host.transaction({"outcome": "applied"}, failed=False, undo=True, check=False)
    host.failed("The verification failed:")
    assert (host.outcome, after(host)) == ("rolled back", [(OLD, OLD)])


@pytest.mark.parametrize(
    ("word", "live"),
    [("refused", NEW), ("rolled back", NEW), ("rollback failed", None), ("reload failed", None), ("", None)],
)
def test_an_undo_that_fails_is_told(word, live):
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(), failed=False, undo=False, check=False)
    # As tasks/undo.yml asks for it: the task does not fail.
    host.transaction({"outcome": word, "msg": "no disk, token=abc"}, failed=False, undo=True, check=False)
    host.failed("The verification failed:", phase="undo")
    assert (host.outcome, after(host)) == ("rollback failed", [(OLD, live)])
    assert host.why[0] == "Undo: no disk, token=***"


def test_an_undo_that_fails_names_the_time_at_which_the_host_goes_back():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(confirm_by="2025-01-31T12:05:00Z"), failed=False, undo=False, check=False)
    host.transaction({"outcome": "refused", "msg": "locked"}, failed=False, undo=True, check=False)
    assert "goes back by itself at 2025-01-31T12:05:00Z" in host.why[0]


def test_a_finished_host_is_taken_back():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(), failed=False, undo=False, check=False)
    host.taken_back({"outcome": "applied"}, failed=False)
    assert (host.outcome, after(host)) == ("taken back", [(OLD, OLD)])


def test_a_finished_host_that_cannot_be_taken_back_is_told():
    host = rollout("web1").hosts["web1"]
    host.transaction(deployed(), failed=False, undo=False, check=False)
    host.taken_back({"outcome": "refused", "msg": "the disk is full"}, failed=False)
    assert (host.outcome, after(host), host.why) == (
        "rollback failed",
        [(OLD, NEW)],
        ["Undo: the disk is full"],
    )


def test_why_has_each_line_once_and_an_end():
    host = rollout("web1").hosts["web1"]
    host.failed("the first\n\n  password: hunter2  \n")
    host.failed("the first\nthe second")
    assert host.why == ["the first", "  password: ***", "the second"]
    host.failed("\n".join(f"line {number}" for number in range(WHY_LINES + 5)))
    assert len(host.why) == WHY_LINES


def test_a_finding_is_kept_once_and_masked():
    host = rollout("web1").hosts["web1"]
    finding = {"code": "backend-down", "message": "asked with token=abc", "fix": "start it"}
    for _ in range(2):
        host.transaction(deployed(findings=[finding]), failed=False, undo=False, check=False)
    assert host.findings == [{**finding, "message": "asked with token=***"}]


def test_tasks_of_one_phase_are_one_stretch():
    host = rollout("web1").hosts["web1"]
    for phase, start, end in (("deploy", 1, 4), ("deploy", 2, 3), ("verify", 4, 5), ("deploy", 6, 7)):
        host.saw(phase, start, end)
    assert [(phase.name, phase.start, phase.end) for phase in host.phases] == [
        ("deploy", 1, 4), ("verify", 4, 5), ("deploy", 6, 7),
    ]  # fmt: skip
    assert host.seconds == 6


def test_sockets_of_a_deployment_and_its_undo_add_up():
    host = rollout("web1").hosts["web1"]
    host.transaction(
        deployed(sockets={"before": 9, "after": 8, "lost": 1}), failed=False, undo=False, check=False
    )
    host.transaction(
        {"outcome": "applied", "sockets": {"before": 8, "after": 6, "lost": 2}},
        failed=False,
        undo=True,
        check=False,
    )
    assert host.sockets == {"before": 9, "after": 6, "lost": 3}


def test_a_retry_comes_to_the_hosts_that_are_not_done():
    run = rollout("web1", "web2", "web3", "web4")
    run.hosts["web1"].transaction(deployed(), failed=False, undo=False, check=False)
    run.hosts["web2"].transaction(deployed("unchanged"), failed=False, undo=False, check=False)
    run.hosts["web3"].failed("no route to host", unreachable=True)
    assert run.not_done() == ["web3", "web4"]
    assert not run.succeeded
    assert run.counts() == {"unchanged": 1, "applied": 1, "unreachable": 1, "not reached": 1}


DONE = {"unchanged", "applied", "verified", "application down, accepted"}
IDLE = {"taken back", "not reached", "would change"}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_says_whether_there_is_more_to_do(outcome):
    run = rollout("web1")
    run.hosts["web1"].outcome = outcome
    assert run.not_done() == ([] if outcome in DONE else ["web1"])
    assert run.succeeded == (outcome in DONE or outcome == "would change")
    assert (outcome in BAD) == (outcome not in DONE | IDLE)


def test_the_docs_have_every_outcome_with_its_meaning():
    page = (Path(__file__).resolve().parents[3] / "docs/rollouts.md").read_text()
    for outcome, (_, meaning) in MEANINGS.items():
        assert f"| `{outcome}` | {meaning} |" in page


def test_outcomes_are_counted_in_their_order():
    run = rollout("web1", "web2")
    run.hosts["web1"].outcome = "failed"
    run.hosts["web2"].outcome = "applied"
    assert list(run.counts()) == ["applied", "failed"]


def test_a_batch_ends_where_the_next_one_begins():
    run = rollout("web1", "web2")
    for name, at in (("web1", 1.0), ("web2", 3.0)):
        run.begin_batch([name], at)
        run.hosts[name].saw("deploy", at, at + 1)
    run.end_batch(5.0)
    run.end_batch(9.0)
    assert [(batch.start, batch.end) for batch in run.batches] == [(1.0, 3.0), (3.0, 5.0)]


def test_a_batch_that_came_to_no_host_is_forgotten():
    run = rollout("web1", "web2")
    run.begin_batch(["web1"], 1.0)
    run.hosts["web1"].saw("deploy", 1.0, 2.0)
    run.begin_batch(["web2"], 3.0)
    run.end_batch(3.1)
    assert [batch.number for batch in run.batches] == [1]
    assert run.hosts["web2"].batch == 0


@pytest.mark.parametrize("hosts", [1, 2, 3, 7, 10, 49, 50, 500])
@pytest.mark.parametrize("serial", [["100%"], [1, "25%"], ["1", "10%", "50%"], [3], ["1%"], [2, 1000]])
def test_batches_are_those_that_ansible_makes(serial, hosts):
    # PlaybookExecutor._get_serialized_batches, on numbers instead of hosts.
    left, sizes, step = hosts, [], 0
    while left:
        size = pct_to_int(serial[step], hosts)
        sizes.append(min(left, size if size > 0 else left))
        left -= sizes[-1]
        step = min(step + 1, len(serial) - 1)
    assert batch_sizes(serial, hosts) == sizes


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("Cookie: session=abc; theme=dark", "Cookie: ***"),
        ("got url?api_key=xyz&x=1", "got url?api_key=***&x=1"),
        ("password: hunter2, token=s3cret", "password: ***, token=***"),
        ("no browser trusts the token endpoint", "no browser trusts the token endpoint"),
    ],
)
def test_secrets_do_not_get_out(text, told):
    assert masked(text) == told


def test_the_comparison_is_kept_as_data_and_bounded():
    host = HostRecord("h")
    row = {"kind": "file-lost", "was": "x" * 9999, "examples": ["http://a/?token=abc"] * 999, "other": {}}
    value = {"summary": "of 5 requests 4", "asked": 5, "differences": [row] * 999, "notes": ["n"] * 999}
    host.transaction({"outcome": "applied", "comparison": value}, failed=False, undo=False, check=False)
    kept = host.comparison
    assert kept["summary"] == "of 5 requests 4" and kept["asked"] == 5 and len(kept["differences"]) <= 200
    assert len(kept["differences"][0]["was"]) <= 500 and "abc" not in str(kept["differences"][0]["examples"])
    for strange in (None, [], "x", {"differences": 3, "notes": {}}):
        host.transaction({"outcome": "applied", "comparison": strange}, failed=False, undo=False, check=False)
