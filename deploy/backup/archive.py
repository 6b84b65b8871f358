"""The file of a back-up: a tar of its files, and a manifest with the SHA-256 of each."""

import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FORMAT = 1
MANIFEST = "manifest.json"


class ArchiveUnfitError(Exception):
    """The file is not a whole back-up of this form; the text says why."""


@dataclass(frozen=True)
class Facts:
    """When a back-up was made (ISO 8601, UTC), and of which versions.

    `revisions` are the newest migrations of the databases, by service.
    """

    made_at: str
    version: str
    postgres: str
    revisions: Mapping[str, str]


def write_archive(file: Path, folder: Path, facts: Facts) -> None:
    """Write all files of the folder to `file`, which appears when it is whole."""
    manifest = {"format": FORMAT, **asdict(facts), "files": _compute_digests(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    unfinished = file.with_name(f".{file.name}.new")
    unfinished.touch(mode=0o600)
    with tarfile.open(unfinished, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, path.relative_to(folder), recursive=False)
    unfinished.rename(file)


def read_archive(file: Path, folder: Path) -> Facts:
    """Extract the files to the folder; raise ArchiveUnfitError unless all are as they were."""
    try:
        with tarfile.open(file, "r:") as archive:
            archive.extractall(folder, filter="data")
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, tarfile.TarError, ValueError) as error:
        raise ArchiveUnfitError(f"{file} is not a back-up: {error}") from None
    if manifest.pop("format", None) != FORMAT:
        raise ArchiveUnfitError(f"{file} has a form that this version does not read.")
    (folder / MANIFEST).unlink()
    expected, found = manifest.pop("files"), _compute_digests(folder)
    if damaged := {name for name, _ in expected.items() ^ found.items()}:
        raise ArchiveUnfitError(f"{file} is damaged: {', '.join(sorted(damaged))}")
    return Facts(**manifest)


def _compute_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, in hex, by its path in the folder."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            digests[path.relative_to(folder).as_posix()] = digest
    return digests
