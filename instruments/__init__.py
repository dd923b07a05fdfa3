import os

# ophyd picks its control layer when it is imported, and would start Channel Access threads for instruments without any.
os.environ.setdefault("OPHYD_CONTROL_LAYER", "dummy")
