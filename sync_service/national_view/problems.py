from http import HTTPStatus

from shared.web.problems import Problem


class DossierNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such dossier in the national view"
    type = "/problems/dossier-not-found"
    advice = "Look at the code; what lies outside the right does not exist for it."
