"""One file for each kind of ophyd device."""
