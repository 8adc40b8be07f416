"""Durable memory in SQL: heads acted on, decisions with their reasons, transactions to the receipt."""
