from pathlib import Path

from campaigns.schema import SCHEMA_FILE, json_schema, reference_text, schema_text


def test_the_committed_schema_is_that_of_the_types() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: python -m campaigns.schema"


def test_the_committed_reference_is_that_of_the_types() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference.md"
    assert page.read_text(encoding="utf-8") == reference_text(), "run: python -m campaigns.schema"


def test_every_key_is_described() -> None:
    schema = json_schema()
    for part in [schema, *schema["$defs"].values()]:
        for key, value in part["properties"].items():
            described = "description" in value or "$ref" in value or key in ("kind", "goal")
            assert described, (part["title"], key)


def test_unknown_keys_are_refused_by_editors_too() -> None:
    schema = json_schema()
    assert all(part["additionalProperties"] is False for part in [schema, *schema["$defs"].values()])
