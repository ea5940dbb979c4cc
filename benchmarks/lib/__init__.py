"""Helpers of the benchmarks. The scripts in the folder above import them as ``lib``."""
