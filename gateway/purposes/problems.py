"""Define the expected errors of the explanation of a call; each states the correction."""

from collections.abc import Sequence
from http import HTTPStatus

from shared.texts.translatable import Translatable
from shared.web.problems import Problem


class PurposeMissing(Problem):
    """A call that touches personal data lacks its purpose or its officer."""

    status = HTTPStatus.BAD_REQUEST
    title = "The purpose or the officer is missing"
    type = "/problems/purpose-missing"
    advice = (
        "Send X-Purpose, the code of a procedure or of a legal basis, and X-Officer, the officer's "
        "code."
    )

    def __init__(self, headers: Sequence[str]) -> None:
        named = (
            Translatable("{first} and {second}", first=headers[0], second=headers[1])
            if len(headers) > 1
            else headers[0]
        )
        super().__init__(
            Translatable(
                "This operation touches personal data: send {headers}. X-Purpose is a procedure "
                "code or a legal basis, X-Officer the officer's code.",
                headers=named,
            ),
            headers=list(headers),
        )


class PurposeUnknown(Problem):
    """The purpose has no meaning now.

    The problem does not repeat the value, because a text that is no code may name a person.
    """

    status = HTTPStatus.FORBIDDEN
    title = "The purpose is neither an active procedure nor a legal basis in force"
    type = "/problems/purpose-unknown"
    advice = (
        "Send as X-Purpose the code of an active procedure, national or localised "
        "(GET /dossier/v1/procedures), or of a legal basis in force "
        "(GET /.well-known/legal-bases.json). A localised code names an agency of the mesh. The "
        "code of a procedure that has ended is valid only where the path names a dossier, and for "
        "a verification with X-Dossier."
    )
