from identity_service.clients.jobs import delete_expired_assertions, delete_expired_proposals
from identity_service.persons.jobs import delete_expired_guesses
from identity_service.tokens.jobs import delete_expired_keys
from shared.runtime.timers import Timer, pass_now

TIMERS = (
    Timer(600, pass_now(delete_expired_assertions)),
    Timer(600, pass_now(delete_expired_proposals)),
    Timer(600, pass_now(delete_expired_keys)),
    Timer(600, pass_now(delete_expired_guesses)),
)
