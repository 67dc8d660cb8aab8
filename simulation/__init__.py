"""A deterministic simulation of the gateway: the real pipeline on simulated time, network and storage."""
