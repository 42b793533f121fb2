"""Games of a model that hypothesis plays: whole programs answer, so each move is worth seconds."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def play(game: type[RuleBasedStateMachine], *, examples: int, moves: int) -> None:
    """Play so many games of so many moves; raise AssertionError for a promise that was broken."""
    run_state_machine_as_test(
        game,
        settings=settings(
            max_examples=examples,
            stateful_step_count=moves,
            deadline=None,
            # To make a game shorter takes hundreds of others, and its moves tell enough.
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
