// For `npx hardhat node` alone: a second kind of development node to deploy to. Nothing is compiled through hardhat.
module.exports = {
  solidity: { compilers: [] },
  paths: { sources: "contracts/none", cache: ".build/hardhat/cache", artifacts: ".build/hardhat/artifacts" },
  networks: {
    hardhat: { chainId: 31337, hardfork: "prague", allowBlocksWithSameTimestamp: true },
  },
};
