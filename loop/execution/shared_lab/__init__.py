"""One laboratory for several campaigns: who owns the instruments, and who gets which station when."""
