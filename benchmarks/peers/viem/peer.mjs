// A liquidation bot of viem and Morpho's SDK, over Sluice's book: one side of `python -m benchmarks.keeper`.
//
// Takes its settings as JSON in the first argument, and says "done N" once it is done with block N. An account with
// one collateral and one debt is a position of Morpho Blue: shares count with the same virtual ones, and health is
// judged alike, so the SDK's own `Market` decides who is to be liquidated.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Market } from "@morpho-org/blue-sdk";
import {
  createPublicClient,
  decodeEventLog,
  defineChain,
  encodeFunctionData,
  getAddress,
  keccak256,
  parseAbi,
  webSocket,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

const settings = JSON.parse(process.argv[2]);
const cached = settings.form === "cached";
const house = { address: settings.house, abi: JSON.parse(readFileSync(settings.house_abi, "utf8")) };
const engineAbi = parseAbi(["function kick(address account, uint8[] collateralIds) returns (bool)"]);
const feedAbi = parseAbi(["function latestRoundData() view returns (uint80, int256, uint256, uint256, uint80)"]);
const account = privateKeyToAccount(settings.key);
const chain = defineChain({
  id: settings.chain_id,
  name: "local",
  nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
  rpcUrls: { default: { http: [settings.http], webSocket: [settings.ws] } },
  contracts: { multicall3: { address: settings.multicall } },
});
const transport = webSocket(settings.ws, { timeout: 120_000, retryCount: 0 });
const client = createPublicClient({ chain, transport, cacheTime: 0 });

/** Accounts by address: what they hold and owe. */
const book = new Map();
/** Accounts whose auction runs: they have been kicked. */
const flagged = new Set();

const signs = { CollateralDeposited: 1n, CollateralWithdrawn: -1n, CollateralForfeited: -1n, Netted: -1n };
const debtSigns = { Borrowed: 1n, Repaid: -1n, DebtWrittenOff: -1n, Netted: -1n };

function positionOf(user) {
  const key = getAddress(user);
  let position = book.get(key);
  if (position === undefined) {
    position = { user: key, collateral: 0n, borrowShares: 0n };
    book.set(key, position);
  }
  return position;
}

/** Follow one event of the house. */
function follow({ eventName, args }) {
  if (eventName === "FlagSet") {
    if (args.flagged) flagged.add(getAddress(args.account));
    else flagged.delete(getAddress(args.account));
    return;
  }
  if (eventName === "Settled") {
    const position = positionOf(args.account);
    if (args.collateralId === settings.collateral_id) position.collateral -= args.seized;
    if (args.debtId === settings.debt_id) position.borrowShares -= args.shares;
    return;
  }
  if (args?.account === undefined) return;
  if (eventName in signs && args.assetId === settings.collateral_id) {
    positionOf(args.account).collateral += signs[eventName] * args.amount;
  }
  if (eventName in debtSigns && args.assetId === settings.debt_id) {
    positionOf(args.account).borrowShares += debtSigns[eventName] * args.shares;
  }
}

const totals = [
  { ...house, functionName: "market", args: [settings.debt_id] },
  { address: settings.collateral_feed, abi: feedAbi, functionName: "latestRoundData" },
  { address: settings.debt_feed, abi: feedAbi, functionName: "latestRoundData" },
];

function read(contracts, blockNumber) {
  return client.multicall({ contracts, blockNumber, allowFailure: false, batchSize: settings.batch_bytes });
}

/** The market as Morpho's SDK sees it. */
function marketOf([market, [, collateral], [, debt]]) {
  const scale = 10n ** BigInt(36 + settings.debt_decimals - settings.collateral_decimals);
  return new Market({
    params: {
      loanToken: settings.debt_token,
      collateralToken: settings.collateral_token,
      oracle: settings.collateral_feed,
      irm: settings.collateral_feed,
      lltv: BigInt(settings.threshold_bps) * 10n ** 14n,
    },
    totalSupplyAssets: market.totalSupplyAssets,
    totalBorrowAssets: market.totalBorrowAssets,
    totalSupplyShares: market.totalSupplyShares,
    totalBorrowShares: market.totalBorrowShares,
    lastUpdate: BigInt(market.lastAccrual),
    fee: 0n,
    price: (collateral * scale) / debt,
  });
}

/** Read every position by multicall. */
async function reread(accounts, blockNumber) {
  const calls = accounts.flatMap((user) =>
    [settings.collateral_id, settings.debt_id].map((id) => ({ ...house, functionName: "balanceOf", args: [user, id] })),
  );
  const [market, ...rows] = await Promise.all([read(totals, blockNumber), read(calls, blockNumber)]).then(
    ([market, rows]) => [market, ...rows],
  );
  accounts.forEach((user, index) => {
    const position = positionOf(user);
    position.collateral = rows[2 * index][0];
    position.borrowShares = rows[2 * index + 1][1];
  });
  return marketOf(market);
}

/** Follow the logs of a block. */
async function followed(head) {
  const wanted = { address: settings.house, blockHash: head.hash };
  const [market, logs] = await Promise.all([
    read(totals, BigInt(head.number)),
    client.request({ method: "eth_getLogs", params: [wanted] }),
  ]);
  for (const log of logs) follow(decodeEventLog({ abi: house.abi, data: log.data, topics: log.topics }));
  return marketOf(market);
}

async function kick(users, head) {
  const nonce = await client.getTransactionCount({ address: account.address, blockTag: "pending" });
  const fees = { maxPriorityFeePerGas: 10n ** 9n, maxFeePerGas: 2n * BigInt(head.baseFeePerGas) + 10n ** 9n };
  const actions = users.map((user) => ({
    to: settings.engine,
    data: encodeFunctionData({ abi: engineAbi, functionName: "kick", args: [user, [settings.collateral_id]] }),
  }));
  const gas = await Promise.all(actions.map((action) => client.estimateGas({ ...action, account: account.address })));
  await Promise.all(
    actions.map(async (action, index) => {
      const fields = { ...action, ...fees, type: "eip1559", chainId: chain.id, nonce: nonce + index };
      const signed = await account.signTransaction({ ...fields, gas: (gas[index] * 12n) / 10n });
      return client.request({ method: "eth_sendRawTransaction", params: [signed] });
    }),
  );
}

async function onHead(head) {
  const market = cached ? await followed(head) : await reread(known, BigInt(head.number));
  const fallen = [];
  for (const position of book.values()) {
    if (position.borrowShares > 0n && !market.isHealthy(position) && !flagged.has(position.user)) {
      fallen.push(position.user);
    }
  }
  if (fallen.length > 0) await kick(fallen, head);
  process.stdout.write(`done ${BigInt(head.number)}\n`);
}

const deposits = await client.request({
  method: "eth_getLogs",
  params: [
    {
      address: settings.house,
      fromBlock: "0x0",
      toBlock: "latest",
      topics: [keccak256(new TextEncoder().encode("CollateralDeposited(address,uint8,address,uint256)"))],
    },
  ],
});
const known = [...new Set(deposits.map((log) => getAddress(`0x${log.topics[1].slice(26)}`)))];
await reread(known, await client.getBlockNumber());

let last = Promise.resolve();
await client.transport.subscribe({
  params: ["newHeads"],
  onData: ({ result }) => {
    last = last.then(() => onHead(result)).catch((error) => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    });
  },
});
process.stdout.write("ready\n");
createInterface({ input: process.stdin }).on("close", () => process.exit(0));
