"""PPOTrainer: the classic loop of generate, score, step (TRL up to 0.11).

The numbers are the original's, and so is the use of numpy's and torch's global generators. Where
the original is wrong we are not: positions under left padding, score scaling, dropout while
answers are made, an end token inside the query. Left out: encoder-decoders, the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from luciola.compat.trl import generation, statistics
from luciola.compat.trl.arguments import (
    adam,
    check_arguments,
    data_loader,
    reference_model,
    trackers_of,
)
from luciola.compat.trl.config import PPOConfig
from luciola.compat.trl.control import Clock, KlControl
from luciola.compat.trl.core import set_seed
from luciola.compat.trl.experience import Reference, experience, feedback
from luciola.compat.trl.sequences import Sequences, checked
from luciola.compat.trl.update import optimise
from luciola.compat.trl.value_head import AutoModelForCausalLMWithValueHead
from luciola.objectives.advantages import token_rewards
from luciola.objectives.moments import RunningMoments, shape_scores
from luciola.training.world import World


class PPOTrainer:
    """Generates, and learns from scores.

    Args:
        config: settings.
        model: the policy with its value head; inside peft, or whole.
        ref_model: the frozen policy; None: a copy of `model` as it is now, or, inside peft, the
            model with its adapter off.
        tokenizer: pads, and names the end token.
        dataset: rows of which `dataloader` gives batches of batch_size, shuffled.
        optimizer: None: Adam over what requires a gradient.
        data_collator: makes a batch of rows; None: a list per column.
        num_shared_layers: see `create_reference_model`.
        lr_scheduler: stepped once after every `step`.

    Raises: ClassicError where an argument is of another kind.
    """

    def __init__(
        self,
        config: PPOConfig,
        model: AutoModelForCausalLMWithValueHead,
        ref_model: Any = None,
        tokenizer: Any = None,
        dataset: Any = None,
        optimizer: torch.optim.Optimizer | None = None,
        data_collator: Callable[[list[Any]], Any] | None = None,
        num_shared_layers: int | None = None,
        lr_scheduler: Any = None,
    ) -> None:
        check_arguments(config, model, ref_model, tokenizer)
        set_seed(config.seed)
        self.config = config
        self.tokenizer = tokenizer
        self.world = World()
        self.is_peft_model = model.is_peft_model
        self.ref_model = reference_model(model, ref_model, num_shared_layers)
        if self.ref_model is not None:
            self.ref_model.to(self.world.device)
        self.model: Any = self.world.prepare(model)
        self.optimizer = optimizer or adam(self.model, config.learning_rate)
        self.lr_scheduler = lr_scheduler
        self.kl_ctl = KlControl(config)
        self.running = RunningMoments()
        self.current_step = 0
        self.dataloader = None
        if dataset is not None:
            loader = data_loader(dataset, config.batch_size, data_collator)
            self.dataloader = self.accelerator.prepare(loader)
        self._trackers = trackers_of(config) if self.world.is_main else []

    @property
    def accelerator(self) -> Any:
        """accelerate's, as classic scripts ask it for its device and processes."""
        return self.world.accelerator

    @property
    def current_device(self) -> torch.device:
        """Where the model lies."""
        return self.world.device

    def generate(
        self,
        query_tensor: Tensor | list[Tensor],
        length_sampler: Callable[[], int] | None = None,
        batch_size: int = 4,
        return_prompt: bool = True,
        generate_ref_response: bool = False,
        **generation_kwargs: Any,
    ) -> Any:
        """Answers to one query, (1, T), or to a list of queries, a list of (T,); see
        `generation.generate`.

        Args:
            generate_ref_response: also the reference's answers: a pair is returned.
        """

        def answers(model: Any) -> Any:
            return generation.generate(
                model,
                self.tokenizer,
                query_tensor,
                length_sampler=length_sampler,
                batch_size=batch_size,
                return_prompt=return_prompt,
                settings=dict(generation_kwargs),
            )

        mine = answers(self._policy)
        if not generate_ref_response:
            return mine
        reference = self._reference()
        with reference.switched():
            return mine, answers(reference.model)

    def step(
        self,
        queries: list[Tensor],
        responses: list[Tensor],
        scores: list[Tensor],
        response_masks: list[Tensor] | None = None,
    ) -> dict[str, Any]:
        """Learn from batch_size answers and their scores; returns the statistics.

        Args:
            queries, responses: token ids, (T,) each.
            scores: one number each.
            response_masks: as long as the responses, 0 on what the policy did not write (a tool's
                output).

        Raises: ClassicError saying which argument is not as it must be.
        """
        clock, config = Clock(), self.config
        given = checked(config.batch_size, queries, responses, scores, response_masks)
        shaped = self._shaped(given.to(self.current_device))
        sequences = Sequences.of(
            queries,
            responses,
            response_masks,
            pad_id=generation.pad_id(self.tokenizer),
            left=self.tokenizer.padding_side == "left",
            device=self.current_device,
        )
        clock.lap()
        seen = feedback(self._policy, self._reference(), sequences, config)
        clock.lap("forward_pass")
        coefficient = self.kl_ctl.value
        mask = sequences.mask
        rewards = token_rewards(shaped, seen.kls, mask, coefficient, everywhere=True)
        clock.lap("compute_rewards")
        made = experience(sequences, seen, rewards, config)
        clock.lap("compute_advantages")
        mini_batches = optimise(made, self.model, config, self.optimizer, self.world)
        clock.lap("optimize_step")
        stats = {
            **statistics.of_samples(seen, mask, shaped, coefficient=coefficient),
            **statistics.of_lengths(queries, responses),
            **statistics.of_update(mini_batches),
            "ppo/learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        result = self._over_processes(statistics.plain(stats))
        clock.lap("calc_stats")
        self._conclude(result["objective/kl"])
        return {**result, **clock.times()}

    def _conclude(self, kl: float) -> None:
        """What follows a step: a look at the KL, its controller, the schedule."""
        statistics.warn_of_negative_kl(kl)
        self.kl_ctl.update(kl, self.config.batch_size * self.world.size)
        if self.lr_scheduler is not None:
            self.lr_scheduler.step()

    def _shaped(self, scores: Tensor) -> Tensor:
        """Scores scaled by all that were seen so far, these included, then clipped."""
        config = self.config
        moments = None
        if config.use_score_scaling:
            self.running = self.running.merged(self.accelerator.gather(scores))
            moments = self.running
        center = config.use_score_norm and config.use_score_scaling
        return shape_scores(scores, moments, center=center, clip=config.score_clip)

    def _over_processes(self, stats: dict[str, Any]) -> dict[str, Any]:
        """Numbers averaged over the processes; arrays stay each process's own."""
        if self.world.size == 1:
            return stats
        numbers = {name: v for name, v in stats.items() if isinstance(v, float)}
        totals = self.world.total([numbers])
        return {**stats, **{name: total / self.world.size for name, total in totals.items()}}

    @property
    def _policy(self) -> AutoModelForCausalLMWithValueHead:
        """The model as it was before it was prepared for several processes."""
        unwrapped: Any = self.world.unwrap(self.model)
        return unwrapped

    def _reference(self) -> Reference:
        if self.ref_model is not None:
            return Reference(self.ref_model, nullcontext)
        return Reference(self._policy, self._policy.pretrained_model.disable_adapter)

    def log_stats(
        self,
        stats: Mapping[str, Any],
        batch: Mapping[str, Any],
        rewards: Sequence[Tensor] | Tensor,
        columns_to_log: Sequence[str] = ("query", "response"),
    ) -> dict[str, Any]:
        """Send a step's statistics, its rewards and its texts to the trackers; returns them.

        Args:
            batch: columns of the step's rows, as lists.
            rewards: as they were given to `step`.
        """
        logs = statistics.with_rewards(stats, batch, rewards, columns_to_log)
        self.current_step += 1
        for tracker in self._trackers:
            numbers = {name: v for name, v in logs.items() if isinstance(v, float)}
            tracker.log(self.current_step, numbers)
        return logs

    def save_pretrained(self, save_directory: str | Path) -> None:
        """The policy, its value head and the tokenizer, in one folder."""
        if self.world.is_main:
            self._policy.save_pretrained(save_directory)
            self.tokenizer.save_pretrained(str(save_directory))
        self.world.wait()
