from simulators.instrument_reference import PAGE, instruments_page


def test_the_committed_page_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == instruments_page(), "run: python -m simulators.instrument_reference"


def test_settings_and_readings_stand_there_with_units_limits_and_defaults() -> None:
    page = instruments_page()
    assert "| `ramp_rate` | degC/min | 0.5 to 20 | 5.0 |" in page
    assert "| `atmosphere` | none | air, oxygen, argon | air |" in page
    assert "`peak_temperature`" in page
    assert "`{kind: simulated, experiment: simulators.flow_synthesis:reactor}`" in page
