"""``sluice chaos``: a node with faults, to try a keeper on before its operator trusts it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from bot.chain.endpoint import Endpoint
from bot.cli.boundary import run
from bot.errors import ConfigValueError, EndpointInvalidError
from bot.ops.logs import configure_logs
from bot.ops.signals import run_until_signalled
from bot.sim.chaos.proxy import ChaosProxy
from bot.sim.chaos.script import load_script

app = typer.Typer(rich_markup_mode="rich", add_completion=False)

_MOST_PORTS = 2**16


@app.command()
def chaos(
    script: Annotated[Path, typer.Argument(help="TOML file: the phases and their faults.")],
    upstream: Annotated[
        str, typer.Option(help="The node, http or ws; the other of the two is expected at the same place.")
    ] = "http://127.0.0.1:8545",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:8547",
) -> None:
    """Serve a node through faults: lost and late answers, frozen heads, a wrong chain, refusals, garbage.

    Both HTTP and WebSocket are served on one port. Whom a fault strikes depends on the seed of the script
    alone. It runs until SIGTERM or Ctrl-C, and then says how often each fault struck.

    Example: [bold]sluice chaos docs/chaos.toml --upstream http://127.0.0.1:8545[/bold], and
    [bold]chain.endpoint = "ws://127.0.0.1:8547"[/bold] in sluice.toml.
    """
    node = _node(upstream)
    configure_logs("console", "info", [] if upstream.rstrip("/") == node.label else [upstream])
    host, port = _address(listen)
    proxy = ChaosProxy(load_script(script), node, host, port)
    run(run_until_signalled(_serve(proxy)))
    for kind, times in proxy.struck.most_common():
        typer.echo(f"{kind:<16}{times:>8}")


def _node(url: str) -> Endpoint:
    try:
        node = Endpoint.parse(url)
    except EndpointInvalidError as error:
        raise ConfigValueError([("--upstream", "", error.fault)]) from None
    if node.transport == "ipc":
        raise ConfigValueError([("--upstream", str(node), "must be http, https, ws or wss")])
    return node


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= _MOST_PORTS:
        raise ConfigValueError([("--listen", repr(text), "must read HOST:PORT")])
    return host.strip("[]"), int(port)


async def _serve(proxy: ChaosProxy) -> None:
    async with proxy:
        typer.echo(f"listening on port {proxy.port}", err=True)
        await asyncio.Event().wait()
