"""A damaged file or a wrong server ends each command with a sentence that says how to mend it."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from deploy.dev_stack.given_servers import UnusableServerError, explain_given_server
from deploy.dev_stack.record import held
from deploy.dev_stack.stack import ROOT, own_ports

# `as` is that of `make migrate`, `people`, `dead-letters` …; `with` that of `make demo`.
COMMANDS = {
    "up": ["up"],
    "stop": ["stop"],
    "status": ["status"],
    "as": ["as", "gateway", "true"],
    "with": ["with", "true"],
}
# `as` needs a stack that runs.
WITHOUT_STACK = ["up", "stop", "status", "with"]


def run_module(folder: Path, *words: str, **given: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **own_ports(), "RUN_DIR": str(folder), **given}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**environment, "SANDBOX_FILE": str(folder / "sandbox.json")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"supervisor": {"pid": "x"}}'])
@pytest.mark.parametrize(
    ("name", "runs"),
    [
        *((name, False) for name in WITHOUT_STACK),
        *((name, True) for name in COMMANDS if name != "up"),
    ],
)
def test_damaged_record_of_the_processes_is_named(
    name: str, runs: bool, content: str, tmp_path: Path
) -> None:
    (tmp_path / "stack.json").write_text(content)
    with held(tmp_path) if runs else nullcontext():
        ended = run_module(tmp_path, "deploy.dev_stack", *COMMANDS[name])
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"{tmp_path / 'stack.json'} is damaged")
    assert ended.stdout.count("\n") == 1
    assert ended.stderr == ""


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"clients": [{}]}'])
def test_damaged_file_of_the_sandbox_is_named_before_anything_starts(
    content: str, tmp_path: Path
) -> None:
    file = tmp_path / "sandbox.json"
    file.write_text(content)
    for command in (["deploy.dev_stack", "up"], ["deploy.demo"]):
        ended = run_module(tmp_path, *command)
        assert ended.returncode == 1
        assert f"{file} does not hold the clients of a sandbox: remove it" in (
            ended.stdout + ended.stderr
        )
        assert ended.stderr.count("\n") <= 2
    assert not (tmp_path / "postgres").exists()


def test_demo_without_a_sandbox_says_where_one_comes_from(tmp_path: Path) -> None:
    ended = run_module(tmp_path, "deploy.demo")
    assert ended.returncode == 1
    assert "it is written where SANDBOX is true" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_damaged_secret_is_named_before_anything_starts(tmp_path: Path) -> None:
    secret = tmp_path / "secrets" / "gateway" / "ledger_key"
    secret.parent.mkdir(parents=True)
    secret.touch()
    ended = run_module(tmp_path, "deploy.dev_stack", "up")
    assert ended.returncode == 1
    assert f"{secret} is empty or damaged" in ended.stdout
    assert ended.stderr == ""
    assert not (tmp_path / "postgres").exists()


def test_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").touch()
    ended = run_module(tmp_path, "deploy.dev_stack", "up")
    assert ended.returncode == 1
    assert f"{tmp_path / 'secrets'} cannot be used (File exists)" in ended.stdout
    assert ended.stderr == ""


@pytest.mark.parametrize("url", ["postgresql://postgres:secret@127.0.0.1:1/x", "no url of secret"])
def test_database_that_cannot_be_used_is_named_without_its_url(url: str, tmp_path: Path) -> None:
    ended = run_module(tmp_path, "deploy.dev_stack", "up", DATABASE_URL=url)
    assert ended.returncode == 1
    assert "DATABASE_URL names no server that can be used (" in ended.stdout
    assert "secret" not in ended.stdout
    assert ended.stderr == ""


def test_fault_of_the_embedded_server_is_not_explained_away() -> None:
    with pytest.raises(ConnectionError), explain_given_server("KAFKA_SERVERS", given=None):
        raise ConnectionError
    unusable = pytest.raises(UnusableServerError, match="KafkaConnectionError")
    with unusable, explain_given_server("KAFKA_SERVERS", given="127.0.0.1:9"):
        raise KafkaConnectionError
