"""What a Tiny Recursive Model is made of: the numbers that fix its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from trm_edge.errors import ConfigError

PositionEncoding = Literal["rope", "learned", "none"]

# Module widths of SwiGLU are rounded up to this (upstream models/layers.py, `_find_multiple`).
SWIGLU_MULTIPLE = 256


def swiglu_width(width: int, expansion: float) -> int:
    """Hidden width of a SwiGLU over ``width`` features (upstream ``models/layers.py``)."""
    inner = round(expansion * width * 2 / 3)
    return -(-inner // SWIGLU_MULTIPLE) * SWIGLU_MULTIPLE


@dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes the computation of one ACT step.

    Field names are those of the published trainer (``all_config.yaml`` and ``dataset.json``),
    arXiv 2510.04871. Nothing here has a default: a weight file loads just as well under a wrong
    position encoding or number of cycles, so each value has to come from the run that made it.

    Raises:
        ConfigError: a value is out of range or two values contradict each other.
    """

    hidden_size: int  # D
    num_heads: int  # ignored where mlp_t
    expansion: float
    L_layers: int  # blocks in the one network
    H_cycles: int
    L_cycles: int
    halt_max_steps: int
    no_ACT_continue: bool  # True: halt when q_halt > 0; False: when q_halt > q_continue
    mlp_t: bool  # mix positions with a SwiGLU instead of attention
    pos_encodings: PositionEncoding
    puzzle_emb_ndim: int  # E, 0 for none
    puzzle_emb_len: int  # 0: ceil(E / D)
    seq_len: int  # L
    vocab_size: int  # V
    num_puzzle_identifiers: int  # N
    rms_norm_eps: float
    rope_theta: float

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if not value > 0:
                raise ConfigError(f"{name} must be positive, but got {value!r}.")
        for name in ("puzzle_emb_ndim", "puzzle_emb_len"):
            value = getattr(self, name)
            if value < 0:
                raise ConfigError(f"{name} must be 0 or more, but got {value!r}.")
        if self.pos_encodings not in get_args(PositionEncoding):
            raise ConfigError(
                f"pos_encodings must be one of {', '.join(get_args(PositionEncoding))}, "
                f"but got {self.pos_encodings!r}."
            )
        if not self.mlp_t:
            self._check_heads()
        if self.puzzle_emb_ndim == 0 and self.puzzle_emb_len > 0:
            raise ConfigError(
                f"puzzle_emb_len is {self.puzzle_emb_len} but puzzle_emb_ndim is 0: without an "
                "embedding there is nothing to fill the prefix with. Set puzzle_emb_len to 0, or "
                "puzzle_emb_ndim to the width of the table."
            )
        if self.puzzle_emb_ndim > self.prefix_len * self.hidden_size:
            raise ConfigError(
                f"puzzle_emb_ndim {self.puzzle_emb_ndim} does not fit into puzzle_emb_len x "
                f"hidden_size = {self.prefix_len} x {self.hidden_size}. Raise puzzle_emb_len, or "
                "set it to 0 to have it computed."
            )

    def _check_heads(self) -> None:
        if self.hidden_size % self.num_heads:
            raise ConfigError(
                f"hidden_size {self.hidden_size} must be a multiple of num_heads {self.num_heads}."
            )
        if self.pos_encodings == "rope" and self.head_dim % 2:
            raise ConfigError(
                f"RoPE needs an even head size, but hidden_size / num_heads is {self.head_dim}."
            )

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def prefix_len(self) -> int:
        """P, the positions in front of the tokens that hold the puzzle embedding."""
        if self.puzzle_emb_len:
            return self.puzzle_emb_len
        return -(-self.puzzle_emb_ndim // self.hidden_size)

    @property
    def carry_len(self) -> int:
        """P + L, the positions of a carry."""
        return self.prefix_len + self.seq_len

    @property
    def network_passes(self) -> int:
        """Applications of the network in one ACT step."""
        return self.H_cycles * (self.L_cycles + 1)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Build from a mapping that has every field and no other.

        Raises:
            ConfigError: keys are missing, unknown, or of the wrong type.
        """
        known = {f.name: str(f.type) for f in fields(cls)}
        missing = sorted(set(known) - set(values))
        unknown = sorted(set(values) - set(known))
        if missing or unknown:
            raise ConfigError(
                "model configuration: "
                + "; ".join(
                    part
                    for part in (
                        f"missing {', '.join(missing)}" if missing else "",
                        f"unknown {', '.join(unknown)}" if unknown else "",
                    )
                    if part
                )
                + f". The keys are {', '.join(known)}."
            )
        return cls(**{name: _typed(name, kind, values[name]) for name, kind in known.items()})


_POSITIVE = (
    "hidden_size",
    "num_heads",
    "expansion",
    "L_layers",
    "H_cycles",
    "L_cycles",
    "halt_max_steps",
    "seq_len",
    "vocab_size",
    "num_puzzle_identifiers",
    "rms_norm_eps",
    "rope_theta",
)


def _typed(name: str, kind: str, value: Any) -> Any:
    """``value`` as the field's type; a bool is no int and "4" is no number."""
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "float" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind == "PositionEncoding" and isinstance(value, str):
        return value
    wanted = "str" if kind == "PositionEncoding" else kind
    raise ConfigError(f"{name} must be of type {wanted}, but got {value!r}.")
