"""A liquidation bot on Silverback, over Sluice's book: one side of ``python -m benchmarks.keeper``.

Runs under Silverback's own interpreter, by ``silverback run bot``. Settings come as JSON in the variable
``PEER_SETTINGS``; "done N" is said once it is done with block N. Contracts, multicall, fees and signatures
are ape's, as Silverback's users have them; the book is in numpy, and what is sent is not waited for.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from ape import Contract, chain
from ape_accounts import import_account_from_private_key
from ape_ethereum.multicall import Call
from eth_utils import keccak, to_checksum_address
from silverback import SilverbackBot

SETTINGS = json.loads(os.environ["PEER_SETTINGS"])
CACHED = SETTINGS["form"] == "cached"
COLLATERAL, DEBT = SETTINGS["collateral_id"], SETTINGS["debt_id"]
PASSPHRASE = "of a development key"
VIRTUAL_ASSETS, VIRTUAL_SHARES = 1, 10**6
BPS = 10_000
KICK = {
    "type": "function",
    "name": "kick",
    "stateMutability": "nonpayable",
    "inputs": [{"name": "account", "type": "address"}, {"name": "collateralIds", "type": "uint8[]"}],
    "outputs": [{"name": "kicked", "type": "bool"}],
}
ROUND = {
    "type": "function",
    "name": "latestRoundData",
    "stateMutability": "view",
    "inputs": [],
    "outputs": [
        {"name": name, "type": kind}
        for name, kind in (
            ("roundId", "uint80"),
            ("answer", "int256"),
            ("startedAt", "uint256"),
            ("updatedAt", "uint256"),
            ("answeredInRound", "uint80"),
        )
    ],
}

bot = SilverbackBot()
house = Contract(SETTINGS["house"], abi=json.loads(Path(SETTINGS["house_abi"]).read_text()))
engine = Contract(SETTINGS["engine"], abi=[KICK])
feeds = [Contract(SETTINGS[name], abi=[ROUND]) for name in ("collateral_feed", "debt_feed")]
keeper = import_account_from_private_key("keeper", PASSPHRASE, SETTINGS["key"])
keeper.set_autosign(True, passphrase=PASSPHRASE)


def topic(signature: str) -> str:
    """Return the topic of an event."""
    return "0x" + keccak(text=signature).hex()


DEPOSITED = topic("CollateralDeposited(address,uint8,address,uint256)")
FLAG_SET = topic("FlagSet(address,uint32,bool)")
CHANGES = {
    DEPOSITED: (1, None),
    topic("CollateralWithdrawn(address,uint8,address,uint256)"): (-1, None),
    topic("CollateralForfeited(address,uint8,uint256)"): (-1, None),
    topic("Borrowed(address,uint8,address,uint256,uint256)"): (None, 1),
    topic("Repaid(address,uint8,address,uint256,uint256,uint256)"): (None, -1),
    topic("DebtWrittenOff(address,uint8,uint256,uint256)"): (None, -1),
    topic("Netted(address,uint8,uint256,uint256,uint256)"): (-1, -1),
}
"""What an event does to collateral, which is its first word, and to debt, its second."""


def request(method: str, *parameters: object) -> object:
    """Ask the node."""
    return chain.provider.make_request(method, list(parameters))


def words(data: str) -> list[int]:
    """Return the words of an event's data."""
    return [int(data[start : start + 64], 16) for start in range(2, len(data), 64)]


class Book:
    """Accounts in columns, as floats: whole units are small enough to be told apart from a fall."""

    def __init__(self) -> None:
        wanted = {
            "address": SETTINGS["house"],
            "fromBlock": "0x0",
            "toBlock": "latest",
            "topics": [DEPOSITED],
        }
        logs = request("eth_getLogs", wanted)
        accounts = dict.fromkeys("0x" + log["topics"][1][26:] for log in logs)
        self.accounts = [to_checksum_address(account) for account in accounts]
        self.rows = {account.lower(): row for row, account in enumerate(self.accounts)}
        self.collateral = np.zeros(len(self.accounts))
        self.shares = np.zeros(len(self.accounts))
        self.flagged = np.zeros(len(self.accounts), bool)

    def reread(self) -> None:
        """Read every position by multicall."""
        size = SETTINGS["batch_calls"] // 2
        for start in range(0, len(self.accounts), size):
            part, call = self.accounts[start : start + size], Call()
            for account in part:
                call.add(house.balanceOf, account, COLLATERAL)
                call.add(house.balanceOf, account, DEBT)
            answers = list(call())
            rows = slice(start, start + len(part))
            self.collateral[rows] = [float(answer[0]) for answer in answers[::2]]
            self.shares[rows] = [float(answer[1]) for answer in answers[1::2]]

    def follow(self, block_hash: str) -> None:
        """Follow the logs of a block."""
        for log in request("eth_getLogs", {"address": SETTINGS["house"], "blockHash": block_hash}):
            name = log["topics"][0]
            if name != FLAG_SET and name not in CHANGES:
                continue
            row = self.rows["0x" + log["topics"][1][26:]]
            values = words(log["data"])
            if name == FLAG_SET:
                self.flagged[row] = bool(values[1])
                continue
            asset = int(log["topics"][2], 16)
            collateral, debt = CHANGES[name]
            if collateral is not None and asset == COLLATERAL:
                self.collateral[row] += collateral * values[0]
            if debt is not None and asset == DEBT:
                self.shares[row] += debt * values[1]

    def fallen(self) -> list[str]:
        """Return the accounts that are unhealthy at the prices of now, and not kicked yet."""
        call = Call()
        call.add(house.market, DEBT)
        for feed in feeds:
            call.add(feed.latestRoundData)
        market, collateral, debt = call()
        assets, shares = market.totalBorrowAssets + VIRTUAL_ASSETS, market.totalBorrowShares + VIRTUAL_SHARES
        unit_in = 10 ** SETTINGS["collateral_decimals"]
        unit_out = 10 ** SETTINGS["debt_decimals"]
        held = self.collateral * (collateral.answer / unit_in * SETTINGS["threshold_bps"] / BPS)
        owed = self.shares * (assets / shares * debt.answer / unit_out)
        return [self.accounts[row] for row in np.flatnonzero((held < owed) & ~self.flagged)]


book = Book()
book.reread()


@bot.on_(chain.blocks)
def on_block(block) -> None:
    """Do what a block calls for."""
    if CACHED:
        book.follow("0x" + bytes(block.hash).hex())
    else:
        book.reread()
    fallen = book.fallen()
    nonce = keeper.nonce if fallen else 0
    for position, account in enumerate(fallen):
        wanted = engine.kick.as_transaction(account, [COLLATERAL], sender=keeper, nonce=nonce + position)
        signed = keeper.sign_transaction(wanted)
        request("eth_sendRawTransaction", "0x" + bytes(signed.serialize_transaction()).hex())
    sys.stdout.write(f"done {block.number}\n")
    sys.stdout.flush()
