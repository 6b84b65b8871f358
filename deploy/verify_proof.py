"""Check a proof bundle offline: python3 verify_proof.py bundle.json trusted-key.pem.

Needs Python's standard library and `openssl`, nothing of this project.
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

bundle = json.loads(pathlib.Path(sys.argv[1]).read_bytes())
with tempfile.TemporaryDirectory() as folder:
    header, signature = pathlib.Path(folder, "header"), pathlib.Path(folder, "signature")
    header.write_bytes(bundle["header"].encode())
    signature.write_bytes(base64.b64decode(bundle["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", sys.argv[2], "-rawin"]
    check = [*command, "-in", str(header), "-sigfile", str(signature)]
    if subprocess.run(check, stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit("BROKEN: the header does not carry the trusted key's signature")

sealed = json.loads(bundle["header"])
node = hashlib.sha256(b"\x00" + bundle["record"].encode()).digest()
index, last = bundle["index"], sealed["count"] - 1
for sibling in map(bytes.fromhex, bundle["path"]):
    while index % 2 == 0 and index == last and last:  # no sibling at this level: the node rises
        index, last = index // 2, last // 2
    pair = sibling + node if index % 2 else node + sibling
    node = hashlib.sha256(b"\x01" + pair).digest()
    index, last = index // 2, last // 2
if bundle["index"] not in range(sealed["count"]) or last or node.hex() != sealed["root"]:
    sys.exit("BROKEN: the record is not the one that was sealed at this place")
place = f"record {bundle['index'] + 1} of {sealed['count']} in batch {sealed['number']}"
print(f"PROVED: {place} of chain {sealed['chain']}, sealed at {sealed['at']}")
