"""Check a proof bundle offline: python3 verify_proof.py bundle.json trusted-key.pem.

Needs Python's standard library and `openssl`, nothing of this project. It ends with 0 where the
record is PROVED, with 1 where the proof is BROKEN, and with 2 where there was nothing to check.
"""

import base64
import hashlib
import json
import operator
import pathlib
import subprocess
import sys
import tempfile
from typing import NoReturn


def stop(reason: str) -> NoReturn:
    print(f"NOT CHECKED: {reason}", file=sys.stderr)
    sys.exit(2)


if len(sys.argv) != len(("script", "bundle", "key")):
    stop("name two files: python3 verify_proof.py bundle.json trusted-key.pem")
bundle_file, key_file = sys.argv[1:]
read_key = ["openssl", "pkey", "-pubin", "-in", key_file, "-noout"]
try:
    if subprocess.run(read_key, stderr=subprocess.DEVNULL, check=False).returncode:
        stop(f"{key_file} is no public key in PEM")
    bundle = json.loads(pathlib.Path(bundle_file).read_bytes())
    signed, signature = bundle["header"].encode(), base64.b64decode(bundle["signature"])
    record, index = bundle["record"].encode(), operator.index(bundle["index"])
    path = [bytes.fromhex(sibling) for sibling in bundle["path"]]
except OSError as error:
    stop(f"{error.filename} cannot be read, or is not installed: {error.strerror}")
except (AttributeError, LookupError, TypeError, ValueError):
    stop(f"{bundle_file} is no proof bundle: fetch /ledger/v1/records/(id)/proof again")

with tempfile.TemporaryDirectory() as folder:
    header_file, signature_file = pathlib.Path(folder, "head"), pathlib.Path(folder, "signature")
    header_file.write_bytes(signed)
    signature_file.write_bytes(signature)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key_file, "-rawin"]
    check = [*command, "-in", str(header_file), "-sigfile", str(signature_file)]
    if subprocess.run(check, stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit("BROKEN: the header does not carry the trusted key's signature")

sealed = json.loads(signed)
node = hashlib.sha256(b"\x00" + record).digest()
place, last = index, sealed["count"] - 1
for sibling in path:
    while place % 2 == 0 and place == last and last:  # no sibling at this level: the node rises
        place, last = place // 2, last // 2
    pair = sibling + node if place % 2 else node + sibling
    node = hashlib.sha256(b"\x01" + pair).digest()
    place, last = place // 2, last // 2
if index not in range(sealed["count"]) or last or node.hex() != sealed["root"]:
    sys.exit("BROKEN: the record is not the one that was sealed at this place")
found = f"record {index + 1} of {sealed['count']} in batch {sealed['number']}"
print(f"PROVED: {found} of chain {sealed['chain']}, sealed at {sealed['at']}")
