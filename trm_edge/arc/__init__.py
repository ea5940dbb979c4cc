"""ARC-AGI: tasks, their augmentations and tokens, votes over predictions, submissions and scores.

In the order in which data flows: :mod:`~trm_edge.arc.sources` reads tasks,
:mod:`~trm_edge.arc.dataset` writes the trainer's folder of augmented tasks,
:mod:`~trm_edge.arc.run` solves tasks under their augmentations,
:mod:`~trm_edge.arc.predictions` reads what a model answered, :mod:`~trm_edge.arc.votes` counts it,
:mod:`~trm_edge.arc.submission` writes the answers, :mod:`~trm_edge.arc.scoring` judges them, and
:mod:`~trm_edge.arc.comparison` compares two submissions.
"""
