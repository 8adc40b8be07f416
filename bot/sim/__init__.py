"""The laboratory: replays of real crashes over real contracts, with the keeper as a separate process.

Pure modules (prices, path, schedule, feed, book, liquidity, measure) know no node; `anvil`, `rpc`, `market`,
`keeper` and `lockstep` are what they are played on; `replay` puts them together.
"""
