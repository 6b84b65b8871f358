"""The files at the root say what holds: licence, versions, security, and the make targets."""

import re
import tomllib
from datetime import date
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
# The text that the Apache Software Foundation publishes.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
TEXTS = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/??/**/*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)")


def _read_releases() -> list[tuple[str, date]]:
    found = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", CHANGELOG, re.MULTILINE)
    return [(version, date.fromisoformat(day)) for version, day in found]


def _split_entries() -> dict[str, list[str]]:
    """Return the headings below each version, in the order of the file."""
    _, *parts = re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)
    return {
        part.partition("]")[0].strip("["): re.findall(r"^### (.+)$", part, re.MULTILINE)
        for part in parts
    }


def test_licence_is_the_published_text_of_the_stated_one() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert "!LICENSE" in (ROOT / ".dockerignore").read_text().splitlines()


def test_changelog_has_an_entry_for_the_version_of_the_package() -> None:
    assert PROJECT["version"] in dict(_read_releases())


def test_changelog_begins_with_the_unreleased_and_has_the_newest_version_first() -> None:
    entries = _split_entries()
    assert next(iter(entries)) == "Unreleased"
    releases = _read_releases()
    assert [version for version, _ in releases] == list(entries)[1:]
    numbers = [tuple(map(int, version.split("."))) for version, _ in releases]
    assert all(newer > older for newer, older in pairwise(numbers))
    assert all(newer >= older for (_, newer), (_, older) in pairwise(releases))


def test_changelog_sorts_changes_by_the_known_kinds() -> None:
    for version, headings in _split_entries().items():
        assert headings, f"{version} says nothing"
        assert set(headings) <= KINDS
        assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_files_that_a_text_links_to_are_there(text: Path) -> None:
    links = LINK.findall(text.read_text(encoding="utf-8"))
    assert [link for link in links if not (text.parent / link).exists()] == []


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_make_targets_that_a_text_names_are_there(text: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE))
    named = re.findall(
        r"(?:`|^)(?:[A-Z_]+=\S+ )*make ([a-z][a-z0-9-]*)",
        text.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert set(named) <= targets


def test_security_policy_names_the_threats_and_no_address() -> None:
    policy = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "docs/en/explanation/threats.md" in LINK.findall(policy)
    assert "private vulnerability reporting" in policy
    assert "@" not in policy
