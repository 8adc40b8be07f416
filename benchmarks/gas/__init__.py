"""Gas of whole transactions: Sluice beside real Aave V3 and Morpho Blue, on one node in one run."""
