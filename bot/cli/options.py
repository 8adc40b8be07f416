"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="TOML file with the settings; otherwise $SLUICE_CONFIG, otherwise ./sluice.toml if it is there.",
        show_default=False,
    ),
]
