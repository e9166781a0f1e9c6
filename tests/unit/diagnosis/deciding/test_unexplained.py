"""What no rule explains is told with all that was seen."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.deciding import unexplained
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from tests.unit.diagnosis.seen import (
    about_upstream,
    backend,
    broken,
    host,
    opened,
    page,
    proxied,
    shown,
    site,
)

UNKNOWN = "socket() failed (97: Address family not supported by protocol) while connecting to upstream"


def test_a_line_of_the_log_that_no_rule_knows_is_shown_all_the_same():
    line = about_upstream(UNKNOWN, "http://127.0.0.1:8000/ws/x", level="crit")
    facts = host(site(proxied()), {"loopback": page(500)}, backends=[backend(opened())], log=[line, line])
    report = conclude_live(facts)
    assert report.verdict == "cannot tell"
    assert "socket() failed" in report.sentence
    assert "client:" not in report.sentence
    finding = report.findings[0]
    assert finding.code == "static-live-disagree"
    assert shown(finding).count("[crit] socket() failed") == 1
    assert "reload" not in finding.fix


def test_a_log_without_such_a_line_leaves_the_contradiction():
    facts = host(site(proxied()), {"loopback": page(500)}, backends=[backend(opened())])
    report = conclude_live(facts)
    assert report.findings[0].code == "static-live-disagree"
    assert "error log" in report.findings[0].fix and "reload" not in report.findings[0].fix


def behind_condition(inner, answer):
    body = "geo $bad { ranges; default 1; }\n" + site(
        f"    if ($bad) {{\n        {inner}\n    }}\n" + proxied()
    )
    return conclude_live(host(body, {"loopback": answer}, backends=[backend(opened())]))


CLOSED = broken("closed-without-answer", "the server closed the connection without a byte")


def test_a_condition_that_only_nginx_can_decide_is_offered():
    report = behind_condition("return 444;", CLOSED)
    assert report.verdict == "cannot tell"
    assert "if ($bad)" in report.sentence
    finding = report.findings[0]
    assert finding.code == "undecided"
    assert finding.evidence[0].line == 7
    assert "return 444" in finding.evidence[0].text


def test_a_condition_whose_answer_did_not_come_explains_nothing():
    assert "if ($bad)" not in behind_condition("return 403;", CLOSED).sentence
    assert "if ($bad)" in behind_condition("return 403;", page(403)).sentence
    assert "if ($bad)" in behind_condition("return https://a.test/;", page(302)).sentence
    assert "if ($bad)" in behind_condition("rewrite ^ /x permanent;", page(301)).sentence
    assert "if ($bad)" not in behind_condition("rewrite ^ /x permanent;", page(403)).sentence
    assert "if ($bad)" in behind_condition("set $x 1;", page(403)).sentence


def test_the_one_condition_that_can_have_answered_is_the_cause_where_the_backend_opens():
    report = behind_condition("return 403;", page(403))
    assert report.verdict == "fails"
    finding = report.findings[0]
    assert (finding.code, finding.evidence[0].line) == ("return-status", 7)
    assert "if ($bad) held" in report.sentence
    assert behind_condition("return https://a.test/;", page(302)).findings[0].code == (
        "return-or-rewrite-redirect"
    )
    assert behind_condition("set $x 1;", page(403)).verdict == "cannot tell"


def test_a_condition_on_the_certificate_of_the_client_asks_for_one():
    lines = "    if ($ssl_client_verify != SUCCESS) {\n        return 403;\n    }\n"
    facts = host(site(lines + proxied()), {"loopback": page(403)}, backends=[backend(opened())])
    assert conclude_live(facts).findings[0].code == "client-certificate-required"


def test_two_conditions_or_a_backend_that_refuses_prove_nothing():
    lines = "    if ($ssl_client_verify != SUCCESS) {\n        return 403;\n    }\n"
    twice = lines + lines.replace("client_verify", "client_s_dn")
    facts = host(site(twice + proxied()), {"loopback": page(403)}, backends=[backend(opened())])
    assert conclude_live(facts).verdict == "cannot tell"
    facts = host(site(lines + proxied()), {"loopback": page(403)}, backends=[backend(page(403))])
    assert conclude_live(facts).findings[0].code != "client-certificate-required"


MAYBE = "    if ($geoip_city) {\n        return 403;\n    }\n"


@pytest.mark.parametrize(("probe", "told"), [(page(403), True), (page(404), False), (opened(), False)])
def test_a_condition_may_explain_its_own_answer_and_no_other(probe, told):
    facts = host(site(MAYBE + proxied()), {"loopback": probe})
    assert bool(unexplained.may_explain(facts)) is told


def test_without_an_answer_nothing_may_explain_it():
    assert unexplained.may_explain(host(site(MAYBE + proxied()), {})) == []
