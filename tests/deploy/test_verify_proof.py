"""The checker of proofs says whether it had anything to check."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.ledger.chain.seals import prove_batch_record
from tests.gateway.ledger.chain.test_seals import KEY, SCRIPT, check_offline, make_chain


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "name two files"),
        (("bundle.json",), "name two files"),
        (("missing.json", "trusted.pem"), "missing.json cannot be read"),
        (("trusted.pem", "trusted.pem"), "trusted.pem is no proof bundle"),
        (("empty.json", "trusted.pem"), "empty.json is no proof bundle"),
        (("bundle.json", "bundle.json"), "bundle.json is no public key"),
        (("bundle.json", "missing.pem"), "missing.pem is no public key"),
    ],
)
def test_wrong_use_is_not_a_broken_proof(
    words: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    bundle = prove_batch_record(make_chain(2)[0], 1, KEY.public_key())
    assert check_offline(bundle, tmp_path).returncode == 0
    (tmp_path / "empty.json").write_text("{}")
    command = [sys.executable, "-I", str(SCRIPT), *words]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"NOT CHECKED: {reason}")
    assert ended.stderr.count("\n") == 1
