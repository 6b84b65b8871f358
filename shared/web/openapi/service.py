"""The OpenAPI document of a service: FastAPI's own, completed for its callers."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI

from shared.web.openapi.examples import add_examples, read_examples
from shared.web.openapi.headers import add_headers
from shared.web.openapi.links import Described, add_links
from shared.web.openapi.names import (
    name_generic_schemas,
    read_operation_id,
    refer_to_named_schemas,
)
from shared.web.openapi.problems import add_problems


class DescribedService(FastAPI):
    """An application whose OpenAPI document contains problems, links, headers and examples."""

    def __init__(self, *, examples: Path | None, **settings: Any) -> None:
        """Create the application; `examples` is the file of its examples."""
        super().__init__(generate_unique_id_function=read_operation_id, **settings)
        self._examples = examples

    def openapi(self) -> Described:
        if not self.openapi_schema:
            document = refer_to_named_schemas(name_generic_schemas(super().openapi()))
            document = add_headers(add_links(add_problems(document)))
            if self._examples:
                document = add_examples(document, read_examples(self._examples))
            self.openapi_schema = document
        return self.openapi_schema
