"""Random laboratories, campaigns, faults and operators; every setpoint that arrives is judged by an account of its own.

``python -m benchmarks.safety`` drives the devices alone (``devices``), and whole campaigns (``campaigns``).
"""
