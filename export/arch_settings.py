"""The keys of ``arch`` in a run's configuration, for each architecture of the published trainers.

What a trainer requires, what it fills in, and what it ignores differs between architectures; a
setting that one of them ignores may not reach its graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.printable import excerpt

DEFAULT_NAME = "recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1"


@dataclass(frozen=True)
class ArchSettings:
    """The keys of ``arch`` for one architecture.

    Args:
        architecture: id in :mod:`trm_edge.architecture`.
        required: keys that the trainer requires.
        defaults: keys that it fills in; runs from before a setting existed do not write it down.
        fixed: what it computes with, whatever the configuration says.
        ignored: keys that leave one step's graph as it is.
    """

    architecture: str
    required: tuple[str, ...]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any]
    ignored: frozenset[str]


_TRAINING = frozenset({"name", "loss", "halt_exploration_prob", "forward_dtype", "causal"})
_TRM = ArchSettings(
    architecture="trm",
    required=(
        "hidden_size",
        "num_heads",
        "expansion",
        "L_layers",
        "H_cycles",
        "L_cycles",
        "halt_max_steps",
        "pos_encodings",
    ),
    defaults={
        "mlp_t": False,
        "no_ACT_continue": True,
        "puzzle_emb_len": 16,
        "puzzle_emb_ndim": 0,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
    },
    fixed={"H_layers": 0},
    ignored=_TRAINING,
)
_HRM = ArchSettings(
    architecture="hrm",
    required=(
        "hidden_size",
        "num_heads",
        "expansion",
        "H_layers",
        "L_layers",
        "H_cycles",
        "L_cycles",
        "halt_max_steps",
        "pos_encodings",
    ),
    defaults={"puzzle_emb_ndim": 0, "rms_norm_eps": 1e-5, "rope_theta": 10000.0},
    fixed={"mlp_t": False, "no_ACT_continue": False, "puzzle_emb_len": 0},
    ignored=_TRAINING,
)
_TRANSFORMER = ArchSettings(
    architecture="transformer",
    required=(
        "hidden_size",
        "num_heads",
        "expansion",
        "H_layers",
        "halt_max_steps",
        "pos_encodings",
    ),
    defaults=_HRM.defaults,
    fixed={**_HRM.fixed, "L_layers": 0, "H_cycles": 1, "L_cycles": 1},
    ignored=_TRAINING | {"act_enabled", "act_inference"},
)
# By ``arch.name``, whole: several architectures share the class name after the @.
_BY_NAME = {
    DEFAULT_NAME: _TRM,
    "recursive_reasoning.trm_singlez@TinyRecursiveReasoningModel_ACTV1": replace(
        _TRM, architecture="trm-singlez"
    ),
    "recursive_reasoning.trm_hier6@TinyRecursiveReasoningModel_ACTV1": replace(
        _TRM, architecture="trm-hier6"
    ),
    "hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1": _HRM,
    # The same weights and results, and mlp_t besides.
    "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1": replace(
        _HRM,
        defaults={**_HRM.defaults, "mlp_t": False},
        fixed={"no_ACT_continue": False, "puzzle_emb_len": 0},
    ),
    "recursive_reasoning.transformers_baseline@Model_ACTV2": _TRANSFORMER,
}


def published_name(config: ModelConfig) -> str:
    """Name an architecture as the published trainer does in ``arch.name``.

    Args:
        config: the model's configuration.

    Raises:
        ConfigError: no published module computes this configuration.
    """
    for name, settings in _BY_NAME.items():
        values = vars(config)
        agrees = all(values[key] == value for key, value in settings.fixed.items())
        if settings.architecture == config.architecture and agrees:
            return name
    raise ConfigError(f"no published module is a {config.architecture} with these settings.")


def arch_settings(name: object, source: str) -> ArchSettings:
    """Look the settings of an architecture up by ``arch.name``.

    Args:
        name: of the architecture; the trainer's own prefix ``models.`` may stand before it.
        source: the configuration file, for messages.

    Raises:
        ConfigError: the name is not text, or of no architecture that can be exported.
    """
    if not isinstance(name, str):
        raise ConfigError(f"{source}: arch.name must be of type str.")
    settings = _BY_NAME.get(name.removeprefix("models."))
    if settings is None:
        raise ConfigError(
            f"{source}: arch.name is {excerpt(name, 120)}, but only these architectures can be "
            f"exported: {', '.join(_BY_NAME)}. If that module computes exactly the same as one of "
            "them, write its name into a copy of the file and pass it with --config."
        )
    return settings
