"""The JSON Schema of a study file, so that editors complete and check it. Made from the types and from the parts there are."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.study import Study
from seatrial.flow._references import references

_SHORT: dict[tuple[str, str], dict[str, Any]] = {
    ("Data", "roles"): {"$ref": "#/$defs/Role"},
    ("Measure", "rounds"): {"type": "integer", "minimum": 1},
}
_REF = f"#/$defs/{PartRef.__name__}"


class _AsWritten(GenerateJsonSchema):
    """A schema of what people may write. A value that is made ready before it is checked may also be written short:
    one instead of a list, a word or a number with its unit instead of what it stands for."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        ready = self.generate_inner(schema["schema"])
        if PartRef.__name__ in ready.get("$ref", ""):
            return ready
        if ready.get("type") == "array":
            return {"anyOf": [ready["items"], ready]}
        return ready if ready.get("type") == "string" else {"anyOf": [ready, {"type": "string"}]}


def schema_json() -> dict[str, Any]:
    """JSON Schema (2020-12) of a study, with the names, options and descriptions of all parts that are there."""
    schema = Study.model_json_schema(schema_generator=_AsWritten)
    definitions = schema["$defs"]
    for kind in catalog.kinds():
        definitions[kind] = _parts_of(kind, definitions)
    for place in references():
        fields = (schema if place.owner == Study.__name__ else definitions[place.owner])["properties"]
        fields[place.field] = _pointed(fields[place.field], f"#/$defs/{place.kind}")
    for (owner, field), short in _SHORT.items():
        definitions[owner]["properties"][field]["anyOf"][1] = short
    definitions["Model"]["properties"]["forms"] |= _by_name("subjects", definitions)
    if "prefer" in _known("rules"):
        another = {"type": "object", "properties": {"rule": {"type": "string"}}, "required": ["rule"]}
        schema["properties"]["prefer"] = {"anyOf": [{"$ref": "#/$defs/rules.prefer"}, another]}
    definitions.pop(PartRef.__name__, None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _known(kind: str) -> dict[str, Any]:
    return catalog.parts(kind) if kind in catalog.kinds() else {}


def _parts_of(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A part of this kind: its name, its name with options, or the path of a local file."""
    choices: list[dict[str, Any]] = []
    for name, part in catalog.parts(kind).items():
        options = catalog.options_type(catalog.load(part)).model_json_schema(
            schema_generator=_AsWritten, ref_template=f"#/$defs/{kind}.{name}.{{model}}"
        )
        definitions |= {f"{kind}.{name}.{inner}": body for inner, body in options.pop("$defs", {}).items()}
        definitions[f"{kind}.{name}"] = options | {"description": part.description}
        if not options.get("required"):
            choices.append({"const": name, "description": part.description})
        choices.append(
            {
                "type": "object",
                "properties": {name: {"$ref": f"#/$defs/{kind}.{name}"}},
                "required": [name],
                "additionalProperties": False,
                "description": part.description,
            }
        )
    local = {"type": "string", "pattern": r"\.py$", "description": "a Python file of your own, by its path"}
    return {"anyOf": [*choices, local]}


def _by_name(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A block whose keys are the names of parts of this kind."""
    return {
        "properties": {name: {"$ref": f"#/$defs/{kind}.{name}"} for name in _known(kind)},
        "additionalProperties": False,
    }


def _pointed(tree: Any, target: str) -> Any:
    """The same schema with every reference to a part pointed at the parts of one kind."""
    if isinstance(tree, dict):
        return {
            key: target if key == "$ref" and value == _REF else _pointed(value, target) for key, value in tree.items()
        }
    return [_pointed(one, target) for one in tree] if isinstance(tree, list) else tree
