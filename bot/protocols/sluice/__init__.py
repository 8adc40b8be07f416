"""Sluice's own contracts: a book kept from logs alone, and the calls that carry decisions out."""
