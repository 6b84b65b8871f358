"""One story through all four services, and what it must leave behind."""

import sys
from subprocess import CompletedProcess

import pytest

from tests.support.mesh import Mesh
from tests.support.waiting import eventually_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOT_PROVED = (
    2  # of `gateway verify-ledger`: no anchor is on the axis yet, one comes every ten seconds
)


def test_demo_tells_the_story_and_all_of_it_holds(mesh: Mesh) -> None:
    told = mesh.run("deploy.dev_stack", "with", sys.executable, "-m", "deploy.demo")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "All of it held." in told.stdout


def test_ledger_is_intact_after_the_story(mesh: Mesh) -> None:
    checks: list[CompletedProcess[str]] = []

    def is_decided() -> bool:
        command = (
            "deploy.dev_stack",
            "as",
            "gateway",
            sys.executable,
            "-m",
            "gateway",
            "verify-ledger",
        )
        checks.append(mesh.run(*command))
        return checks[-1].returncode != NOT_PROVED

    eventually_sync(is_decided)
    assert checks[-1].returncode == 0, checks[-1].stdout + checks[-1].stderr
