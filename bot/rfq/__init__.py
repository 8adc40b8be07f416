"""Requests for quotes: the protocol, the keeper's side that asks and verifies, and the reference dealer."""
