"""The gateway's own routes."""

from gateway.routes import docs, keys, ledger

ROUTERS = (ledger.router, keys.router, docs.router)

__all__ = ["ROUTERS"]
