"""The gateway's own routes."""

from gateway.routes import docs, keys, ledger, legal_bases

ROUTERS = (ledger.router, legal_bases.router, keys.router, docs.router)

__all__ = ["ROUTERS"]
