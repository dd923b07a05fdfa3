"""The campaign file's JSON schema, for editors, and its reference page, both made from the types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from campaigns.campaign import Campaign
from campaigns.lab.by_hand import BY_HAND_WITHOUT

SCHEMA_FILE = Path(__file__).with_name("schema.json")
"""The committed schema, which editors complete from."""

_INTRODUCTION = """\
# The campaign file

Every key of a campaign file. This page is made from the types in `campaigns/` (`python -m campaigns.schema`); unknown
keys are errors, and `athanor validate FILE` shows every error at once. *Quantity* is a number in the unit that is
meant, or text with a unit of its own, such as `1173 K`; it is converted, and refused where the dimension differs. What
a `recipe` may set, and what is read: [the simulated instruments](instruments.md).
"""


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a campaign file (draft 2020-12)."""
    schema = Campaign.model_json_schema()
    needed = [key for key in schema["required"] if key not in BY_HAND_WITHOUT]
    together = {key: [one for one in schema["required"] if one in BY_HAND_WITHOUT] for key in BY_HAND_WITHOUT}
    changes = {"required": needed, "dependentRequired": together, "title": "Athanor campaign"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **changes}


def schema_text() -> str:
    """Return the JSON schema as text."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def reference_text() -> str:
    """Return the reference page of the campaign file in Markdown."""
    schema = json_schema()
    sections = [_section("Campaign", schema)]
    sections += [_section(name.removesuffix("Config"), part) for name, part in schema["$defs"].items()]
    return "\n".join([_INTRODUCTION, *sections])


def _section(title: str, part: Mapping[str, Any]) -> str:
    rows = "\n".join(_rows(part))
    description = " ".join(str(part.get("description", "")).split())
    return f"## {title}\n\n{description}\n\n| key | type | default | meaning |\n|---|---|---|---|\n{rows}\n"


def _rows(part: Mapping[str, Any]) -> Iterator[str]:
    required = part.get("required", [])
    for key, value in part["properties"].items():
        default = "required" if key in required else f"`{json.dumps(value.get('default'), ensure_ascii=False)}`"
        default = "by hand" if key in part.get("dependentRequired", ()) else default
        meaning = " ".join(value.get("description", "Which of the forms this is.").split())
        yield f"| `{key}` | {_type(value)} | {default} | {meaning} |"


def _type(value: Mapping[str, Any]) -> str:
    text = _form(value)
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return text + "".join(f" {sign} {value[key]:g}" for key, sign in limits.items() if key in value)


def _form(value: Mapping[str, Any]) -> str:
    match value:
        case {"$ref": ref}:
            name = ref.rsplit("/", 1)[-1].removesuffix("Config")
            return f"[{name}](#{name.lower()})"
        case {"const": constant}:
            return f"`{constant}`"
        case {"enum": options}:
            return ", ".join(f"`{option}`" for option in options)
        case {"oneOf": options}:
            return " or ".join(_form(option) for option in options)
        case {"x-unit": unit}:
            return f"quantity in {unit}"
        case {"anyOf": options}:
            return " or ".join(_form(option) for option in options if option.get("type") != "null")
        case {"items": item}:
            return f"list of {_form(item)}"
        case {"patternProperties": patterns}:
            return "name: " + " or ".join(_form(item) for item in patterns.values())
        case {"type": kind}:
            return {"string": "text", "integer": "whole number"}.get(kind, kind)
    return "anything"


def main() -> None:
    """Write the committed schema and the reference page."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    page = SCHEMA_FILE.parent.parent / "docs" / "reference.md"
    page.write_text(reference_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
