"""Durable memory in SQLite: heads acted on, decisions with their reasons, transactions to the receipt."""
