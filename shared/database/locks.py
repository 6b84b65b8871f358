"""The numbers of all advisory locks of PostgreSQL, in one table for all services.

A number is locked within one database, and each service has its own, so the locks of different
services never meet.
"""

from typing import Final

# Infrastructure, in each database.
RELAY: Final = 7_001
MIGRATION: Final = 7_002
# gateway
LEDGER_CHAIN: Final = 7_004
# dossier_service
CATALOGUE_PUBLISHING: Final = 7_101
# identity_service
SIGNING_KEY_ROTATION: Final = 7_101
PEOPLE_LOAD: Final = 7_102
CLIENT_ACTS: Final = 7_103
# sync_service, with the number of a stripe as the second key
NATIONAL_STRIPE: Final = 7_101
