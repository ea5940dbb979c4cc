"""Exit codes of the command line, and the lines about them in --help."""

from __future__ import annotations

FAILED = 1
NO_VERDICT = 3

EPILOG = """\b
Exit codes:
  0    done
  1    failed; parity and regress: a limit is broken, or something regressed
  2    misused: an unknown option, or options that do not go together
  3    regress: no verdict, as with a missing baseline or a damaged bundle
  130  interrupted by Ctrl-C; 143: ended by SIGTERM"""

REGRESS_EPILOG = """\b
Exit codes:
  0  nothing regressed, or the baseline was written
  1  something regressed; with --update: the baseline was not written
  2  misused
  3  no verdict: a missing or damaged baseline, a damaged bundle, an engine that failed"""
