"""Device profiles, and the workflow that makes a bundle for them from a checkpoint."""
