"""Makes the topics of shared.topics: `python -m deploy.topics SERVERS`."""

import sys
from dataclasses import asdict
from pathlib import Path

import stamina
import yaml

from deploy.apart import run_apart
from shared.kafka import is_broker_outage
from shared.topics import TOPIC_TABLE, make_topics

FILE = Path(__file__).with_name("topics.yaml")
EXPLAINED = """\
# The topics of the axis, written from shared/topics.py by `make schemas`.
# `retention_days: null` keeps for ever.
"""


def topics_text() -> str:
    """The table as YAML, for whoever makes the topics by other means."""
    table = {name: asdict(topic) for name, topic in TOPIC_TABLE.items()}
    return EXPLAINED + yaml.safe_dump({"topics": table}, sort_keys=False)


def create_topics(servers: str, seconds: float = 30.0) -> None:
    """Waits up to `seconds` for the brokers to answer; topics that exist stay as they are."""
    patient = stamina.retry(
        on=is_broker_outage, attempts=None, timeout=seconds, wait_initial=0.05, wait_max=0.5
    )
    run_apart(patient(make_topics)(servers))


if __name__ == "__main__":
    create_topics(sys.argv[1])
