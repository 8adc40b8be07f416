"""Landing transactions: simulate, sign, journal, broadcast, track, and reconcile after a crash."""
