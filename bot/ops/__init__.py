"""Running the daemon: logs without secrets, a clean stop, and word to whoever drives the chain."""
