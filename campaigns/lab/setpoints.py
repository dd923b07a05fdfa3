"""What a recipe may set of a plain device: which part is moved, within which limits, and when it has arrived."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from campaigns.config import Config, OwnRange, Seconds, Unit, own_difference_schema
from campaigns.units import convert_difference, split_quantity


def _own_difference(value: Any, info: ValidationInfo) -> float:
    """Return a difference in the unit that stands beside it: 0.5 K of a temperature in degC are 0.5."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"got {value!r}; allowed: a number, or text with a unit")  # noqa: TRY004 - pydantic reports it
    if not isinstance(value, str):
        return float(value)
    number, given = split_quantity(value)
    unit = info.data.get("unit")
    if not given:
        return number
    if unit is None:
        raise ValueError(f"got {value!r}, and no unit to convert it to; add unit, or write a number")
    return convert_difference(number, given, unit)


def _not_without_unit(value: Any, info: ValidationInfo) -> Any:
    """Refuse limits in a unit of their own where there is none to convert them to: the device may have another."""
    texts = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    named = [one for one in texts if isinstance(one, str) and not re.fullmatch(r"[-+\d.eE,;\s\[\]()to]*", one)]
    if named and info.data.get("unit", "") is None:
        raise ValueError(f"got {named[0]!r}, and no unit to convert it to; add unit, or write numbers")
    return value


def _ordered(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    if limits is not None and limits[0] >= limits[1]:
        raise ValueError(f"got {limits[0]:g} to {limits[1]:g}; allowed: from the lowest to the highest value")
    return limits


Difference = Annotated[float, BeforeValidator(_own_difference), Field(gt=0), own_difference_schema()]
"""A difference in the unit that stands beside it (declared before it), or text with a unit of its own."""
Part = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
"""A part of a device, such as heater.setpoint."""


TAKEN_NAMES = frozenset(
    """
    add_instantiation_callback answers_later attempt attr_name begun binding check_ready check_units check_value
    clear_sub clock close collect complete component_names configuration_attrs configure connected connection_timeout
    control_layer_log defaults describe describe_collect describe_configuration destroy documents dotted_name
    event_types filled get get_device_tuple get_instantiated_signals halt has_finished has_job hints interlocks is_at
    is_unattended job_duration kickoff kind lazy_wait_for_connection limits log material message name never_began
    numbered_places of on_mistake own own_settings parent pause place place_count position prefix prepare progress put
    read read_attrs read_configuration readbacks remember_in remembers_jobs report resume root sample set set_defaults
    settings signal_names silence stage stage_sigs start state step stop subscribe subscriptions summary texts token
    told trigger trigger_signals unit_of unstage unsubscribe unsubscribe_all verify wait_for_connection walk_components
    walk_signals walk_subdevice_classes walk_subdevices with_defaults
    """.split()  # noqa: SIM905 - a hundred lines as a list
)
"""Names that an instrument has itself, of ophyd, of Bluesky or of its jobs: no setpoint can be called so."""


class SetpointConfig(Config):
    """What a recipe sets of a plain device. What the device states itself may be left out."""

    unit: Unit | None = None
    """Unit of the value, if the device states none; 1 for a number without dimension."""
    limits: Annotated[OwnRange | None, BeforeValidator(_not_without_unit), AfterValidator(_ordered)] = None
    """Lowest and highest value, both allowed. Where the device states limits too, both hold."""
    choices: tuple[str, ...] = ()
    """Texts that are allowed, of a setting that is text."""
    signal: Part | None = None
    """What is moved: one of devices, or a part of it (stage.x). By default, the device or the part with the setpoint's
    name, else the one device itself."""
    readback: Part | None = None
    """What tells where it has arrived, if that is another part; it is waited for within timeout."""
    tolerance: Difference | None = None
    """How far the readback may be off; by default a thousandth of the range between the limits."""
    dwell: Seconds | None = None
    """How long the readback must stay within the tolerance."""
    timeout: Seconds | None = None
    """Longest time that the move may take; by default, that of the step."""

    @model_validator(mode="after")
    def _number_or_text(self) -> SetpointConfig:
        numeric = [key for key in ("unit", "limits", "tolerance", "dwell") if getattr(self, key) is not None]
        if self.choices and numeric:
            raise ValueError(f"choices are of a text, and {numeric[0]} is of a number; remove one of them")
        return self
