"""Slower or wronger? A bundle as it is held against its baseline, a file that says what it was."""
