"""An access record checked as an outsider would: the published key, the script, openssl."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SCRIPT = Path(__file__).parent.parent / "verify_proof.py"


def trusted_key(published: Mapping[str, Any]) -> bytes:
    """The ledger's newest public key as PEM, out of the published key set."""
    key = jwt.PyJWKSet.from_dict(dict(published)).keys[0].key
    pem: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def is_proved(bundle: Mapping[str, Any], key: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        kept, trusted = Path(folder, "bundle.json"), Path(folder, "trusted.pem")
        kept.write_text(json.dumps(bundle))
        trusted.write_bytes(key)
        command = [sys.executable, str(SCRIPT), str(kept), str(trusted)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
