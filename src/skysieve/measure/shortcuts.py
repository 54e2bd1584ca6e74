"""The shortcut check: how well single cheap cues and linear probes tell classes apart.

What a cue separates in a training set, a network learns instead of the lens. A cue's AUC is
direction-free: it is measured in the direction in which it is at least 0.5.

References:
    Geirhos et al. 2020, Nature Machine Intelligence 2, 665 (shortcut learning).
    Alain & Bengio 2016, arXiv:1610.01644 (linear probes).
    Westfall & Young 1993, Resampling-Based Multiple Testing (the best of many by shuffled labels).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from skysieve.core.errors import InputError
from skysieve.core.random import stream
from skysieve.measure.cues import FAMILIES, Cue, CueTable, Family
from skysieve.measure.intervals import Measured, bootstrap
from skysieve.measure.probe import NoProbe, probe_classes, ranks_of
from skysieve.measure.rare import Sweep

FEWEST = 5
"""A class with fewer rows is left out of the check."""
RESAMPLES = 500
"""Of the intervals: there are many, and they are read to two digits."""
SHUFFLES = 200
CHANCE_LEVEL = 0.95
ALLOWED = 0.60
"""An AUC that a single cue may reach: what skysieve asks of its own simulations."""

_NEGATIVE = re.compile(
    r"^(?:no|non|not|negatives?)(?:[ _-]|$)|^(?:non|not|no)[ _-]?lens", re.IGNORECASE
)
_MISSING = Cue(key="frame_missing", family="frame", meaning="how many cues have no value")


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well something separates one class from all others.

    Args:
        key: The cue's key, or the name of a probe.
        family: What it is of; ``all`` for the probe of everything.
        meaning: What it is, in a few words.
        positive: The class it separates best.
        larger: Whether it is larger in that class.
        auc: At least 0.5 for a cue; a probe, which is told the direction, may fall below.
        by_class: The AUC of every class against the others.
        n_without: Rows in which the cue has no value; they are not in the AUC.
        chance: What the best of all cues stays below in 95 % of shuffled labels; 0.5 for a probe,
            of which there are few.
    """

    key: str
    family: str
    meaning: str
    positive: str
    larger: bool
    auc: Measured
    by_class: Mapping[str, float]
    n_without: int = 0
    chance: float = 0.5

    @property
    def verdict(self) -> str:
        """``gives away``, ``open`` or ``clear``, by where the interval lies about ``ALLOWED``.

        The best of many cues must also be better than the best of them is by chance.
        """
        if self.auc.low > ALLOWED and self.auc.value > self.chance:
            return "gives away"
        return "clear" if self.auc.high <= ALLOWED else "open"


@dataclass(frozen=True, kw_only=True)
class ShortcutCheck:
    """What cheap cues say of the classes.

    Args:
        counts: Rows of each class that were compared.
        left_out: Rows of classes with too few, and of no class.
        cues: Single cues, the best separating first.
        probes: Cross-validated linear probes: one per family, of the pixel statistics, of all.
        no_probe: Why there are no probes; empty if there are.
        chance: The AUC that the best of all cues stays below in 95 % of shuffled labels.
        grouped: Whether rows of one group were kept on one side of each split.
        seed: Of the intervals, the shuffles and the splits.
    """

    counts: Mapping[str, int]
    left_out: Mapping[str, int]
    cues: tuple[Separation, ...]
    probes: tuple[Separation, ...]
    no_probe: str
    chance: float
    grouped: bool
    seed: int

    @property
    def worst(self) -> dict[str, Separation]:
        """The best separating cue of each family."""
        first: dict[str, Separation] = {}
        for cue in self.cues:
            first.setdefault(cue.family, cue)
        return first


def check_shortcuts(
    table: CueTable,
    classes: Sequence[str | None],
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> ShortcutCheck | None:
    """Say how well cheap cues separate classes; None if fewer than two classes have enough rows.

    Args:
        table: The cues of cutouts.
        classes: The class of each; None where it is not known.
        groups: What must not be split between fitting and scoring a probe, such as a sky field.
        seed: Decides intervals, shuffles and splits.
        resamples: How often each interval's sample is drawn again.

    Raises:
        InputError: There is not one class, or one group, per row.
    """
    for name, given in (("classes", classes), ("groups", groups)):
        if given is not None and len(given) != len(table):
            raise InputError(f"There are {len(table)} rows but {len(given)} {name}")
    names = [name for name in dict.fromkeys(classes) if name is not None]
    held = {name: sum(each == name for each in classes) for name in sorted(names)}
    counts = {name: n for name, n in held.items() if n >= FEWEST}
    if len(counts) < 2:
        return None
    rows = np.array([name in counts for name in classes])
    truth = np.array([name for name in classes if name in counts], np.str_)
    table = _with_missing(CueTable(cues=table.cues, values=table.values[rows]))
    kept = None if groups is None else np.array(groups, np.str_)[rows]
    positives = positive_classes(counts)
    single = _columns(table, FAMILIES)
    chance = _chance(single, truth, positives, seed)
    cues = _separations(single, truth, positives, (seed, resamples), chance)
    probes, reason = _probes(table, truth, kept, positives, (seed, resamples))
    return ShortcutCheck(
        counts=counts,
        left_out={name: n for name, n in held.items() if n < FEWEST},
        cues=cues,
        probes=probes,
        no_probe=reason,
        chance=chance,
        grouped=groups is not None,
        seed=seed,
    )


def positive_classes(classes: Mapping[str, int]) -> tuple[str, ...]:
    """Return the classes to set against the rest: of two, the one that is not called a "non".

    Of two classes without such a name it is the rarer one.
    """
    if len(classes) != 2:
        return tuple(classes)
    named = [name for name in classes if not _NEGATIVE.search(name)]
    return (named[0] if len(named) == 1 else min(classes, key=lambda name: classes[name]),)


def _with_missing(table: CueTable) -> CueTable:
    missing = np.isnan(table.values).sum(axis=1, keepdims=True).astype(np.float64)
    return CueTable(cues=(*table.cues, _MISSING), values=np.hstack([table.values, missing]))


def _columns(table: CueTable, families: Sequence[Family]) -> CueTable:
    keep = [k for k, cue in enumerate(table.cues) if cue.family in families]
    return CueTable(cues=tuple(table.cues[k] for k in keep), values=table.values[:, keep])


def _aucs(
    values: Float64[np.ndarray, "n cue"], positive: Bool[np.ndarray, " n"]
) -> Float64[np.ndarray, " cue"]:
    """Return the AUC of each column over its finite rows, by ranks; NaN if a side is too small."""
    return _aucs_of_ranks(ranks_of(values), positive)


def _aucs_of_ranks(
    ranks: Float64[np.ndarray, "n cue"], positive: Bool[np.ndarray, " n"]
) -> Float64[np.ndarray, " cue"]:
    held = np.isfinite(ranks)
    n_positive = held[positive].sum(axis=0)
    n_negative = held[~positive].sum(axis=0)
    above = np.where(held, ranks, 0.0)[positive].sum(axis=0) - n_positive * (n_positive + 1) / 2
    enough = (n_positive >= FEWEST) & (n_negative >= FEWEST)
    return np.where(enough, above / np.where(enough, n_positive * n_negative, 1), np.nan)


def _separations(
    table: CueTable,
    truth: np.ndarray,
    positives: Sequence[str],
    draws: tuple[int, int],
    chance: float,
) -> tuple[Separation, ...]:
    seed, resamples = draws
    aucs = np.stack([_aucs(table.values, truth == name) for name in positives])
    found: list[Separation] = []
    for k, cue in enumerate(table.cues):
        away = np.abs(aucs[:, k] - 0.5)
        column = table.values[:, k]
        held = np.isfinite(column)
        if np.isnan(away).all() or len(np.unique(column[held])) < 2:
            continue
        best = int(np.nanargmax(away))
        larger = bool(aucs[best, k] >= 0.5)
        label = (truth[held] == positives[best]).astype(np.int8)
        scores = column[held] if larger else -column[held]
        auc = bootstrap(Sweep.roc_auc, label, scores, resamples=resamples, seed=seed)
        found.append(
            Separation(
                key=cue.key,
                family=cue.family,
                meaning=cue.meaning,
                positive=positives[best],
                larger=larger,
                auc=auc,
                by_class={
                    name: float(max(a, 1 - a))
                    for name, a in zip(positives, aucs[:, k], strict=True)
                    if np.isfinite(a)
                },
                n_without=int((~held).sum()),
                chance=chance,
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.auc.value, each.key)))


def _chance(table: CueTable, truth: np.ndarray, positives: Sequence[str], seed: int) -> float:
    """Return what the best of all cues stays below in most shuffles of the labels."""
    ranks = ranks_of(table.values)
    best: list[float] = []
    for k in range(SHUFFLES):
        order: Int64[np.ndarray, " n"] = stream(seed, "shuffled labels", k).permutation(len(truth))
        shuffled = truth[order]
        aucs = np.stack([_aucs_of_ranks(ranks, shuffled == name) for name in positives])
        best.append(float(0.5 + np.nanmax(np.abs(aucs - 0.5), initial=0.0)))
    return float(np.quantile(best, CHANCE_LEVEL))


def _probes(
    table: CueTable,
    truth: np.ndarray,
    groups: np.ndarray | None,
    positives: Sequence[str],
    draws: tuple[int, int],
) -> tuple[tuple[Separation, ...], str]:
    """Return the probes of each family, of the pixel statistics and of everything."""
    seed, resamples = draws
    parts: dict[str, tuple[Family, ...]] = {name: (name,) for name in FAMILIES}
    parts |= {"pixels": ("pixels",), "all": (*FAMILIES, "pixels")}
    found: list[Separation] = []
    for name, families in parts.items():
        columns = _columns(table, families)
        if not columns.cues:
            continue
        try:
            probability = probe_classes(columns.values, truth, groups, seed=seed)
        except NoProbe as reason:
            return (), str(reason)
        aucs = {
            each: bootstrap(
                Sweep.roc_auc,
                (truth == each).astype(np.int8),
                probability[each],
                resamples=resamples,
                seed=seed,
            )
            for each in positives
        }
        best = max(aucs, key=lambda each: aucs[each].value)
        found.append(
            Separation(
                key=f"probe_{name}",
                family=name,
                meaning=_PROBED[name].format(n=len(columns.cues)),
                positive=best,
                larger=True,
                auc=aucs[best],
                by_class={each: measured.value for each, measured in aucs.items()},
            )
        )
    return tuple(found), ""


_PROBED = {
    **{name: f"the {{n}} {name} cues together" for name in FAMILIES},
    "pixels": "{n} summary statistics of the pixels",
    "all": "all {n} numbers together",
}
