"""A checkpoint and a device's profile to what runs there."""
