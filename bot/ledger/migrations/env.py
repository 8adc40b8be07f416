"""Run by alembic for each command: applies revisions on the connection it was handed, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
