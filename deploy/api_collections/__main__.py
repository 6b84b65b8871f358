"""Write the collections to deploy/api_collections/: `python -m deploy.api_collections`."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.api_collections.bruno import build_bruno_files
from deploy.api_collections.postman import build_postman_collection
from deploy.api_collections.requests import read_requests

FOLDER = Path(__file__).parent
BRUNO, POSTMAN = "bruno", "postman.json"


def build_files() -> Mapping[str, str]:
    """Return the content of each file by its path below deploy/api_collections/."""
    requests = read_requests()
    postman = build_postman_collection(requests)
    files = build_bruno_files(requests)
    return {f"{BRUNO}/{path}": text for path, text in files.items()} | {
        POSTMAN: json.dumps(postman, ensure_ascii=False, indent=1) + "\n"
    }


def list_written_files() -> Mapping[str, str]:
    """Return the files that stand there, in the form of `build_files`."""
    paths = [FOLDER / POSTMAN, *filter(Path.is_file, (FOLDER / BRUNO).rglob("*"))]
    return {str(path.relative_to(FOLDER)): path.read_text(encoding="utf-8") for path in paths}


def write_files() -> None:
    shutil.rmtree(FOLDER / BRUNO, ignore_errors=True)
    for path, text in build_files().items():
        file = FOLDER / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_files()
