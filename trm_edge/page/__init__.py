"""A static site that solves puzzles with a bundle's own step graph on the visitor's device."""
