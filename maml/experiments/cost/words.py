"""The estimate of a run, in words: what ``--dry_run`` prints."""

from maml.experiments.config import Config
from maml.experiments.cost.estimate import Estimate, estimate
from mine import reporting
from mine.reporting.processes import resources


def dry_run(config: Config) -> str:
    """What a run will need, in words.

    Args:
        config: of the run.

    Raises:
        ValueError: the run would be refused.
    """
    config.epoch_steps(), config.method_name()  # Refuse before anything is made.
    return described(estimate(config), config)


def described(found: Estimate, config: Config) -> str:
    """What a run will need, one thing a line, and how that is known.

    Args:
        found: the estimate.
        config: of the run.
    """
    step = found.step
    cores = reporting.counted(step.cores, "core")
    parts = ", ".join(f"{name} {minutes(of)}" for name, of in found.seconds.items())
    whole = sum(found.seconds.values())
    tensors = resources.size(step.work.peak)
    lines = {
        "parameters": f"{found.parameters:,}",
        "training step": f"{quantity(step.work.multiply_adds)} multiply-adds; "
        f"{step.seconds:.2g} CPU seconds, {step.seconds / step.cores:.2g} seconds of wall time "
        f"on {cores} without other work",
        "memory": f"{resources.size(found.memory)}, {tensors} of it for tensors of a step; this "
        f"machine has {resources.size(resources.memory())}",
        "first step": f"done after {step.first_seconds:.2g} CPU seconds, tracing included",
        f"{config.steps:,} steps": f"{minutes(whole)} of CPU time ({parts}), "
        f"{minutes(whole / step.cores)} of wall time",
        "disk": resources.size(found.disk),
    }
    width = max(map(len, lines)) + 2
    rates = found.machine
    return "\n".join(
        [
            f"{config.method_name()} on {config.task} will need about:",
            *(f"  {name:<{width}}{text}" for name, text in lines.items()),
            "Counted from the traced graphs of a training step and of the scores, and costed at "
            f"rates of one core of this machine ({reporting.hardware()}), measured just now: "
            f"{quantity(rates.products)} multiply-adds a second of products, "
            f"{quantity(rates.convolutions)} of convolutions, {resources.size(rates.traffic)} a "
            f"second of tensors, {1e6 * rates.operation:.2g} microseconds an operation."
            + (" Acting was timed in two tasks." if found.acts else ""),
            "How near such estimates come: results/benchmarks/cost_model.md. Nothing was trained, "
            "nothing written.",
        ]
    )


def quantity(number: float) -> str:
    """A large number, such as "20.3 million"."""
    for power, name in ((12, "trillion"), (9, "billion"), (6, "million")):
        if number >= 10**power:
            return f"{number / 10**power:.3g} {name}"
    return f"{number:,.0f}"


def minutes(seconds: float) -> str:
    """A duration, such as "0.4 minutes" or "3.2 hours"."""
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.3g} hours"
    return f"{seconds / 60:.2g} minutes"
