"""Alerts and board ask only for what the processes tell; promtool reads them where it is there."""

import json
import os
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from deploy.services import SERVICES
from tests.deploy.test_compose import PARTS
from tests.support.tools import PROMTOOL

WATCH = Path(__file__).parents[2] / "deploy/watch"
RULES = [
    rule
    for group in yaml.safe_load((WATCH / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
BOARD = json.loads((WATCH / "grafana/dashboards/mesh.json").read_text(encoding="utf-8"))
# The others are the headings of rows.
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
ASKED = {f"board: {panel['title']}": panel["targets"] for panel in PANELS} | {
    f"rule: {rule.get('alert') or rule['record']}": [rule] for rule in RULES
}
METRIC = re.compile(r"(?<![\w\"{])([a-z_:]+(?:5m|30m|1h|6h)?)(?=[{\[) ]|$)")
MATCHED = re.compile(r"(\w+)(?:=~|!~|!=|=)\"")
GROUPED = re.compile(r"by \(([^)]*)\)")
PROMETHEUS_OWN = "up"
# What Prometheus adds to all that it reads: see `static_configs`.
ADDED = frozenset({"job", "part"})
ENDINGS = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
WORDS = {"sum", "max", "count", "or", "and", "vector", "rate", "increase"} | {
    "histogram_quantile",
    "sort_desc",
}
TOLD_IN = (
    "gateway.main",
    "gateway.worker",
    "sync_service.main",
    "sync_service.worker",
    "dossier_service.main",
    "identity_service.main",
)


def told() -> dict[str, frozenset[str]]:
    """What may be asked for, with its labels."""
    for module in TOLD_IN:
        import_module(module)
    known = {PROMETHEUS_OWN: ADDED}
    for collector in REGISTRY._collector_to_names:
        labels = ADDED.union(getattr(collector, "_labelnames", ()))
        for metric in collector.collect():
            for ending in ENDINGS.get(metric.type, ()):
                known[metric.name + ending] = labels | ({"le"} if ending == "_bucket" else set())
    # Each is a ratio of two sums, which have no labels.
    return known | {rule["record"]: frozenset() for rule in RULES if "record" in rule}


@pytest.mark.parametrize("what", ASKED)
def test_metrics_and_labels_asked_for_are_told_by_a_process(what: str) -> None:
    known = told()
    assert ASKED[what]
    for target in ASKED[what]:
        question = target["expr"]
        groups = [re.split(r",\s*", group) for group in GROUPED.findall(question)]
        labels = set(MATCHED.findall(question)).union(*groups)
        asked = set(METRIC.findall(re.sub(r"\{[^}]*\}", "", GROUPED.sub("", question)))) - WORDS
        assert asked, question
        assert asked <= known.keys(), asked - known.keys()
        for metric in asked:
            assert labels <= known[metric], f"{metric} has no {labels - known[metric]}"


def test_every_alert_says_what_is_wrong_and_how_to_mend_it() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    assert alerts
    for rule in alerts:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "mend"}


def test_every_process_of_a_service_is_watched() -> None:
    config = yaml.safe_load((WATCH / "prometheus.yaml").read_text(encoding="utf-8"))
    [scraped] = config["scrape_configs"]
    watched = set()
    for each in scraped["static_configs"]:
        [(host, port)] = [target.split(":") for target in each["targets"]]
        labels: dict[str, Any] = each["labels"]
        assert PARTS[host]["command"] == [labels["job"], labels["part"]]
        assert port == "8000"
        watched.add((labels["job"], labels["part"]))
    assert watched == {(service, part) for service in SERVICES for part in ("serve", "work")}


def promtool(*arguments: str) -> None:
    binary, lack = shutil.which("promtool"), PROMTOOL.lack()
    if lack and os.environ.get("TEST_PROMTOOL") != "required":
        pytest.skip(lack)
    assert binary, lack
    told = subprocess.run(
        [binary, *arguments], cwd=WATCH, capture_output=True, text=True, check=False, timeout=120
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_promtool_accepts_configuration_and_rules() -> None:
    promtool("check", "config", "prometheus.yaml")


def test_each_alert_is_tried_where_it_fires_and_where_it_does_not() -> None:
    written = yaml.safe_load((WATCH / "alerts_test.yaml").read_text(encoding="utf-8"))
    tried = [
        (case["alertname"], bool(case.get("exp_alerts")))
        for test in written["tests"]
        for case in test.get("alert_rule_test", ())
    ]
    for rule in RULES:
        if "alert" in rule:
            assert (rule["alert"], True) in tried
            assert (rule["alert"], False) in tried


def test_each_alert_fires_beyond_its_bound_and_not_below() -> None:
    promtool("test", "rules", "alerts_test.yaml")


def test_promtool_reads_every_question_of_the_board(tmp_path: Path) -> None:
    questions = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    rules = [{"record": f"board:{n}", "expr": expr} for n, expr in enumerate(questions)]
    asked = tmp_path / "board.yaml"
    asked.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    promtool("check", "rules", str(asked))
