"""A command of ape on a network: a node that is not there is one line, and no traceback."""

from typing import Any

import click
from ape.cli import ConnectedProviderCommand
from ape.exceptions import ProviderError, SubprocessError


class NetworkCommand(ConnectedProviderCommand):
    """Connects to the network that is named, and then runs."""

    def invoke(self, ctx: click.Context) -> Any:
        """Connect and run.

        Raises
        ------
        ClickException
            If no node answers there.
        """
        try:
            return super().invoke(ctx)
        except (ProviderError, SubprocessError) as error:
            said = str(error).rstrip(".")
            raise click.ClickException(
                f"{said}; start a node (`make node`), or correct --network and what it needs"
            ) from None
