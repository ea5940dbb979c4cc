"""The bundled models that benchmarks compare cell by cell."""

# An ARC model leaves open what lies beside its grid; benchmarks/arc*.py measure it.
GRID_MODELS = ("sudoku", "maze")
