"""Walk-forward calibration of first-passage probabilities on real prices."""
