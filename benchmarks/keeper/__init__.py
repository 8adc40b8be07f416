"""How fast a keeper is, from the block that moves the oracle to its transaction at the node."""
