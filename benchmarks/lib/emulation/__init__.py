"""Runs of trm-edge on CPUs that this machine emulates, compared with runs on its own CPU.

``machines`` lists the CPUs, ``packages`` and ``roots`` install what emulates them, ``interpreter``
starts Python there, ``record`` is what runs there, ``session`` does all of it for one CPU,
``compare`` judges the runs and ``page`` prints them.
"""
