"""Accuracy, parity, latency, memory and energy of a bundle, with their statistics."""
