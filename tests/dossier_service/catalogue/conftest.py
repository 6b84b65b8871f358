import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: dict[str, Any] | str, name: str = "procedures.jsonl") -> Path:
        texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
        path = tmp_path / name
        path.write_bytes("\n".join(texts).encode())
        return path

    return write
