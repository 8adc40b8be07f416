"""Sluice: a keeper for gentle liquidations, and a laboratory that replays crashes."""
