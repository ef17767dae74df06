# SPDX-License-Identifier: MIT
"""Checks answers against the OpenAPI document that the gateway serves."""

import re
from typing import Any

import requests
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


class Contract:
    """The OpenAPI document, and whether an answer is what it promises."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        resource = Resource(contents=document, specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("urn:openapi", resource)
        # Literal paths before templates: /adapters/{name} must not take what /adapters/x/status is documented as.
        self._templates = sorted(document["paths"], key=lambda template: template.count("{"))

    @classmethod
    def of(cls, url: str) -> "Contract":
        answer = requests.get(f"{url}/openapi.json", timeout=10)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].split(";")[0] in ("application/json", "application/openapi+json")
        return cls(answer.json())

    def template(self, path: str) -> str | None:
        """The documented path that `path` is an instance of."""
        for template in self._templates:
            pattern = "".join(
                "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", template)
            )
            if re.fullmatch(pattern, path):
                return template
        return None

    def check(self, method: str, path: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Fails unless the answer's status, content type, headers and body are documented for this operation."""
        where = f"{method} {path} → {status}"
        template = self.template(path)
        assert template, f"{where}: the path is not in the OpenAPI document"
        operation = self.document["paths"][template].get(method.lower())
        assert operation, f"{where}: {method} is not documented for {template}"
        responses = operation["responses"]
        response = responses.get(str(status)) or responses.get(f"{status // 100}XX") or responses.get("default")
        assert response, f"{where}: the status is not documented, only {sorted(responses)}: {body[:500]!r}"
        response = self._resolved(response)
        for name, header in response.get("headers", {}).items():
            header = self._resolved(header)
            if header.get("required"):
                assert name.lower() in {key.lower() for key in headers}, f"{where}: the header {name} is missing"
        content = response.get("content")
        if not content:
            assert not body, f"{where}: a body where none is documented: {body[:200]!r}"
            return
        media = {key.lower(): value for key, value in headers.items()}.get("content-type", "")
        kind = media.split(";")[0].strip().lower()
        assert kind in content, f"{where}: the content type is {media!r}, not one of {sorted(content)}"
        if kind.endswith("json") and "schema" in content[kind]:
            import json

            self.validate(json.loads(body), content[kind]["schema"], where)

    def validate(self, value: Any, schema: dict[str, Any], where: str) -> None:
        validator = Draft202012Validator(
            self._absolute(schema), registry=self._registry, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        faults = [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(value)]
        assert not faults, f"{where}: the body breaks its schema: {faults}: {value}"

    def _resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            found: Any = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            value = found
        return value

    def _absolute(self, schema: Any) -> Any:
        """The schema with its references into the document made absolute."""
        if isinstance(schema, dict):
            return {
                key: f"urn:openapi{value}" if key == "$ref" and value.startswith("#") else self._absolute(value)
                for key, value in schema.items()
            }
        if isinstance(schema, list):
            return [self._absolute(item) for item in schema]
        return schema
