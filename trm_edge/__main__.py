"""The command line as a module: ``python -m trm_edge``."""

from trm_edge.cli.start import main

main()
