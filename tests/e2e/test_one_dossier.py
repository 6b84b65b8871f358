"""One story through all four services, and what it must leave behind."""

import sys

import pytest

from tests.mesh import Mesh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_demo_tells_the_story_and_all_of_it_holds(mesh: Mesh) -> None:
    told = mesh.run("deploy.local", "with", sys.executable, "-m", "deploy.demo")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "All of it held." in told.stdout


def test_ledger_is_intact_after_the_story(mesh: Mesh) -> None:
    checked = mesh.run("deploy.local", "as", "gateway", sys.executable, "-m", "gateway.verify")
    assert checked.returncode == 0, checked.stdout + checked.stderr
