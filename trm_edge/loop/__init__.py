"""The halting loop: when a slot stops, which puzzle takes its place, and how often one is tried."""
