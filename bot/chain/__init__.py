"""Talking to nodes: endpoints, requests, and a head feed that never skips a head.

Everything that comes from a node passes `bot.chain.codec`, so what leaves this layer is typed and
checked. Errors and log lines name an endpoint by its label alone: an URL may hold a key.
"""
