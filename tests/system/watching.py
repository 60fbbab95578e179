"""What Prometheus and Grafana are told to ask, taken apart: metrics, and the labels that they are chosen by."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SCRAPES = DEPLOY / "prometheus" / "prometheus.yaml"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "hujiao.json"

FUNCTIONS = {"sum", "min", "max", "topk", "rate", "increase", "deriv"}
WORDS = {"by", "or", "bool"}

_STRING = r'"(?:[^"\\]|\\.)*"'
_CHOSEN = re.compile(rf"([a-zA-Z_:][\w:]*)\s*(?:\{{((?:{_STRING}|[^{{}}\"])*)\}})?")
_MATCHER = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_STRING})")
_GROUPED = re.compile(r"\bby\s*\(([^)]*)\)")


class Asked(NamedTuple):
    """A metric in an expression, and by which labels it is chosen: ``{"of": ("=", "lag")}``."""

    name: str
    labels: Mapping[str, tuple[str, str]]

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether a sample with these labels is chosen."""
        return all(_fits(labels.get(label, ""), how, wanted) for label, (how, wanted) in self.labels.items())


def load(path: Path) -> Any:
    """A YAML file as plain data; a key that stands twice is an error."""
    return YAML(typ="safe", pure=True).load(path)


def expressions() -> dict[str, str]:
    """Every expression by the name of its alert or panel."""
    alerts = {f"alert {rule['alert']}": rule["expr"] for group in load(ALERTS)["groups"] for rule in group["rules"]}
    panels = {
        f"panel {panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    }
    return alerts | panels


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def asked(expression: str) -> Iterator[Asked]:
    """The metrics of an expression.

    Raises:
        AssertionError: for a word that is neither a metric of ours or RabbitMQ's nor a function that we know.
    """
    without_groups = _GROUPED.sub(" ", expression)
    without_times = re.sub(r"\[\d+[smhd]\]", " ", without_groups)
    for found in _CHOSEN.finditer(without_times):
        name, chosen = found[1], found[2]
        if name in FUNCTIONS | WORDS:
            continue
        assert name == "up" or name.startswith(("hujiao_", "rabbitmq_")), f"expected a metric, found {name}"
        matchers = _MATCHER.findall(chosen or "")
        yield Asked(name, {label: (how, json.loads(value)) for label, how, value in matchers})


def grouped_by(expression: str) -> set[str]:
    """The labels by which an expression sums or compares."""
    return {label.strip() for found in _GROUPED.finditer(expression) for label in found[1].split(",")}


def _fits(value: str, how: str, wanted: str) -> bool:
    match how:
        case "=":
            return value == wanted
        case "!=":
            return value != wanted
        case "=~":
            return re.fullmatch(wanted, value) is not None
        case _:
            return re.fullmatch(wanted, value) is None
