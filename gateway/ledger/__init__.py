"""The access ledger: who read or wrote whose data, provable to anybody with the public key."""
