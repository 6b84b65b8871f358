"""Changes of a dossier: it is moved, passed on, paid for, and given its result."""
