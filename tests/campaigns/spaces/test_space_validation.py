from typing import Any

import pytest

from campaigns.errors import CampaignError
from campaigns.load import parse_campaign
from campaigns.spaces.space import SpaceConfig
from tests.campaigns.test_load import SMALL

FLOW = "flow: {kind: float, unit: ml/min, low: 1, high: 5, when: {gas: [argon]}, otherwise: 0}"
STEPS = [
    "n: {kind: integer, low: 0, high: 5}",
    "o: {kind: ordinal, unit: '1', levels: [1, 2, 4]}",
    "x: {kind: float, unit: '1', low: 0, high: 1}",
]
GAS = "gas: {kind: categorical, levels: [air, argon]}"


def problems(*parameters: str, **sections: str) -> list[tuple[str, str]]:
    """Return what is wrong in the space of the small campaign with other parameters and sections of the space."""
    lines = [
        "space:",
        "  parameters:",
        *(f"    {p}" for p in parameters),
        *(f"  {k}: {v}" for k, v in sections.items()),
    ]
    head, rest = SMALL.split("space:\n")[0], SMALL[SMALL.index("metrics:") :]
    with pytest.raises(CampaignError) as caught:
        parse_campaign(head + "\n".join(lines) + "\n" + rest, "small.yaml")
    return [
        (p.where, p.message)
        for p in caught.value.problems
        if p.where.startswith("space") and "no step" not in p.message
    ]


NUMBERS = [f"{n}: {{kind: float, unit: '1', low: 0, high: 1}}" for n in ("a", "b")]


@pytest.mark.parametrize(
    ("parameters", "sections", "where", "message"),
    [
        (NUMBERS, {"constraints": "[a + b == 3]"}, "constraints[0]", "broken everywhere between the bounds"),
        (NUMBERS, {"constraints": "[a + b == 1, a - b == 1, a <= 0.9]"}, "constraints", "no setting satisfies all"),
        (NUMBERS, {"constraints": "[a + c <= 1]"}, "constraints[0]", "names 'c'"),
        (NUMBERS, {"constraints": "[a * b == 1]"}, "constraints[0]", "an equality that is not linear"),
        (NUMBERS, {"constraints": "[__import__('os') <= a]"}, "constraints[0]", "where"),
        (NUMBERS, {"constraints": "[a.real * b <= 1]"}, "constraints[0]", "where 'a.real' is none of these"),
        (NUMBERS, {"constraints": "[a < 1]"}, "constraints[0]", "allowed: one comparison by <=, >= or =="),
        ([GAS, FLOW], {"constraints": "[flow <= 2]"}, "constraints[0]", "which does not always apply"),
        ([GAS, FLOW.replace("gas:", "gass:")], {}, "parameters.flow.when.gass", "did you mean 'gas'"),
        ([GAS, FLOW.replace("argon", "neon")], {}, "parameters.flow.when.gas", "no level of gas; allowed: air, argon"),
        ([GAS, FLOW.replace("argon", "air, argon")], {}, "parameters.flow.when.gas", "every level of gas"),
        ([GAS.replace("}", ", when: {gas: [air]}}")], {}, "parameters.gas.when.gas", "depends on itself"),
        ([GAS.replace("}", ", otherwise: air}")], {}, "parameters.gas.otherwise", "always applies"),
        (NUMBERS, {"mixtures": "{m: {components: {a: {}, c: {}}}}"}, "mixtures.m.components.a", "'a' twice"),
        (NUMBERS, {"mixtures": "{m: {components: {c: {high: 0.3}, d: {high: 0.3}}}}"}, "mixtures.m", "the high bounds"),
        (NUMBERS, {"mixtures": "{m: {components: {c: {low: 0.6}, d: {low: 0.6}}}}"}, "mixtures.m", "the low bounds"),
        (NUMBERS, {"mixtures": "{m: {components: {c: {}, d: {}}, at_most: 3}}"}, "mixtures.m", "got at_most 3"),
        (NUMBERS, {"mixtures": "{m: {components: {c: {low: 1}, d: {}}}}"}, "mixtures.m", "low below high"),
        (NUMBERS, {"mixtures": "{m: {components: {c: {}}}}"}, "mixtures.m.components", "at least 2"),
        (
            NUMBERS,
            {"mixtures": "{m: {components: {c: {low: 0.4, high: 0.45}, d: {low: 0.6, high: 0.9}}, at_most: 2}}"},
            "",
            "",
        ),
        (
            NUMBERS,
            {"mixtures": "{m: {components: {c: {low: 0.7, high: 0.8}, d: {low: 0.7, high: 0.8}}, at_most: 2}}"},
            "mixtures",
            "no setting satisfies all of these together: the total and bounds of m",
        ),
        (STEPS, {"constraints": "[2 * n == 5]"}, "constraints", "together: 2 * n == 5; the steps of n"),
        (STEPS, {"constraints": "[o == 3]"}, "constraints", "together: o == 3; the steps of o"),
        (STEPS, {"constraints": "[o + x == 3.5]"}, "constraints", "together: o + x == 3.5; the steps of o"),
        (STEPS, {"constraints": "[o + n <= 3.8, o + n >= 3.2]"}, "constraints", "the steps of n; the steps of o"),
        (STEPS, {"constraints": "[o + x == 2.5, o + n == 7]"}, "", ""),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_at_its_place(
    parameters: list[str], sections: dict[str, str], where: str, message: str
) -> None:
    found = problems(*parameters, **sections)
    if not message:
        assert found == []
        return
    assert len(found) == 1
    assert found[0][0] == f"space.{where}"
    assert message in found[0][1]


def test_all_contradictions_are_told_at_once() -> None:
    found = problems(*NUMBERS, GAS, FLOW.replace("argon", "neon"), constraints="[a + b == 3, c <= 1]")
    assert [where for where, _ in found] == [
        "space.parameters.flow.when.gas",
        "space.constraints[0]",
        "space.constraints[1]",
    ]


def test_a_step_needs_to_know_what_to_do_where_a_parameter_does_not_apply() -> None:
    text = SMALL.replace("    time: {", f"    {GAS}\n    {FLOW.replace(', otherwise: 0', '')}\n    time: {{")
    text = text.replace("time: $time", "time: $time, gas: $gas, flow: $flow")
    with pytest.raises(CampaignError, match=r"recipe.flow: \$flow does not always apply; .*otherwise"):
        parse_campaign(text, "small.yaml")
    campaign = parse_campaign(text.replace("[argon]}", "[argon]}, otherwise: 60 ml/h"), "small.yaml")
    assert campaign.space.parameters["flow"].otherwise == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("descriptors", "message"),
    [
        ({"polarity": [1.0]}, "has 1 values; allowed: 2"),
        ({"polarity": [1.0, 1.0]}, "allowed: values that differ"),
    ],
)
def test_descriptors_tell_levels_apart(descriptors: dict[str, Any], message: str) -> None:
    solvent = {"kind": "categorical", "levels": ["water", "ethanol"], "descriptors": descriptors}
    with pytest.raises(ValueError, match=message):
        SpaceConfig.model_validate({"parameters": {"solvent": solvent}})


def test_a_changed_copy_forgets_what_followed_from_the_original() -> None:
    number = {"kind": "float", "unit": "1", "low": 0, "high": 1}
    space = SpaceConfig.model_validate({"parameters": {"a": number, "b": number}, "constraints": ["a + b == 1"]})
    assert not space.allows({"a": 0.5, "b": 0.4})
    assert space.model_copy(update={"constraints": ("a * b <= 0.2",)}).allows({"a": 0.5, "b": 0.4})
    assert space == SpaceConfig.model_validate(space.model_dump())
