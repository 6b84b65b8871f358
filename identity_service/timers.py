from identity_service.clients.repository import forget_ended_proposals, forget_used_assertions
from identity_service.persons.guesses.counts import forget_guesses
from identity_service.tokens.signing_keys import forget_ended_keys
from shared.runtime.timers import Timer

TIMERS = (
    Timer(600, forget_used_assertions),
    Timer(600, forget_ended_proposals),
    Timer(600, forget_ended_keys),
    Timer(600, forget_guesses),
)
