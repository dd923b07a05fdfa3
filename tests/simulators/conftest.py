from tests.instruments.conftest import crew_of, no_leaks  # noqa: F401  the same labs
