"""The stopping rule: its bound against enumeration and simulation, and its error rate."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from trm_edge.arc.stopping import (
    LOOK_ROUNDS,
    Leaders,
    StoppingRule,
    displacement_bound,
    level_probability,
)
from trm_edge.errors import ConfigError


@cache
def level_exactly(leader: int, challenger: int, weight: int, remaining: int) -> float:
    """The probability that a challenger draws level, vote by vote."""
    if challenger >= leader:
        return 1.0
    if leader - challenger > remaining:
        return 0.0
    others = weight - leader - challenger
    chance = leader * level_exactly(leader + 1, challenger, weight + 1, remaining - 1)
    chance += challenger * level_exactly(leader, challenger + 1, weight + 1, remaining - 1)
    if others:
        chance += others * level_exactly(leader, challenger, weight + 1, remaining - 1)
    return chance / weight


@pytest.mark.parametrize("remaining", [1, 2, 5, 20, 45])
def test_the_bound_of_a_pair_is_above_the_exact_probability(remaining: int) -> None:
    for leader, challenger, others in [(5, 1, 3), (9, 7, 1), (20, 12, 10), (3, 2, 30)]:
        weight = leader + challenger + others
        exact = level_exactly(leader, challenger, weight, remaining)
        bound = level_probability(leader, challenger, weight, remaining)
        assert exact - 1e-9 <= bound <= min(1.0, 4 * exact + 0.02)


def test_two_answers_alone_are_exact() -> None:
    """With no other answer the number of the pair's votes is known, and nothing is bounded."""
    for leader, challenger, remaining in [(5, 2, 9), (8, 6, 4), (10, 1, 40)]:
        exact = level_exactly(leader, challenger, leader + challenger, remaining)
        bound = level_probability(leader, challenger, leader + challenger, remaining)
        assert bound == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("leaders", ["pair", "first"])
@pytest.mark.parametrize("votes", [[10, 5, 3], [6, 4, 1, 1], [12, 3, 2, 1, 1], [9], [7, 1]])
def test_the_bound_is_above_what_an_urn_does(leaders: Leaders, votes: list[int]) -> None:
    random = np.random.default_rng(3)
    remaining = 24
    changed = 0
    for _ in range(400):
        changed += displaces(urn(votes, remaining, random), votes, leaders)
    error = 3 * (0.25 / 400) ** 0.5
    assert changed / 400 <= displacement_bound(votes, remaining, leaders) + error


def urn(votes: list[int], remaining: int, random: np.random.Generator) -> list[int]:
    """Votes at the end; an answer that nobody gave yet is drawn with the estimated weight."""
    concentration = 1 + votes.count(1)
    counts = list(votes)
    for _ in range(remaining):
        weights = np.array([*counts, concentration])
        drawn = int(random.choice(len(weights), p=weights / weights.sum()))
        if drawn == len(counts):
            counts.append(0)
        counts[drawn] += 1
    return counts


def displaces(counts: list[int], votes: list[int], leaders: Leaders) -> bool:
    """Whether another answer came level with a leading one, or took a free place."""
    places = 2 if leaders == "pair" else 1
    if len(votes) < places:
        return len(counts) > len(votes)
    return max(counts[places:], default=0) >= min(counts[:places])


def test_nothing_can_change_what_the_rest_cannot_reach() -> None:
    certain = StoppingRule(1.0)
    assert certain.is_decided([30, 20, 9], remaining=10)
    assert not certain.is_decided([30, 20, 10], remaining=10)  # a tie counts as a change
    assert not certain.is_decided([30, 9], remaining=10)  # new answers could
    assert certain.is_decided([30, 9], remaining=7)
    assert certain.is_decided([1], remaining=0)
    assert StoppingRule(1.0, "first").is_decided([30, 9], remaining=20)


def test_more_certainty_takes_more_votes() -> None:
    needed = []
    for probability in (0.5, 0.9, 0.99, 0.999):
        rule = StoppingRule(probability, "first")
        votes = 1
        while not rule.is_decided([votes], remaining=500 - votes):
            votes += 1
        needed.append(votes)
    assert needed == sorted(set(needed))
    assert needed[-1] < 30


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_is_one(probability: float) -> None:
    with pytest.raises(ConfigError, match=r"must lie in 0\.\.1"):
        StoppingRule(probability)


def votes_of_a_process(length: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Votes of one input: answers of a Dirichlet process, some more sure than others."""
    concentration = float(np.exp(random.uniform(np.log(0.3), np.log(20))))
    answers: list[int] = []
    for number in range(length):
        if random.random() < concentration / (number + concentration):
            answers.append(max(answers, default=-1) + 1)
        else:
            answers.append(answers[random.integers(number)])
    return np.array(answers)


def leading(answers: NDArray[np.int64], places: int) -> set[int]:
    return {answer for answer, _ in Counter(answers.tolist()).most_common(places)}


@pytest.mark.parametrize("probability", [0.9, 0.99])
@pytest.mark.parametrize("leaders", ["pair", "first"])
def test_the_error_rate_keeps_its_promise(leaders: Leaders, probability: float) -> None:
    """Of the inputs that end early, at most the allowed share has other leaders in the end."""
    random = np.random.default_rng(7)
    rule = StoppingRule(probability, leaders)
    places = 2 if leaders == "pair" else 1
    length = 128
    ended = 0
    wrong = 0
    saved = 0
    for _ in range(300):
        answers = votes_of_a_process(length, random)
        for votes in range(LOOK_ROUNDS, length, LOOK_ROUNDS):
            counts = sorted(Counter(answers[:votes].tolist()).values(), reverse=True)
            if rule.is_decided(counts, length - votes):
                ended += 1
                saved += length - votes
                wrong += leading(answers[:votes], places) != leading(answers, places)
                break
    assert ended > 100
    assert saved > 0
    # Three standard errors of a share that is as large as allowed.
    allowed = 1 - probability
    assert wrong / ended <= allowed + 3 * (allowed * probability / ended) ** 0.5
