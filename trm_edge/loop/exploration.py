"""Exploration: what makes one try at a puzzle differ from another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.noise import Noise, check_sigma, noise_key, random_start
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import Augmentation, PuzzleAugmentation


@dataclass(frozen=True)
class Exploration:
    """The tries at a puzzle. The first is the puzzle as it is, so that more tries lose nothing.

    Args:
        tries: number of tries at each puzzle.
        augmentations: one after another for the tries, the identity first; none: the puzzle itself
            in every try.
        noise: standard deviation of the noise before every step (arXiv 2605.19943); 0: none.
        start: standard deviation of a random start (arXiv 2605.21488); 0: the model's own start.
        noisy_states: names of the states that get noise; none: the one that holds the answer.
        seed: of the random numbers.

    Raises:
        ConfigError: there is less than one try, a standard deviation is negative, or several tries
            would all be the same.
    """

    tries: int
    augmentations: Sequence[PuzzleAugmentation] = field(default=())
    noise: float = 0.0
    start: float = 0.0
    noisy_states: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ConfigError(f"a puzzle needs 1 try or more, but got {self.tries}.")
        check_sigma(self.noise)
        check_sigma(self.start)
        is_random = self.noise > 0 or self.start > 0
        if not is_random and self.tries > max(1, len(self.augmentations)):
            raise ConfigError(
                f"{self.tries} tries need as many augmentations of a puzzle, noise or random "
                f"starts to differ, but there are {len(self.augmentations)} augmentations."
            )

    def attempt(self, puzzle: Puzzle, number: int, config: ModelConfig) -> Puzzle:
        """Make the puzzle that a try solves.

        Args:
            puzzle: the puzzle.
            number: of the try, from 0.
            config: the model.
        """
        augmentation = self.augmentation(puzzle, number)
        tokens = puzzle.tokens
        if augmentation is not None:
            tokens = augmentation.apply(tokens)
        if number == 0:
            return replace(puzzle, tokens=tokens)
        key = noise_key(puzzle.tokens, puzzle.identifier, number, self.seed)
        noise = puzzle.noise
        start = puzzle.start
        if self.noise > 0:
            states = self.noisy_states or (config.recursion.answer,)
            noise = Noise(self.noise, key, states)
        if self.start > 0:
            shape = (config.carry_len, config.hidden_size)
            start = random_start(key, self.start, shape, config.recursion.states)
        return replace(puzzle, tokens=tokens, noise=noise, start=start)

    def augmentation(self, puzzle: Puzzle, number: int) -> Augmentation | None:
        """Return the augmentation that a try solves; None for the puzzle itself.

        Args:
            puzzle: the puzzle.
            number: of the try, from 0.
        """
        if not self.augmentations:
            return None
        augmentation = self.augmentations[number % len(self.augmentations)]
        return augmentation.for_puzzle(puzzle.tokens)
