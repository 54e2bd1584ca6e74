"""What a report says beyond its table: thresholds by intent, calibration, what the survey may hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from skysieve.core.odds import at_prior
from skysieve.measure.expected import Expected, draw_expected_svg, expect
from skysieve.measure.intervals import Measured
from skysieve.measure.rare import Truth, Values
from skysieve.measure.rates import Known, Rate, estimate_rate_above
from skysieve.measure.reliability import compare_priors
from skysieve.measure.reliability_figure import draw_reliability_svg
from skysieve.measure.sections import Cells, Grid, Section
from skysieve.measure.thresholds import Choice, Draws, Gains, Intent, choose_thresholds

INTENTS = (Intent(purity=0.5), Intent(fpr=0.001), Intent(completeness=0.9))
"""Asked where nobody asks for others."""
ABOVE = 0.5
"""The threshold of which it is counted how many rows pass."""
RARE = 0.05
"""Below this share of positives a reliability diagram is drawn logarithmically."""
_NAMES = {
    "ece_mass": "calibration error, bins of as many rows",
    "ece_width": "calibration error, bins as wide",
    "ece_head": "calibration error of rows with p ≥ 0.1",
    "brier": "Brier score",
    "said_over_found": "positives said over positives found",
}
_Prior = Float64[np.ndarray, " n"]


def thresholds_section(
    truth: Truth,
    p: Values,
    intents: Sequence[Intent],
    *,
    prior: float | None,
    rows: int,
    draws: Draws,
) -> Section:
    """Return where to cut the ranking for each intent, and what else it brings.

    Args:
        truth: Of the labeled rows, of both classes.
        p: Their probabilities.
        intents: What thresholds are for; none takes ``INTENTS``.
        prior: The share of positives in the survey; None takes that of the labels.
        rows: How many rows of the run have a score.
        draws: How the intervals are made.
    """
    asked = [*(intents or INTENTS)]
    found = choose_thresholds(truth, p, asked, prior=prior, rows=rows, draws=draws)
    told = f"one in {1 / prior:,.0f}" if prior else "as in the labels"
    return Section(
        key="thresholds",
        title="Where to cut",
        note=f"What a threshold on p brings among the {rows:,} scored rows of this run if lenses "
        f"are {told}. Completeness and false positive rate are those of the labeled rows; purity, F1 "
        f"and the number inspected follow from them and the share of lenses.{_why_not(found)}",
        grids=(
            Grid(
                head=("for", "p at least", "completeness", "FPR", "purity", "F1", "inspected"),
                rows=[_choice(each) for each in found],
            ),
        ),
        numbers=[each.as_json() for each in found],
    )


def expected_thresholds_section(
    p: Values, fitted_prior: _Prior, intents: Sequence[Intent], rate: Rate | float, seed: int
) -> Section:
    """Return where to cut a ranking without labels, by what its probabilities lead to expect.

    Args:
        p: Calibrated probabilities of all scored rows, best first.
        fitted_prior: The share of positives each was calibrated at.
        intents: What thresholds are for.
        rate: The share of lenses.
        seed: Decides the draws.
    """
    value = float(rate.value or 0.0) if isinstance(rate, Rate) else rate
    q = at_prior(p, fitted_prior, value)
    found = np.cumsum(q)
    passed = np.cumsum(1 - q)
    ks: dict[str, int | None] = {each.name: _place(each, found, passed) for each in intents}
    places = sorted({k for k in ks.values() if k is not None})
    expected = {one.k: one for one in expect(p, fitted_prior, rate, ks=places, seed=seed).best}
    rows: list[Cells] = []
    numbers: list[dict[str, Any]] = []
    for name, k in ks.items():
        if k is None:
            rows.append([name, "no threshold is expected to reach it", "", "", "", ""])
            numbers.append({"intent": name, "threshold": None})
            continue
        one = expected[k]
        share, fpr = found[k - 1] / found[-1], passed[k - 1] / max(passed[-1], 1e-300)
        lenses = f"{one.lenses:.3g} ({one.low:.3g}–{one.high:.3g})"
        purity = f"{one.purity:.3g} ({one.purity_low:.3g}–{one.purity_high:.3g})"
        rows.append([name, f"{p[k - 1]:.4g}", f"{k:,}", lenses, purity, f"{share:.3g}"])
        numbers.append(
            {"intent": name, "threshold": float(p[k - 1]), "completeness": float(share),
             "fpr": float(fpr), **vars(one)}
        )  # fmt: skip
    return Section(
        key="thresholds",
        title="Where to cut",
        note="What the probabilities lead to expect: no row has a label. It is worth what the "
        "calibration is worth on this sky; a few hundred labeled rows say more.",
        grids=(
            Grid(
                head=("for", "p at least", "inspected", "lenses", "purity", "completeness"),
                rows=rows,
            ),
        ),
        numbers=numbers,
    )


def reliability_section(truth: Truth, p: Values, fitted_prior: _Prior, seed: int) -> Section:
    """Return whether probabilities mean what they say: as fitted, and at the labels' own share.

    Args:
        truth: Of the labeled rows, of both classes.
        p: Their probabilities.
        fitted_prior: The share of positives each was calibrated at.
        seed: Decides the resamples.
    """
    share = float(truth.mean())
    even = at_prior(p, fitted_prior, 0.5)
    found = compare_priors(truth, even, 0.5, share, seed=seed)
    names = {"as_fitted": "at 1:1", "at_prior": f"at the labels' share, {share:.3g}"}
    rows: list[Cells] = [
        [title, *(_told(one.measured[key]) for one in found.values())]
        for key, title in _NAMES.items()
    ]
    for title, one in zip(("at 1:1", "at their share"), found.values(), strict=True):
        rows.append([f"error that chance alone leaves, {title}",
                     *((f"{one.chance['ece_mass']:.3g}", "") if title == "at 1:1" else ("", f"{one.chance['ece_mass']:.3g}"))])  # fmt: skip
    shown = {names[key]: one for key, one in found.items()}
    return Section(
        key="calibration",
        title="What a probability means",
        note="Whether lenses are as frequent among rows of some probability as it says. Without "
        "correction it is that of a sky where every second object is a lens; p at the share of "
        "lenses among these labels is what can be right here. A mean over all rows is small where "
        "lenses are rare: look at the rows with p of 0.1 or more too.",
        grids=(Grid(head=("measure", *names.values()), rows=rows),),
        figures={"Reliability": draw_reliability_svg(shown, rare=share < RARE)},
        numbers={"share": share} | {key: one.as_json() for key, one in found.items()},
    )


def rate_above(p: Values, known: tuple[Known, Known] | None, seed: int) -> Rate | None:
    """Return the share of positives from how many rows pass a threshold; None if nothing is known.

    Args:
        p: Calibrated probabilities of all scored rows.
        known: Positives and negatives of the calibration.
        seed: Decides the draws.
    """
    if known is None:
        return None
    passed = int((p >= ABOVE).sum()), len(p)
    positives, negatives = (each.passing(ABOVE) for each in known)
    return estimate_rate_above(passed, positives, negatives, seed=seed)


def survey_section(
    p: Values,
    fitted_prior: _Prior,
    rates: tuple[Rate, Rate | None],
    prior: float | None,
    seed: int,
) -> Section:
    """Return how many lenses the first k rows may hold, before anyone has looked.

    Args:
        p: Calibrated probabilities of all scored rows, best first.
        fitted_prior: The share of positives each was calibrated at.
        rates: What all scores tell of the share, and what the rows with p of at least 0.5 do.
        prior: The share that somebody gave; goes before the estimate.
        seed: Decides the draws.
    """
    rate, above = rates
    told = _rate_words(rate)
    if above is not None and above.value is not None:
        told += (
            f" The rows that pass p = {ABOVE:g}, against those of the calibration that do, tell "
            f"{above.value:.3g} ({above.low:.3g}–{above.high:.3g})."
        )
    told_rates = {"rate": rate.as_json(), "rate_above": above and above.as_json()}
    known = prior if prior is not None else (rate if rate.value else None)
    if known is None:
        return Section(
            key="survey",
            title="What the survey may hold",
            note=f"{told} Give the share of lenses that you expect with --prior.",
            numbers=told_rates | {"prior": None, "expected": None},
        )
    expected = expect(p, fitted_prior, known, seed=seed)
    basis = (
        f"The share of lenses is taken as given: one in {1 / prior:,.0f}."
        if prior
        else "The estimated share is taken, with its doubt."
    )
    return Section(
        key="survey",
        title="What the survey may hold",
        note=f"{told} {basis} Numbers are worth what the calibration is worth on this sky: "
        "they do not know of objects that no training set held.",
        grids=(_expected_grid(expected),),
        figures={"Lenses expected": draw_expected_svg(expected)},
        numbers=told_rates | {"prior": prior, "expected": expected.as_json()},
    )


def _expected_grid(expected: Expected) -> Grid:
    return Grid(
        head=("best", "lenses expected", "interval", "purity", "interval"),
        rows=[
            [f"{one.k:,}", f"{one.lenses:.3g}", f"{one.low:,.0f}–{one.high:,.0f}",
             f"{one.purity:.3g}", f"{one.purity_low:.3g}–{one.purity_high:.3g}"]
            for one in expected.best
        ],
    )  # fmt: skip


def _rate_words(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return f"The share of lenses cannot be told from the scores: {rate.why}."
    return (
        f"All {rate.n:,} scores together tell a share of lenses of {rate.value:.3g} "
        f"({rate.low:.3g}–{rate.high:.3g})."
    )


def _why_not(found: Sequence[Choice]) -> str:
    """Return why some intents have no threshold."""
    return "".join(
        f" Undefined for {each.intent.name}: {each.undefined.reason}."
        for each in found
        if each.undefined
    )


def _choice(choice: Choice) -> Cells:
    gains = choice.survey or choice.labeled
    if choice.threshold is None or gains is None:
        return [choice.intent.name, "undefined", *["–"] * 5]
    return [choice.intent.name, f"{choice.threshold:.4g}", *_gains(gains)]


def _gains(gains: Gains) -> Cells:
    return [_told(gains.completeness), _told(gains.fpr), _told(gains.purity), _told(gains.f1),
            f"{gains.inspected.value:,.0f} ({gains.inspected.low:,.0f}–{gains.inspected.high:,.0f})"]  # fmt: skip


def _told(measured: Measured | None) -> str:
    if measured is None:
        return "undefined"
    return f"{measured.value:.3g} ({measured.low:.3g}–{measured.high:.3g})"


def _place(
    intent: Intent, found: Float64[np.ndarray, " n"], passed: Float64[np.ndarray, " n"]
) -> int | None:
    """Return how many rows to take for an intent, as expected; None if none will do."""
    n = len(found)
    if intent.inspect is not None:
        return intent.inspect if intent.inspect <= n else None
    if intent.completeness is not None:
        wanted = intent.completeness * found[-1] * (1 - 1e-12)
        return min(int(np.count_nonzero(found < wanted)) + 1, n)
    if intent.fpr is not None:
        return int(np.count_nonzero(passed <= intent.fpr * passed[-1])) or None
    reached = np.flatnonzero(found / np.arange(1, n + 1) >= (intent.purity or 0.0))
    return int(reached[-1]) + 1 if len(reached) else None
