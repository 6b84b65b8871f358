"""The local stack takes its variables from the environment, and beneath it from `.env`."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dotenv import dotenv_values

from deploy.dev_stack.stack import DEFAULT_PORTS, ROOT, own_ports, read_stack
from deploy.dev_stack.taken_ports import PortTakenError, refuse_taken_ports


def ask_status(file: Path, **given: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if name not in DEFAULT_PORTS}
    return subprocess.run(
        [sys.executable, "-m", "deploy.dev_stack", "status"],
        cwd=ROOT,
        env={**inherited, "ENV_FILE": str(file), "RUN_DIR": str(file.parent / "run"), **given},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_variable_moves_all_ports() -> None:
    moved = read_stack({"PORT_BASE": "18000"}).ports
    assert moved == {name: port + 10_000 for name, port in read_stack({}).ports.items()}
    assert moved["GATEWAY_PORT"] == 18_000


def test_port_that_is_given_is_not_moved() -> None:
    ports = read_stack({"PORT_BASE": "18000", "SYNC_PORT": "7000"}).ports
    assert ports["SYNC_PORT"] == 7_000
    assert ports["DOSSIER_PORT"] == 18_102


@pytest.mark.parametrize("base", ["0", "64444", "1e4", "-1", "١٨٠٠٠", "9" * 5_000])
def test_base_that_leaves_a_part_without_a_port_is_refused(base: str) -> None:
    with pytest.raises(
        ValueError, match="PORT_BASE is not a port: give it a number from 1 to 64443"
    ):
        read_stack({"PORT_BASE": base})


def test_highest_base_gives_each_part_a_port() -> None:
    assert max(read_stack({"PORT_BASE": "64443"}).ports.values()) == 65_535


def test_where_several_ports_are_taken_one_variable_that_moves_all_is_named() -> None:
    ports = {name: int(port) for name, port in own_ports().items() if name in DEFAULT_PORTS}
    stack = replace(read_stack({}), ports=ports)
    refuse_taken_ports(stack)
    with (
        socket.create_server(("127.0.0.1", ports["SYNC_PORT"])),
        socket.create_server(("127.0.0.1", ports["BROKER_PORT"])),
        pytest.raises(PortTakenError) as refused,
    ):
        refuse_taken_ports(stack)
    *conflicts, advice = str(refused.value).splitlines()
    assert [line.split(" is taken")[0] for line in conflicts] == [
        f"Port {ports['SYNC_PORT']}",
        f"Port {ports['BROKER_PORT']}",
    ]
    variable = advice.removeprefix("Or move all of them: ").removesuffix(" make run")
    name, _, base = variable.partition("=")
    refuse_taken_ports(replace(stack, ports=read_stack({name: base}).ports))


def test_variables_of_the_file_are_read_and_the_environment_is_above_them(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# mine\nDOSSIER_PORT='abc'\n")
    asked = ask_status(file)
    assert asked.returncode == 1
    assert asked.stderr == "DOSSIER_PORT is not a port: give it a number from 1 to 65535.\n"
    asked = ask_status(file, DOSSIER_PORT="18102")
    assert (asked.returncode, asked.stdout) == (3, "Nothing runs.\n")


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"DOSSIER_PORT=\xff\xfe\n")
    asked = ask_status(file)
    assert asked.returncode == 1
    assert asked.stderr == f"{file} is no text in UTF-8: save it as such.\n"


def test_copy_of_the_example_changes_nothing() -> None:
    assert dotenv_values(ROOT / ".env.example") == {}
