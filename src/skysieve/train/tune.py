"""Searching for better settings on validation rows, with Optuna; a killed search goes on."""

from __future__ import annotations

import csv
import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from skysieve.core.errors import RecipeError
from skysieve.core.files import claim, whole_file, write_text
from skysieve.core.random import seed_of
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.recipe.classifier import ClassifierRecipe
from skysieve.recipe.settings import change
from skysieve.recipe.tuning import SearchPlan
from skysieve.train.classifier import ALONE
from skysieve.train.labeled import LabeledImages, read_labeled
from skysieve.train.learn import learn
from skysieve.train.splits import Splits, settle_splits
from skysieve.train.tuned import Tuned

STARTUP_TRIALS, WARMUP_EPOCHS = 4, 1
"""Trials and epochs that are never cut short, for there is nothing yet to compare with."""


def tune_classifier(  # noqa: PLR0913  as the command
    recipe: ClassifierRecipe,
    data: Sequence[Path],
    folder: Path,
    *,
    trials: int,
    search: dict[str, SearchPlan] | None = None,
    labels: Path | None = None,
    devices: int = 1,
    watch: Watch = ignore,
) -> Tuned:
    """Try settings until so many trials have ended; called again, it goes on.

    Settings are chosen by a tree of Parzen estimators on the validation figure of the recipe's
    first network, and a trial that does worse than the median of the others is cut short.

    Args:
        recipe: What is tuned.
        data: Folders or files of images.
        folder: Takes the journal, a folder for each trial, ``trials.csv`` and ``best.json``.
        trials: How many are to have ended, those of earlier calls included.
        search: Where to look; None takes the recipe's, and else rate, decay and batch.
        labels: A table that says the class of each image.
        devices: GPUs, where there are any.
        watch: Told of every trial.

    Raises:
        RecipeError: A setting that is looked for is none, or no trial came to an end.
        MismatchError: The folder holds another search.

    References:
        Bergstra et al. 2011, NIPS 24, 2546 (the estimators); Akiba et al. 2019, arXiv:1907.10902.
    """
    folder.mkdir(parents=True, exist_ok=True)
    space = search or recipe.search or default_search(recipe)
    for path, plan in space.items():  # a wrong name is told before any trial
        change(recipe, [f"{path}={json.dumps(_example(plan))}"])
    claimed = {
        "recipe": recipe.model_dump(mode="json"),
        "search": {path: plan.model_dump(mode="json") for path, plan in space.items()},
    }
    claim(folder / "search.json", json.dumps(claimed, indent=1) + "\n", holds="a search")
    images = read_labeled(
        data, recipe.data, folder / "data", classes=recipe.classes, task=recipe.task,
        labels=labels, positive=recipe.positive, watch=watch,
    )  # fmt: skip
    splits = settle_splits(images, recipe.data, folder / "splits.csv")
    study = _study(recipe, folder)
    while (done := _ended(study)) < trials:
        trial = study.ask()
        settings = {path: _suggest(trial, path, plan) for path, plan in space.items()}
        watch(Progress("trial", done, trials, _told(settings)))
        changed = change(recipe, [f"{path}={json.dumps(v)}" for path, v in settings.items()])
        _run(
            study, trial, changed, (images, splits), folder / "trials" / _name(settings),
            devices=devices, watch=watch,
        )  # fmt: skip
        _write_trials(folder / "trials.csv", study, list(space))
    return _result(recipe, study, folder)


def default_search(recipe: ClassifierRecipe) -> dict[str, SearchPlan]:
    """Return where to look if nobody says: the first rate, the decay and the batch."""
    rate = recipe.learn.phases[0].learning_rate
    batch = recipe.learn.batch
    return {
        "learn.phases.0.learning_rate": SearchPlan(low=rate / 10, high=rate * 10, log=True),
        "learn.optimizer.weight_decay": SearchPlan(low=1e-5, high=0.2, log=True),
        "learn.batch": SearchPlan(choices=(max(batch // 2, 2), batch, batch * 2)),
    }


def _example(plan: SearchPlan) -> Any:
    return plan.choices[0] if plan.choices else plan.low


def _suggest(trial: Trial, path: str, plan: SearchPlan) -> Any:
    if plan.choices:
        return trial.suggest_categorical(path, list(plan.choices))
    assert plan.low is not None  # noqa: S101  # the plan has checked it
    assert plan.high is not None  # noqa: S101
    return trial.suggest_float(path, plan.low, plan.high, log=plan.log)


def _study(recipe: ClassifierRecipe, folder: Path) -> optuna.Study:
    """Return the study in a folder; trials that a kill cut off are done again."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    study = optuna.create_study(
        storage=storage, study_name=recipe.name, load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS
        ),
    )  # fmt: skip
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    # A sampler begins anew with the process: its seed follows the trials that there are.
    study.sampler = optuna.samplers.TPESampler(
        seed=seed_of(recipe.data.seed, "tune", len(study.trials)) % 2**31
    )
    return study


def _run(
    study: optuna.Study,
    trial: Trial,
    changed: ClassifierRecipe,
    taught_by: tuple[LabeledImages, Splits],
    folder: Path,
    *,
    devices: int,
    watch: Watch,
) -> None:
    """Let a network learn with some settings, and tell the study how well."""

    def report(epoch: int, value: float) -> None:
        trial.report(value, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    member = changed.member((changed.members or (ALONE,))[0])
    try:
        learned = learn(member, *taught_by, folder, devices=devices, report=report, watch=watch)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        return
    sign, column = figure_of(changed.learn.monitor)
    study.tell(trial, max(sign * row[column] for row in learned.history))


def _name(settings: dict[str, Any]) -> str:
    """Return the folder of a trial: the same settings go on where they stopped."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def figure_of(monitor: str) -> tuple[int, str]:
    """Return the sign that makes a validation figure the higher the better, and its column."""
    return (-1, "validation_loss") if monitor == "loss" else (1, monitor)


def _ended(study: optuna.Study) -> int:
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def _result(recipe: ClassifierRecipe, study: optuna.Study, folder: Path) -> Tuned:
    whole = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not whole:
        raise RecipeError("No trial came to its end", "Ask for more: --trials N")
    best: FrozenTrial = study.best_trial
    found = change(recipe, [f"{path}={json.dumps(v)}" for path, v in best.params.items()])
    write_text(folder / "best.json", found.model_dump_json(indent=1) + "\n")
    importance: dict[str, float] = {}
    if len(whole) > 1 and len({trial.value for trial in whole}) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            importance = optuna.importance.get_param_importances(study)
    assert best.value is not None  # noqa: S101  # it is whole
    return Tuned(
        recipe=found, value=best.value, monitor=recipe.learn.monitor, settings=dict(best.params),
        trials=_ended(study), pruned=_ended(study) - len(whole), importance=importance,
    )  # fmt: skip


def _told(settings: dict[str, Any]) -> str:
    return ", ".join(f"{path.rpartition('.')[2]} {value:.3g}" if isinstance(value, float)
                     else f"{path.rpartition('.')[2]} {value}" for path, value in settings.items())  # fmt: skip


def _write_trials(path: Path, study: optuna.Study, names: list[str]) -> None:
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", "value", "epochs", *names])
        for trial in study.get_trials(deepcopy=False):
            writer.writerow([trial.number, trial.state.name.lower(), trial.value,
                             len(trial.intermediate_values),
                             *(trial.params.get(name) for name in names)])  # fmt: skip
