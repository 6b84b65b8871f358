"""Every connection to PostgreSQL is opened by the function that tells an outage from a bug."""

import re

from tests.shape.sources import PACKAGES, list_sources

ENGINE = "shared/database/engine.py"
CONNECT = re.compile(r"\basyncpg\.connect\(|\bfrom asyncpg import .*\bconnect\b")


def test_only_the_engine_calls_the_driver_to_connect() -> None:
    found = {source.name for source in list_sources(*PACKAGES) if CONNECT.search(source.text)}
    assert found == {ENGINE}, f"call connect_driver of {ENGINE}"
