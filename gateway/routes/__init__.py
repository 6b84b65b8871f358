"""The gateway's own routes."""

from gateway.ledger import routes as ledger
from gateway.routes import docs, keys, legal_bases

ROUTERS = (ledger.router, legal_bases.router, keys.router, docs.router)

__all__ = ["ROUTERS"]
