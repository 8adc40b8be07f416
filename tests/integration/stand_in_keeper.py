"""A keeper of few lines for tests of the replay: it acknowledges every head and, if told to, liquidates.

It shares nothing with the daemon. It is started as a process of its own, as the daemon is.
"""

import argparse
import json
import socket
import sys
import time
from pathlib import Path

from eth_utils.crypto import keccak

from bot.protocols.decoding import decode
from bot.protocols.sluice.calls import pool_path, route_data
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.sim.abi import call_data
from bot.sim.rpc import LocalRpc
from bot.sim.sender import Transaction, call_request, to_bytes

UNLIMITED = 2**256 - 1
BORROWED = "0x" + keccak(text="Borrowed(address,uint8,address,uint256,uint256)").hex()
PACE_S = 0.002
GAS = 2_000_000
GAS_PRICE = 200 * 10**9


class Liquidator:
    """Kicks what is unhealthy and sells as much as it may through the venue, one account after the other."""

    def __init__(self, rpc: LocalRpc, manifest: Manifest, address: str) -> None:
        self.rpc, self.manifest, self.address = rpc, manifest, address
        rpc.call("anvil_impersonateAccount", address)
        logs = rpc.call("eth_getLogs", {"fromBlock": "0x0", "topics": [BORROWED]})
        self.accounts = sorted({"0x" + log["topics"][1][26:] for log in logs})

    def act(self) -> int:
        house = self.manifest.clearing_house
        health = [call_request(house, call_data("healthFactor(address)", a)) for a in self.accounts]
        unhealthy = [
            account
            for account, value in zip(self.accounts, self.rpc.batch(health), strict=True)
            if int(value, 16) < 10**18
        ]
        nonce = int(self.rpc.call("eth_getTransactionCount", self.address, "pending"), 16)
        for sent, account in enumerate(unhealthy):
            method, params = self.action(account).request(nonce + sent, GAS_PRICE)
            self.rpc.call(method, *params)
        return len(unhealthy)

    def action(self, account: str) -> Transaction:
        method, params = call_request(
            self.manifest.clearing_house, call_data("accountInfo(address)", account)
        )
        info = to_bytes(self.rpc.call(method, *params))
        collaterals, debts, _, flagged, _ = decode(["uint64", "uint64", "uint32", "bool", "uint40"], info)
        held, owed = ([i for i in range(8) if bits >> i & 1] for bits in (collaterals, debts))
        engine = self.manifest.liquidation_engine
        if not flagged:
            return Transaction(self.address, engine, call_data("kick(address,uint8[])", account, held), GAS)
        data = call_data(
            "swap(address,uint8,uint8,uint256,uint256,address,bytes)",
            account,
            held[0],
            owed[-1],
            UNLIMITED,
            0,
            self.manifest.uniswap_v3_venue,
            route_data((10_000, self.path(held[0], owed[-1]))),
        )
        return Transaction(self.address, engine, data, GAS)

    def path(self, sold: int, bought: int) -> bytes:
        tokens = [self.manifest.assets[asset_id].token for asset_id in (sold, bought)]
        return pool_path(tokens[0], 500, tokens[1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--acknowledge-to", required=True)
    parser.add_argument("--liquidate", action="store_true")
    parser.add_argument("--die-after", type=int, default=None)
    parser.add_argument("--silent-after", type=int, default=None)
    options = parser.parse_args()
    rpc = LocalRpc("127.0.0.1", options.port)
    host, port = options.acknowledge_to.split(":")
    liquidator = Liquidator(rpc, load_manifest(options.manifest), options.address)
    seen, heads = -1, 0
    with socket.create_connection((host, int(port))) as connection:
        while True:
            block = rpc.call("eth_getBlockByNumber", "latest", False)
            number = int(block["number"], 16)
            if number == seen:
                time.sleep(PACE_S)
                continue
            seen, heads = number, heads + 1
            if options.die_after is not None and heads > options.die_after:
                sys.stderr.write("the stand-in gives up\n")
                sys.exit(3)
            sent = liquidator.act() if options.liquidate else 0
            if options.silent_after is None or heads <= options.silent_after:
                line = {"block": number, "hash": block["hash"], "sent": sent}
                connection.sendall(json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
