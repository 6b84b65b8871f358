from http import HTTPStatus

from shared.web.problems import Problem


class DossierNotFound(Problem):
    """No source has published or pushed it, or it lies outside the right."""

    status = HTTPStatus.NOT_FOUND
    title = "There is no such dossier for this caller"
    type = "/problems/dossier-not-found"
    advice = "Check the code; a dossier outside your right is treated as if it did not exist."
