import instruments  # noqa: F401  it tells ophyd which control layer to use, before a simulator imports ophyd
