"""The pages of metrics and of alerts."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import yaml

from deploy.reference.markdown import Page, Part, quote_codes
from deploy.reference.texts import Texts
from deploy.services import SERVICES

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/watch/alerts.yaml"
_KINDS = {"Counter", "Gauge", "Histogram"}
_MIN_ARGUMENTS = 2


class Metric(NamedTuple):
    package: str
    name: str
    kind: str
    text: str
    labels: tuple[str, ...]


def build_metrics_page(texts: Texts) -> Page:
    metrics = sorted(read_metrics())
    head = [texts.say(word) for word in ("metric", "kind", "it measures", "labels")]
    parts = [
        Part(
            package,
            f"`{package}`",
            "",
            head,
            [
                [f"`{each.name}`", each.kind, texts.say(each.text), quote_codes(each.labels)]
                for each in metrics
                if each.package == package
            ],
        )
        for package in dict.fromkeys(metric.package for metric in metrics)
    ]
    text = texts.say(
        "`/metrics` of each process gives these in the format of Prometheus, and those of Python"
        " and of the process. The metrics of `shared` are those of every service."
    )
    return Page(texts.say("Metrics"), text, parts)


def read_metrics() -> Iterator[Metric]:
    """Yield the metrics that the code makes: the calls whose first arguments are two texts."""
    for package in ("shared", *SERVICES):
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield from _read_metric(package, node.func.id, node)


def _read_metric(package: str, kind: str, call: ast.Call) -> Iterator[Metric]:
    texts = [each.value for each in call.args if isinstance(each, ast.Constant)]
    if kind not in _KINDS or len(texts) < _MIN_ARGUMENTS:
        return
    lists = [each for each in call.args if isinstance(each, ast.List | ast.Tuple)]
    labels = chain.from_iterable(each.elts for each in lists)
    names = [str(each.value) for each in labels if isinstance(each, ast.Constant)]
    yield Metric(package, str(texts[0]), kind.lower(), str(texts[1]), tuple(names))


def build_alerts_page(texts: Texts) -> Page:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    head = [texts.say(word) for word in ("alert", "severity", "after", "it says", "do")]
    parts = [
        Part(
            group["name"].replace(" ", "-"),
            texts.say(group["name"]),
            "",
            head,
            [
                [
                    f"`{rule['alert']}`",
                    texts.say(rule["labels"]["severity"]),
                    rule.get("for", ""),
                    texts.say(_name_values(rule["annotations"]["summary"])),
                    texts.say(_name_values(rule["annotations"]["mend"])),
                ]
                for rule in group["rules"]
                if "alert" in rule
            ],
        )
        for group in groups
        if any("alert" in rule for rule in group["rules"])
    ]
    text = texts.say(
        "What Prometheus reports by `deploy/watch/alerts.yaml`. `page` wakes somebody, `ticket`"
        " waits for the morning."
    )
    return Page(texts.say("Alerts"), text, parts)


def _name_values(template: str) -> str:
    """Return the text with the names of labels in place of templates, and commands as code."""
    named = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"`\1`", template)
    valued = re.sub(r"\{\{ \$value[^}]*\}\}", "`value`", named)
    return re.sub(r"python -m [\w ]*\w", r"`\g<0>`", valued)
