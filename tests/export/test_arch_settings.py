from __future__ import annotations

from dataclasses import replace

import pytest

from tests.toys import BASE, FAMILY
from trm_edge.architecture import ARCHITECTURES
from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.export.arch_settings import arch_settings, published_name

CONFIGS = {"trm": BASE, **FAMILY}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_architecture_has_a_published_name(config: ModelConfig) -> None:
    settings = arch_settings(published_name(config), "all_config.yaml")
    assert settings.architecture == config.architecture
    assert arch_settings(f"models.{published_name(config)}", "all_config.yaml") == settings


def test_every_architecture_is_read_from_some_name() -> None:
    assert {config.architecture for config in CONFIGS.values()} == set(ARCHITECTURES)


def test_hrm_with_mlp_is_of_the_trm_repository() -> None:
    assert published_name(FAMILY["hrm"]).startswith("hrm.hrm_act_v1@")
    assert published_name(FAMILY["hrm-mlp"]).startswith("recursive_reasoning.hrm@")


def test_settings_that_a_trainer_ignores_do_not_reach_the_graph() -> None:
    hrm = arch_settings("hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1", "all_config.yaml")
    assert hrm.fixed == {"mlp_t": False, "no_ACT_continue": False, "puzzle_emb_len": 0}
    assert not {"mlp_t", "puzzle_emb_len"} & set(hrm.defaults)


@pytest.mark.parametrize(
    "name", [3, "recursive_reasoning.my_trm@TinyRecursiveReasoningModel_ACTV1"]
)
def test_other_names_are_refused(name: object) -> None:
    with pytest.raises(ConfigError, match=r"all_config\.yaml: arch\.name"):
        arch_settings(name, "all_config.yaml")


def test_what_no_published_module_computes_has_no_name() -> None:
    with pytest.raises(ConfigError, match="no published module is a hrm"):
        published_name(replace(FAMILY["hrm"], no_ACT_continue=True))
