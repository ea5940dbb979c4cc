"""The command line: a command is a docstring, options and one call."""
