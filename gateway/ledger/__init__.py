"""Record each access to personal data; the public key proves the records."""
