"""What people and systems do with identities: one function each, in the words they use."""
