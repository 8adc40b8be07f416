"""Machine proofs of the pure mathematics of the contracts. See docs/proofs.md."""
