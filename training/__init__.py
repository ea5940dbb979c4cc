"""Deep supervision: training a model from scratch, or adapting a checkpoint to new tasks (torch)."""
