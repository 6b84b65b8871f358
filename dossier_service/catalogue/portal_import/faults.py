"""The kinds of fault that the import of a published procedure flags."""

from enum import StrEnum


class TextFault(StrEnum):
    """A part of a published procedure that could not be taken over as it stands.

    A fault names either text that can be read in two ways or text that the source holds cut off.
    """

    OWNER_WITHOUT_CODE = "owner_without_code"
    SUBJECTS_MENDED = "subjects_mended"
    NO_CHANNELS = "no_channels"
    CHANNEL_TEXT_CUT = "channel_text_cut"
    DURATION_NOT_STATED = "duration_not_stated"
    DURATION_WITHOUT_UNIT = "duration_without_unit"
    DURATION_RUNS_INTO_FEE = "duration_runs_into_fee"
    DURATION_UNCLEAR = "duration_unclear"
    DURATION_DIFFERS_BY_CASE = "duration_differs_by_case"
    # the explanation of a channel names times beside the term
    TERM_IN_DESCRIPTION = "term_in_description"
    FEE_NOT_STATED = "fee_not_stated"
    FEE_UNCLEAR = "fee_unclear"
    FEE_IN_FOREIGN_CURRENCY = "fee_in_foreign_currency"
    FREE_ONLY_IN_PART = "free_only_in_part"
    FEE_DIFFERS_BY_CASE = "fee_differs_by_case"
    # the explanation of a channel names amounts other than the fee
    AMOUNT_IN_DESCRIPTION = "amount_in_description"
    PAPERS_UNREADABLE = "papers_unreadable"
    PAPERS_CUT = "papers_cut"
    PAPER_WITHOUT_COUNT = "paper_without_count"
    PAPER_END_UNCLEAR = "paper_end_unclear"
    # the digits before "bản chính" belong in part to the name: the last digit was taken
    COUNT_RUNS_INTO_NUMBER = "count_runs_into_number"
    # the count may be one digit or two: it was left unread
    COUNT_UNCLEAR = "count_unclear"
    # the name of a paper states a number of its own, which may differ from the count
    COUNT_WITHIN_PAPER = "count_within_paper"
    RESULT_CODE_MALFORMED = "result_code_malformed"
    # the codes in the text of the results are not those of the list
    RESULT_CODES_DIFFER = "result_codes_differ"
    RESULTS_CUT = "results_cut"
    CONDITIONS_CUT = "conditions_cut"
