"""Identity chains: each person's devices, keys and certificate, signed by his own devices."""
