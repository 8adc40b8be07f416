"""The databases that these tests run on."""

from tests.support.ledgers import backend, execute, path, place, postgres_server, url

__all__ = ["backend", "execute", "path", "place", "postgres_server", "url"]
