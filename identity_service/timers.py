from identity_service.clients.repository import delete_expired_assertions, delete_expired_proposals
from identity_service.persons.guesses.counts import delete_expired_guesses
from identity_service.tokens.signing_keys import delete_expired_keys
from shared.runtime.timers import Timer

TIMERS = (
    Timer(600, delete_expired_assertions),
    Timer(600, delete_expired_proposals),
    Timer(600, delete_expired_keys),
    Timer(600, delete_expired_guesses),
)
