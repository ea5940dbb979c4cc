"""Solving in bulk: rows of any number in, a folder of Parquet files out, every row exactly once.

``rows`` and ``answers`` have the two Arrow schemas, ``block_solver`` turns one into the other, and
the sources read Parquet, CSV, JSON lines, text and dataset folders in blocks. All of it needs
pyarrow, the extra ``parquet``; call :func:`trm_edge.batch.extra.require_parquet_extra` first.
"""
