"""Decides when further votes on a test input are not worth asking for.

Let an input have c_i votes for its i-th answer, n in all, and m still to come. The variants of a
task are drawn at random, so their votes are exchangeable. Under a Dirichlet process as prior the
next vote goes to answer i with probability c_i / (n + t), and to an answer that nobody gave yet
with probability t / (n + t). The concentration t is estimated by the number of answers with a
single vote, plus 1.

Looked at alone, a leader with a votes and a challenger with b < a are Polya's urn. Once they are
level, either is as likely to be ahead at any later time, so the challenger draws level within the
next k votes for the two with the probability

    hit(k) = 2 P(ahead after k) + P(level after k),

where its share of the k votes is beta-binomial with the weights b and a. It grows with k, and k is
itself beta-binomial with the weights a + b and n + t - a - b. Summed over leaders and challengers
this bounds the probability that any challenger displaces a leader. An answer that nobody gave yet
is no better than one that has a vote already; their expected number, at most m t / (n + t),
multiplies the bound for one.

Level counts as displaced, whatever the halting head says about ties.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import ConfigError

Leaders = Literal["pair", "first"]
LOOK_ROUNDS = 8  # votes on an input between two decisions
_BINS = 8  # of the number of votes that a pair gets; more are tighter and slower


@dataclass(frozen=True)
class StoppingRule:
    """Ends the votes on an input whose leading answers will most likely stay the leading ones.

    Args:
        probability: with which they must stay, 0 to 1. At 1 an input ends only when no outcome of
            the votes to come could displace them.
        leaders: ``pair``: the first two answers, in any order; ``first``: the first alone.

    Raises:
        ConfigError: the probability is not in 0..1.

    >>> StoppingRule(0.99).is_decided([40, 12, 1], remaining=20)
    True
    >>> StoppingRule(0.99).is_decided([14, 12, 9], remaining=20)
    False
    """

    probability: float
    leaders: Leaders = "pair"

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ConfigError(f"the probability must lie in 0..1, but got {self.probability}.")

    def is_decided(self, votes: Sequence[int], remaining: int) -> bool:
        """Tell whether an input needs no more votes.

        Args:
            votes: of its answers, most first; at least one answer.
            remaining: votes still to come.
        """
        if remaining <= 0:
            return True
        allowed = 1.0 - self.probability
        return displacement_bound(votes, remaining, self.leaders, allowed) <= allowed


def displacement_bound(
    votes: Sequence[int], remaining: int, leaders: Leaders = "pair", enough: float = 1.0
) -> float:
    """Bound the probability that an answer displaces one of the leading ones.

    Args:
        votes: of the answers, most first.
        remaining: votes still to come.
        leaders: as for :class:`StoppingRule`.
        enough: sums beyond this are not carried on.

    Returns:
        The bound, 0 to 1. A value above ``enough`` may be too small.
    """
    count = 2 if leaders == "pair" else 1
    leading = list(votes[:count])
    total = sum(votes)
    concentration = 1 + sum(number == 1 for number in votes)
    newcomers = remaining * concentration / (total + concentration)
    if len(leading) < count:
        # A place is free, and the next new answer takes it.
        return min(1.0, newcomers)
    challengers: Counter[int] = Counter(votes[count:])
    expected: list[tuple[int, float]] = sorted(challengers.items(), reverse=True)
    expected.append((1, newcomers))
    bound = 0.0
    for challenger, number in expected:
        for leader in reversed(leading):
            chance = level_probability(leader, challenger, total + concentration, remaining)
            bound += number * chance
            if bound > enough:
                return min(1.0, bound)
    return bound


@lru_cache(maxsize=1 << 16)
def level_probability(leader: int, challenger: int, weight: int, remaining: int) -> float:
    """Bound the probability that a challenger draws level with a leader, or passes it.

    Args:
        leader: its votes so far.
        challenger: its votes so far, at least 1.
        weight: of all answers, n + t.
        remaining: votes still to come.
    """
    if challenger >= leader:
        return 1.0
    if leader - challenger > remaining:
        return 0.0
    pair = leader + challenger
    votes_of_pair = _beta_binomial(remaining, pair, weight - pair)
    reached = np.cumsum(votes_of_pair)
    # Each bin of the number of votes counts as its largest number.
    edges = np.searchsorted(reached, np.arange(1, _BINS) / _BINS)
    chance = 0.0
    below = 0.0
    for edge in np.unique([*edges.tolist(), remaining]).tolist():
        share = float(reached[edge]) - below
        below = float(reached[edge])
        chance += share * _level_within(edge, leader, challenger)
    return min(1.0, chance)


def _level_within(votes: int, leader: int, challenger: int) -> float:
    """The probability that the challenger draws level within a number of votes for the two."""
    lead = leader - challenger
    if votes < lead:
        return 0.0
    gained = _beta_binomial(votes, challenger, leader)  # by the challenger, 0 to votes
    ahead = float(gained[(votes + lead) // 2 + 1 :].sum())
    level = 0.0
    if (votes + lead) % 2 == 0:
        level = float(gained[(votes + lead) // 2])
    return 2 * ahead + level


def _beta_binomial(count: int, weight: int, other: int) -> NDArray[np.float64]:
    """The distribution (count + 1,) of the draws from one side of Polya's urn."""
    if other <= 0:
        certain = np.zeros(count + 1)
        certain[count] = 1.0
        return certain
    table = _log_factorials(count + weight + other)
    successes = np.arange(count + 1)
    logarithms = (
        table[count]
        - table[successes]
        - table[count - successes]
        + table[successes + weight - 1]
        + table[count - successes + other - 1]
        - table[count + weight + other - 1]
        - table[weight - 1]
        - table[other - 1]
        + table[weight + other - 1]
    )
    probabilities: NDArray[np.float64] = np.exp(logarithms)
    return probabilities


@lru_cache(maxsize=1)
def _largest_table() -> list[NDArray[np.float64]]:
    return [np.zeros(1)]


def _log_factorials(largest: int) -> NDArray[np.float64]:
    """Logarithms of 0! to at least ``largest``!, from a table that grows."""
    holder = _largest_table()
    if len(holder[0]) <= largest:
        size = 2 * largest + 1
        holder[0] = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
    return holder[0]
