"""The recursive step of each architecture: its networks, its states, and the order of updates.

Every architecture of the family applies a network to a sum of states and the embedded input, again
and again, and differs only in which network updates which state from which sum. What emits a graph,
calibrates, drives or compares carries follows from this description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Union

from trm_edge.errors import ConfigError

if TYPE_CHECKING:
    from trm_edge.config import ModelConfig

INPUT = "x"  # the embedded tokens and prefix, in a sum

# A sum, from left to right: names of states, INPUT, or sums that are computed first. Floating-point
# addition is not associative, so the order is part of the architecture.
Terms = tuple[Union[str, "Terms"], ...]


class Update(NamedTuple):
    """One pass of a network.

    Args:
        state: name of the state that is replaced by the result.
        network: name of the network, as in the checkpoint: ``L_level`` or ``H_level``.
        terms: the network's input.
        cycle: number of the H cycle, from 0.
        address: of its nodes in the step graph, such as ``H1.L3``.
    """

    state: str
    network: str
    terms: Terms
    cycle: int
    address: str


@dataclass(frozen=True)
class Architecture:
    """A member of the family.

    Args:
        id: its name in trm-edge.
        layers: by network, the field of :class:`~trm_edge.config.ModelConfig` that holds its
            number of blocks.
        initial: by state, the checkpoint's name of its initial vector (D,). In the order of the
            step contract.
        answer: the state that the heads read.
        updates: yields the updates of one ACT step (adaptive computation time) in order.
        passes: number of these updates, computed without yielding them. Raises ConfigError where
            the configuration has more cycles than the architecture has states.
        trained_updates: number of last updates that the published training sends a gradient
            through.
    """

    id: str
    layers: Mapping[str, str]
    initial: Mapping[str, str]
    answer: str
    updates: Callable[[ModelConfig], Iterator[Update]]
    passes: Callable[[ModelConfig], int]
    trained_updates: Callable[[ModelConfig], int]

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, in the order of the step contract."""
        return tuple(self.initial)


def _trm_updates(config: ModelConfig) -> Iterator[Update]:
    return _two_states(config, "L_level")


def _hrm_updates(config: ModelConfig) -> Iterator[Update]:
    return _two_states(config, "H_level")


def _two_states(config: ModelConfig, upper: str) -> Iterator[Update]:
    """L_cycles updates of z_L, then one of z_H by the network ``upper``."""
    for cycle in range(config.H_cycles):
        for index in range(config.L_cycles):
            terms: Terms = ("z_L", ("z_H", INPUT))
            yield Update("z_L", "L_level", terms, cycle, f"H{cycle}.L{index}")
        yield Update("z_H", upper, ("z_H", "z_L"), cycle, f"H{cycle}.H")


def _singlez_updates(config: ModelConfig) -> Iterator[Update]:
    for cycle in range(config.H_cycles):
        for index in range(config.L_cycles):
            yield Update("z_L", "L_level", ("z_L", INPUT), cycle, f"H{cycle}.L{index}")
        yield Update("z_L", "L_level", ("z_L",), cycle, f"H{cycle}.H")


_LOWER = ("z_L1", "z_L2", "z_L3", "z_L4", "z_L5", "z_L6")


def _hier6_passes(config: ModelConfig) -> int:
    if config.L_cycles > len(_LOWER):
        raise ConfigError(
            f"L_cycles must be at most {len(_LOWER)} in the architecture trm-hier6, one for each "
            f"of its lower states, but got {config.L_cycles}."
        )
    return _cycle_passes(config)


def _hier6_updates(config: ModelConfig) -> Iterator[Update]:
    for cycle in range(config.H_cycles):
        for index, state in enumerate(_LOWER[: config.L_cycles]):
            terms: Terms = (_LOWER, ("z_H", INPUT))
            yield Update(state, "L_level", terms, cycle, f"H{cycle}.L{index}")
        yield Update("z_H", "L_level", ("z_H", _LOWER), cycle, f"H{cycle}.H")


def _transformer_updates(config: ModelConfig) -> Iterator[Update]:
    yield Update("z_H", "H_level", ("z_H", INPUT), 0, "H0.H")


def _cycle_passes(config: ModelConfig) -> int:
    return config.H_cycles * (config.L_cycles + 1)


def _last_cycle(config: ModelConfig) -> int:
    return config.L_cycles + 1


def _last_two(config: ModelConfig) -> int:
    return 2


def _whole_step(config: ModelConfig) -> int:
    return 1


ARCHITECTURES = {
    architecture.id: architecture
    for architecture in (
        Architecture(  # arXiv 2510.04871, models/recursive_reasoning/trm.py
            id="trm",
            layers={"L_level": "L_layers"},
            initial={"z_H": "H_init", "z_L": "L_init"},
            answer="z_H",
            updates=_trm_updates,
            passes=_cycle_passes,
            trained_updates=_last_cycle,
        ),
        Architecture(  # arXiv 2506.21734, models/hrm/hrm_act_v1.py
            id="hrm",
            layers={"H_level": "H_layers", "L_level": "L_layers"},
            initial={"z_H": "H_init", "z_L": "L_init"},
            answer="z_H",
            updates=_hrm_updates,
            passes=_cycle_passes,
            trained_updates=_last_two,
        ),
        Architecture(  # models/recursive_reasoning/trm_singlez.py
            id="trm-singlez",
            layers={"L_level": "L_layers"},
            initial={"z_L": "L_init"},
            answer="z_L",
            updates=_singlez_updates,
            passes=_cycle_passes,
            trained_updates=_last_cycle,
        ),
        Architecture(  # models/recursive_reasoning/trm_hier6.py
            id="trm-hier6",
            layers={"L_level": "L_layers"},
            initial={
                "z_H": "H_init",
                "z_L1": "L1_init",
                "z_L2": "L2_init",
                "z_L3": "L3_init",
                "z_L4": "L4_init",
                "z_L5": "L5_init",
                "z_L6": "L6_init",
            },
            answer="z_H",
            updates=_hier6_updates,
            passes=_hier6_passes,
            trained_updates=_last_cycle,
        ),
        Architecture(  # models/recursive_reasoning/transformers_baseline.py
            id="transformer",
            layers={"H_level": "H_layers"},
            initial={"z_H": "H_init"},
            answer="z_H",
            updates=_transformer_updates,
            passes=_whole_step,
            trained_updates=_whole_step,
        ),
    )
}


def architecture_named(name: str) -> Architecture:
    """Look an architecture up by its id.

    Args:
        name: such as ``trm`` or ``hrm``.

    Raises:
        ConfigError: lists the architectures.
    """
    if name not in ARCHITECTURES:
        raise ConfigError(
            f"architecture must be one of {', '.join(ARCHITECTURES)}, but got {name!r}."
        )
    return ARCHITECTURES[name]


def network_of(layer: str) -> str:
    """Name of the network that a layer of the step graph belongs to.

    Args:
        layer: such as ``layers.0.mlp.down_proj`` or ``H_level.layers.0.mlp.down_proj``.
    """
    network, separator, _ = layer.partition(".layers.")
    return network if separator else "L_level"


def layer_prefix(network: str) -> str:
    """Prefix of a network's layers in the step graph; TRM's only network has none.

    Args:
        network: its name in the checkpoint.
    """
    return "" if network == "L_level" else f"{network}."
