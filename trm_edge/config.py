"""The configuration of a recursive model: its architecture and the numbers that fix its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any, Literal, get_args

from trm_edge.architecture import Architecture, architecture_named
from trm_edge.errors import ConfigError

PositionEncoding = Literal["rope", "learned", "none"]

# Module widths of SwiGLU are rounded up to this (upstream models/layers.py, `_find_multiple`).
SWIGLU_MULTIPLE = 256
_EXACT = 2**53  # integers up to this are floats without rounding
MAX_VOCABULARY = 2**31 - 1  # token ids are int32 in the step graph


def swiglu_width(width: int, expansion: float) -> int:
    """Compute the hidden width of a SwiGLU (upstream ``models/layers.py``).

    Args:
        width: features of its input.
        expansion: ``expansion`` of the model.
    """
    inner = round(expansion * width * 2 / 3)
    return -(-inner // SWIGLU_MULTIPLE) * SWIGLU_MULTIPLE


@dataclass(frozen=True)
class ModelConfig:
    """Every number that fixes the computation of one ACT step (adaptive computation time).

    Field names are those of the published trainer (``all_config.yaml`` and ``dataset.json``),
    arXiv 2510.04871. What a Tiny Recursive Model needs has no default: a weight file loads just
    as well under a wrong position encoding or number of cycles, so each value has to come from the
    run that made it.

    Args:
        hidden_size: D, width of the network.
        num_heads: attention heads; ignored where ``mlp_t`` is set.
        expansion: width of each SwiGLU relative to D, before rounding (:func:`swiglu_width`).
        L_layers: blocks in the network ``L_level``; 0 where the architecture has none.
        H_cycles: updates of z_H in one ACT step.
        L_cycles: updates of z_L before each update of z_H.
        halt_max_steps: ACT steps after which training stops a puzzle.
        no_ACT_continue: True: halt when q_halt > 0; False: when q_halt > q_continue.
        mlp_t: mix positions with a SwiGLU instead of attention.
        pos_encodings: ``rope``, ``learned`` or ``none``.
        puzzle_emb_ndim: E, width of the puzzle-embedding table; 0 for none.
        puzzle_emb_len: positions of the puzzle embedding; 0: ceil(E / D).
        seq_len: L, tokens of a puzzle.
        vocab_size: V, token ids.
        num_puzzle_identifiers: N, rows of the puzzle-embedding table.
        rms_norm_eps: epsilon of the RMS norms.
        rope_theta: base of the rotary position encoding.
        architecture: id of the architecture (:mod:`trm_edge.architecture`).
        H_layers: blocks in the network ``H_level``; 0 where the architecture has none.

    Raises:
        ConfigError: a value is out of range, or two values contradict each other.
    """

    hidden_size: int
    num_heads: int
    expansion: float
    L_layers: int
    H_cycles: int
    L_cycles: int
    halt_max_steps: int
    no_ACT_continue: bool
    mlp_t: bool
    pos_encodings: PositionEncoding
    puzzle_emb_ndim: int
    puzzle_emb_len: int
    seq_len: int
    vocab_size: int
    num_puzzle_identifiers: int
    rms_norm_eps: float
    rope_theta: float
    architecture: str = "trm"
    H_layers: int = 0

    def __post_init__(self) -> None:
        layers = self.recursion.layers.values()
        for name in ("L_layers", "H_layers"):
            if name not in layers and getattr(self, name) != 0:
                raise ConfigError(
                    f"{name} must be 0 in the architecture {self.architecture}, which has no "
                    f"such network, but got {getattr(self, name)!r}."
                )
        for name in (*_POSITIVE, *layers):
            value = getattr(self, name)
            if not value > 0:
                raise ConfigError(f"{name} must be positive, but got {value!r}.")
            if value == inf:
                raise ConfigError(f"{name} must be finite, but got {value!r}.")
        for name in ("puzzle_emb_ndim", "puzzle_emb_len"):
            value = getattr(self, name)
            if value < 0:
                raise ConfigError(f"{name} must be 0 or more, but got {value!r}.")
        if self.vocab_size > MAX_VOCABULARY:
            raise ConfigError(
                f"vocab_size must be at most {MAX_VOCABULARY} (token ids are int32), but got "
                f"{self.vocab_size}."
            )
        encodings = get_args(PositionEncoding)
        if self.pos_encodings not in encodings:
            raise ConfigError(
                f"pos_encodings must be one of {', '.join(encodings)}, "
                f"but got {self.pos_encodings!r}."
            )
        if not self.mlp_t:
            self._check_heads()
        self._check_puzzle_embedding()
        self.recursion.passes(self)  # raises where there are more cycles than states

    def _check_heads(self) -> None:
        if self.num_heads > self.hidden_size:
            raise ConfigError(
                f"num_heads must be at most hidden_size {self.hidden_size}, but got "
                f"{self.num_heads}."
            )
        if self.pos_encodings == "rope" and self.head_dim % 2:
            raise ConfigError(
                f"RoPE needs an even head size, but hidden_size / num_heads is {self.head_dim}."
            )

    def _check_puzzle_embedding(self) -> None:
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

    @property
    def head_dim(self) -> int:
        """Features of one attention head; upstream drops what does not divide."""
        return self.hidden_size // self.num_heads

    @property
    def prefix_len(self) -> int:
        """P, positions in front of the tokens that hold the puzzle embedding."""
        if self.puzzle_emb_len:
            return self.puzzle_emb_len
        return -(-self.puzzle_emb_ndim // self.hidden_size)

    @property
    def carry_len(self) -> int:
        """P + L, positions of a carry."""
        return self.prefix_len + self.seq_len

    @property
    def attention_width(self) -> int:
        """Features of all attention heads together."""
        return self.num_heads * self.head_dim

    @property
    def recursion(self) -> Architecture:
        """Networks, states and updates of the architecture.

        Raises:
            ConfigError: there is no such architecture.
        """
        return architecture_named(self.architecture)

    @property
    def network_passes(self) -> int:
        """Applications of a network in one ACT step."""
        return self.recursion.passes(self)

    def passes_of(self, network: str) -> int:
        """Count the applications of one network in one ACT step.

        Args:
            network: its name in the checkpoint.
        """
        return sum(update.network == network for update in self.recursion.updates(self))

    def to_dict(self) -> dict[str, Any]:
        """Return every field by name, without those that a Tiny Recursive Model does not have."""
        values = asdict(self)
        for name, default in _DEFAULTS.items():
            if values[name] == default:
                del values[name]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Build a configuration from a mapping that has every field and no other key.

        Args:
            values: the fields by name; whole numbers may be written as floats.

        Raises:
            ConfigError: keys are missing or unknown, or values are of the wrong type or range.
        """
        names = [field.name for field in fields(cls)]
        missing = sorted(set(names) - set(values) - set(_DEFAULTS))
        unknown = sorted(set(values) - set(names))
        problems = []
        if missing:
            problems.append(f"missing {', '.join(missing)}")
        if unknown:
            problems.append(f"unknown {', '.join(unknown)}")
        if problems:
            raise ConfigError(
                f"model configuration: {'; '.join(problems)}. The keys are {', '.join(names)}."
            )
        arguments = {}
        for field in fields(cls):
            if field.name in values:
                arguments[field.name] = _typed(field.name, str(field.type), values[field.name])
        return cls(**arguments)


_DEFAULTS: dict[str, Any] = {"architecture": "trm", "H_layers": 0}
_POSITIVE = (
    "hidden_size",
    "num_heads",
    "expansion",
    "H_cycles",
    "L_cycles",
    "halt_max_steps",
    "seq_len",
    "vocab_size",
    "num_puzzle_identifiers",
    "rms_norm_eps",
    "rope_theta",
)


def _typed(name: str, type_name: str, value: Any) -> Any:
    """Return ``value`` as the field's type; a bool is not an int, and "4" is not a number."""
    if type_name == "bool" and isinstance(value, bool):
        return value
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if type_name == "int" and is_int:
        return value
    if type_name == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if type_name == "float" and isinstance(value, float):
        return value
    if type_name == "float" and is_int and abs(value) <= _EXACT:
        return float(value)
    if type_name in ("PositionEncoding", "str"):
        if isinstance(value, str):
            return value
        type_name = "str"
    raise ConfigError(f"{name} must be of type {type_name}, but got {value!r}.")
