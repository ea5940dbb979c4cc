"""Accuracy, parity and latency of a bundle, with the statistics that make them mean something."""
