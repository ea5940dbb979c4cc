"""The halting loop: when a slot stops, which puzzle takes its place, and rollouts of a puzzle."""
