"""The one table from the name of a rule to its judge."""

from collections.abc import Mapping
from types import MappingProxyType

from deploy.conformance.judges import access, answers, changes, repeats
from deploy.conformance.judges.examination import Judge

JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        "token-reuse": access.judge_token_reuse,
        "token-renewal": access.judge_token_renewal,
        "no-numbers-in-addresses": access.judge_no_numbers_in_addresses,
        "purpose-and-officer": access.judge_purpose_and_officer,
        "idempotency-key": changes.judge_idempotency_key,
        "same-key-for-a-repeat": changes.judge_same_key_for_a_repeat,
        "new-key-for-a-new-act": changes.judge_new_key_for_a_new_act,
        "if-match": changes.judge_if_match,
        "read-again": changes.judge_read_again,
        "retry-after": repeats.judge_retry_after,
        "growing-pauses": repeats.judge_growing_pauses,
        "refusals-are-final": repeats.judge_refusals_are_final,
        "patience": repeats.judge_patience,
        "pages-by-next": answers.judge_pages_by_next,
        "unknown-members": answers.judge_unknown_members,
        "form-of-requests": access.judge_form_of_requests,
        "row-outcomes": answers.judge_row_outcomes,
        "row-order": answers.judge_row_order,
    }
)
