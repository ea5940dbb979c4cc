"""Start the command line, and explain a failure that packages of the wrong version cause.

Nothing but the standard library is imported before that: rich and click may be the ones at fault.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trm_edge.requirements import unmet_requirements


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; see :func:`trm_edge.cli.main.main`.

    Args:
        arguments: without the program's name; those of the process by default.
    """
    try:
        from trm_edge.cli.main import main as run

        run(arguments)
    except Exception as error:
        unmet = unmet_requirements()
        if not unmet:
            raise
        packages = "; ".join(map(str, unmet))
        requirements = " ".join(f"'{package.requirement}'" for package in unmet)
        cause = str(error).partition("\n")[0]
        sys.stderr.write(
            f"Error: trm-edge cannot run with these packages: {packages}. Install them with: "
            f"{sys.executable} -m pip install {requirements}\n"
            f"(The failure was {type(error).__name__}: {cause})\n"
        )
        sys.exit(1)
