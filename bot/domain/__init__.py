"""Pure mathematics of liquidations: no I/O, no clock, no randomness of its own.

Scalars in, scalars out; numpy arrays in, arrays out. Floats here rank and estimate; what may
reach calldata is computed by the exact integer twins.
"""
