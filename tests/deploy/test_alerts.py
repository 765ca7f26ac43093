"""deploy/alerts.yml: each expression is PromQL over metrics that the program has, each alert is explained."""

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

# What /metrics shows, with its labels; a counter ends in _total, a histogram has _bucket with `le`.
METRICS = {
    "laocert_updates_total": {"kind", "outcome"},
    "laocert_tap_seconds_bucket": {"le"},
    "laocert_inbox_depth": set(),
    "laocert_inbox_age_seconds": set(),
    "laocert_outbox_depth": {"state"},
    "laocert_outbox_age_seconds": set(),
    "laocert_certificates": {"level"},
    "laocert_messages_total": {"kind", "outcome"},
    "laocert_floods_total": set(),
    "laocert_conflicts_total": set(),
    "laocert_refusals_total": {"method"},
    "laocert_bot_api": set(),
    "laocert_database_troubles_total": {"trouble"},
    "laocert_bad_seals_total": {"table"},
    "laocert_lease": {"name"},
    "laocert_clock_offset_seconds": {"against"},
    "laocert_build_info": {"version"},
}


def _rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((ROOT / "deploy/alerts.yml").read_text(encoding="utf-8"))
    assert set(loaded) == {"groups"}
    assert all(set(group) == {"name", "rules"} for group in loaded["groups"])
    return [rule for group in loaded["groups"] for rule in group["rules"]]


RULES = _rules()


def _selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def note(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), note)
    return found


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_asks_for_what_there_is_and_says_what_it_means(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
    if "for" in rule:
        assert promql_parser.parse_duration(rule["for"])
    selectors = _selectors(rule["expr"])
    assert selectors
    for one in selectors:
        assert one.name in METRICS
        assert {matcher.name for matcher in one.matchers.matchers} <= METRICS[one.name]
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert f"| `{rule['alert']}` |" in operations


def test_no_two_alerts_have_one_name() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_a_wrong_expression_is_found() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        _selectors("sum(laocert_inbox_depth")
    assert [one.name for one in _selectors("rate(laocert_typo_total[5m]) > 1")] == ["laocert_typo_total"]


@pytest.mark.parametrize("name", METRICS)
def test_the_program_has_these_metrics(name: str) -> None:
    """As prometheus_client names them: without what it adds by itself."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py"))
    assert re.search(rf'"{name.removesuffix("_total").removesuffix("_bucket")}(_total)?"', sources)
