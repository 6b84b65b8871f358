"""Alerts and board ask only for what the processes tell; promtool reads them where it is there."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from deploy.services import SERVICES
from tests.deploy.test_compose import PARTS

WATCH = Path(__file__).parents[2] / "deploy/watch"
RULES = [
    rule
    for group in yaml.safe_load((WATCH / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
BOARD = json.loads((WATCH / "grafana/dashboards/mesh.json").read_text(encoding="utf-8"))
ASKED = {f"board: {panel['title']}": panel["targets"] for panel in BOARD["panels"]} | {
    f"rule: {rule.get('alert') or rule['record']}": [rule] for rule in RULES
}
METRIC = re.compile(r"(?<![\w\"{])([a-z_:]+(?:5m|30m|1h|6h)?)(?=[{\[) ]|$)")
PROMETHEUS_OWN = "up"
WORDS = {"sum", "max", "count", "or", "and", "vector", "rate", "increase"} | {
    "histogram_quantile",
    "sort_desc",
}
TOLD_IN = ("gateway.main", "gateway.worker", "sync_service.worker", "dossier_service.main")


def told() -> Iterator[str]:
    for module in TOLD_IN:
        import_module(module)
    for metric in REGISTRY.collect():
        yield metric.name
        for ending in ("_total", "_count", "_sum", "_bucket"):
            yield f"{metric.name}{ending}"
    yield PROMETHEUS_OWN
    yield from (rule["record"] for rule in RULES if "record" in rule)


@pytest.mark.parametrize("what", ASKED)
def test_what_is_asked_for_is_told_by_a_process(what: str) -> None:
    known = set(told())
    for target in ASKED[what]:
        labels_gone = re.sub(r"\{[^}]*\}|by \([^)]*\)", "", target["expr"])
        asked = set(METRIC.findall(labels_gone)) - WORDS
        assert asked, target["expr"]
        assert asked <= known, asked - known


def test_every_alert_says_what_is_wrong_and_how_to_mend_it() -> None:
    for rule in RULES:
        if "alert" in rule:
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
    binary = shutil.which("promtool")
    if binary is None:
        pytest.skip("promtool is not installed")
    told = subprocess.run(
        [binary, *arguments], cwd=WATCH, capture_output=True, text=True, check=False, timeout=60
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
