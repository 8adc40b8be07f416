"""Choice: a frozen snapshot in, decisions out; no clock, no chance, no I/O."""
