"""The OpenAPI document of a service: FastAPI's own, completed for its callers."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from shared.web.openapi.examples import OperationExample, add_examples
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

    def __init__(self, *, examples: Mapping[str, OperationExample], **settings: Any) -> None:
        """Create the application; `examples` are those of its operations by their id."""
        super().__init__(generate_unique_id_function=read_operation_id, **settings)
        self._examples = examples

    def openapi(self) -> Described:
        if not self.openapi_schema:
            document = refer_to_named_schemas(name_generic_schemas(super().openapi()))
            document = add_headers(add_links(add_problems(document)))
            self.openapi_schema = add_examples(document, self._examples)
        return self.openapi_schema
