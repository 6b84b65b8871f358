"""List the operations of the ledger, which the gateway dispatches in its own process."""

from gateway.operations.model import Service, read

LEDGER_OPERATIONS = (
    read("/ledger/v1/records", Service.GATEWAY, personal=True),
    read("/ledger/v1/records/{record_id}", Service.GATEWAY, personal=True),
    read("/ledger/v1/records/{record_id}/proof", Service.GATEWAY, personal=True),
    read("/ledger/v1/seals", Service.GATEWAY),
)
