"""Training by deep supervision, and adapting a checkpoint to new tasks (torch)."""
