"""One file an engine, imported on first use; ``base`` says what the loop asks of one."""
