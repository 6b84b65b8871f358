"""One command of a service, run in a process of its own on the databases of a test."""

import os
import subprocess
import sys
from pathlib import Path

from shared.settings import ServiceSettings
from tests.support.event_keys import key_text
from tests.support.factories import CALL_KEY, DIGEST_KEY
from tests.support.waiting import PATIENCE_S


def run_service_command(
    settings: ServiceSettings, *words: str
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m <service> <words>` with the settings of a test."""
    environment = {
        "DATABASE_URL": settings.database.render_as_string(hide_password=False),
        "KAFKA_SERVERS": settings.kafka_servers,
        "DIGEST_KEY": DIGEST_KEY.get_secret_value(),
        "EVENT_KEY": key_text(settings.name),
        "PERSON_HASH_KEY": "00",
        "CALL_KEY": CALL_KEY.get_secret_value(),
    }
    return subprocess.run(
        [sys.executable, "-m", settings.name, *words],
        env=os.environ | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
