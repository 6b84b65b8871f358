"""The gateway's own routes."""

from gateway.access import routes as keys
from gateway.api_docs import routes as docs
from gateway.ledger import routes as ledger
from gateway.purposes import routes as legal_bases

ROUTERS = (ledger.router, legal_bases.router, keys.router, docs.router)

__all__ = ["ROUTERS"]
