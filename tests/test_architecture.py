from __future__ import annotations

from dataclasses import replace

import pytest

from tests.toys import BASE, FAMILY
from trm_edge.architecture import (
    ARCHITECTURES,
    INPUT,
    Terms,
    architecture_named,
    layer_prefix,
    network_of,
)
from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError

CONFIGS = {"trm": BASE, **FAMILY}


def names_in(terms: Terms) -> set[str]:
    names = set()
    for term in terms:
        names |= {term} if isinstance(term, str) else names_in(term)
    return names


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_updates_are_made_of_the_networks_and_states(config: ModelConfig) -> None:
    recursion = config.recursion
    updates = list(recursion.updates(config))
    assert len(updates) == recursion.passes(config) == config.network_passes
    assert 1 <= recursion.trained_updates(config) <= len(updates)
    assert len({update.address for update in updates}) == len(updates)
    for update in updates:
        assert update.state in recursion.states
        assert update.network in recursion.layers
        assert names_in(update.terms) <= {INPUT, *recursion.states}
    used = {update.network for update in updates}
    assert used == set(recursion.layers)
    assert updates[-1].state == recursion.answer
    assert sum(config.passes_of(network) for network in used) == len(updates)


def test_the_order_of_sums_is_the_published_one() -> None:
    first, *_, last = BASE.recursion.updates(BASE)
    assert first.terms == ("z_L", ("z_H", INPUT))
    assert last.terms == ("z_H", "z_L")
    hier6 = FAMILY["trm-hier6"]
    first, second, *_ = hier6.recursion.updates(hier6)
    lower = ("z_L1", "z_L2", "z_L3", "z_L4", "z_L5", "z_L6")
    assert first == ("z_L1", "L_level", (lower, ("z_H", INPUT)), 0, "H0.L0")
    assert second.state == "z_L2"


def test_a_model_without_recursion_is_one_pass() -> None:
    config = FAMILY["transformer"]
    (update,) = config.recursion.updates(config)
    assert update.network == "H_level"
    assert config.recursion.states == ("z_H",)


def test_more_cycles_than_lower_states_are_refused() -> None:
    with pytest.raises(ConfigError, match="L_cycles must be at most 6 in the architecture trm-h"):
        replace(FAMILY["trm-hier6"], L_cycles=7)


def test_unknown_architectures_are_named() -> None:
    with pytest.raises(ConfigError, match=r"one of trm, hrm, .*, but got 'rnn'"):
        architecture_named("rnn")
    with pytest.raises(ConfigError, match="but got 'rnn'"):
        replace(BASE, architecture="rnn")


def test_layers_of_networks_that_an_architecture_lacks_are_refused() -> None:
    with pytest.raises(ConfigError, match="H_layers must be 0 in the architecture trm"):
        replace(BASE, H_layers=2)
    with pytest.raises(ConfigError, match="H_layers must be positive"):
        replace(FAMILY["hrm"], H_layers=0)


def test_layer_names_lead_back_to_their_network() -> None:
    for architecture in ARCHITECTURES.values():
        for network in architecture.layers:
            assert network_of(f"{layer_prefix(network)}layers.0.mlp.down_proj") == network


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_configuration_survives_the_manifest(config: ModelConfig) -> None:
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_the_configuration_of_a_trm_is_as_it_was() -> None:
    assert "architecture" not in BASE.to_dict()
    assert "H_layers" not in BASE.to_dict()
