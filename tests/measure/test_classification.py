"""Measures of classifiers: against scikit-learn, and by laws."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from skysieve.core.errors import InputError
from skysieve.measure.classification import OF_CLASS, measure_classes
from skysieve.measure.intervals import wilson
from skysieve.measure.predictions import Predictions, draw_weights
from skysieve.measure.slices import measure_slices

NAMES = ("axion", "cdm", "none")


def predictions(
    n: int = 600, k: int = 3, *, seed: int = 0, skill: float = 1.5, coarse: bool = False, **more
) -> Predictions:
    """Return rows of k uneven classes; coarse probabilities have many ties."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), truth] += skill
    if coarse:
        logits = np.round(logits)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    names = NAMES if k == 3 else tuple(f"class {c}" for c in range(k))
    given = {"positive": names[-1], **more}
    return Predictions(truth=truth, probabilities=p, classes=names, **given)


@pytest.mark.parametrize("coarse", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("k", [2, 3, 5])
def test_values_are_those_of_scikit_learn(k, coarse):
    given = predictions(k=k, coarse=coarse)
    truth, p = given.truth, given.probabilities
    own = label_binarize(truth, classes=range(k)) if k > 2 else np.stack([1 - truth, truth], 1)
    found = measure_classes(given, resamples=5)
    best = p.argmax(axis=1)
    np.testing.assert_array_equal(found.confusion, metrics.confusion_matrix(truth, best))
    purity, completeness, f1, _ = metrics.precision_recall_fscore_support(truth, best)
    for c, name in enumerate(given.classes):
        mine = found.by_class[name]
        assert mine["auc"].value == pytest.approx(metrics.roc_auc_score(own[:, c], p[:, c]))
        theirs = metrics.average_precision_score(own[:, c], p[:, c])
        assert mine["average_precision"].value == pytest.approx(theirs)
        fpr, tpr, _ = metrics.roc_curve(own[:, c], p[:, c], drop_intermediate=False)
        at = mine["completeness_at_fpr_0.01"].value
        assert at == pytest.approx(tpr[fpr <= 0.01].max())
        assert mine["tpr0"].value == pytest.approx(tpr[fpr == 0].max())
        for key, value in (("purity", purity), ("completeness", completeness), ("f1", f1)):
            assert mine[key].value == pytest.approx(value[c])
    whole = {key: each.value for key, each in found.overall.items()}
    assert whole["accuracy"] == pytest.approx(metrics.accuracy_score(truth, best))
    assert whole["macro_f1"] == pytest.approx(metrics.f1_score(truth, best, average="macro"))
    assert whole["macro_auc"] == pytest.approx(metrics.roc_auc_score(own, p, average="macro"))
    assert whole["micro_auc"] == pytest.approx(metrics.roc_auc_score(own, p, average="micro"))
    assert whole["brier"] == pytest.approx(((p - own) ** 2).sum() / (2 * len(p)))
    if k == 2:
        assert whole["brier"] == pytest.approx(metrics.brier_score_loss(truth, p[:, 1]))
        assert found.headline["auc"] == found.by_class["class 1"]["auc"]
    else:
        assert found.headline["auc"] == found.overall["macro_auc"]


def test_weights_count_rows_as_if_they_were_there_so_often():
    given = predictions(200, coarse=True)
    weights = np.random.default_rng(3).integers(0, 4, 200)
    from skysieve.measure.classification import Scorer

    rows = np.repeat(np.arange(200), weights)
    again = Predictions(
        truth=given.truth[rows],
        probabilities=given.probabilities[rows],
        classes=NAMES,
        positive="none",
    )
    np.testing.assert_allclose(
        Scorer(given)(weights), Scorer(again)(np.ones(len(rows), np.int64)), atol=1e-12
    )


def test_every_interval_holds_its_value_and_is_repeatable():
    given = predictions()
    found, again = (measure_classes(given, resamples=300, seed=4) for _ in range(2))
    assert found.as_json() == again.as_json()
    for each in [
        *found.overall.values(),
        *(m for d in found.by_class.values() for m in d.values()),
    ]:
        assert 0 <= each.low <= each.value <= each.high <= 1
        assert each.n_positive + each.n_negative == len(given)


def test_no_rate_is_told_that_needs_less_than_one_negative():
    found = measure_classes(predictions(600), resamples=5)
    assert all("completeness_at_fpr_0.001" not in mine for mine in found.by_class.values())
    assert "macro_completeness_at_fpr_0.001" not in found.overall
    assert "completeness_at_fpr_0.001" not in found.headline
    found = measure_classes(predictions(4000), resamples=5)
    lowest = "completeness_at_fpr_0.0001"  # 10,000 negatives could tell it
    assert all(set(mine) == set(OF_CLASS) - {lowest} for mine in found.by_class.values())


def test_accuracy_of_single_rows_has_wilsons_interval():
    given = predictions()
    found = measure_classes(given, resamples=50)
    k = int((given.predicted == given.truth).sum())
    assert (found.overall["accuracy"].low, found.overall["accuracy"].high) == wilson(k, 600)


def test_a_perfect_classifier_is_not_told_to_be_certain():
    truth = np.repeat([0, 1], (30, 300))
    p = np.stack([1.0 - truth, truth.astype(float)], 1)
    found = measure_classes(
        Predictions(truth=truth, probabilities=p, classes=("a", "b"), positive="b"), resamples=20
    )
    auc = found.by_class["b"]["auc"]
    assert (auc.value, auc.high, auc.method) == (1, 1, "bayes")
    assert 0.85 < auc.low < 0.99


def test_groups_are_drawn_whole_and_leave_no_class_empty():
    truth = np.tile([0, 1], 50)
    pairs = np.repeat(np.arange(50), 2)
    for weights in draw_weights(truth, pairs, resamples=20, seed=0):
        np.testing.assert_array_equal(weights[::2], weights[1::2])
        assert weights.sum() == 100
    lone = np.append(np.arange(50), np.full(50, 99))
    for weights in draw_weights(np.repeat([0, 1], 50), lone, resamples=20, seed=0):
        assert weights[50:].min() == weights[50:].max() == 1


def test_repeated_rows_in_groups_widen_the_interval_and_without_them_do_not():
    once = predictions(400, 2, skill=1.0)
    rows = np.tile(np.arange(400), 9)
    copied = {"truth": once.truth[rows], "probabilities": once.probabilities[rows]}
    copied |= {"classes": once.classes, "positive": once.positive}

    def width(given):
        auc = measure_classes(given, resamples=400).by_class[once.positive]["auc"]
        return auc.high - auc.low

    blind = width(Predictions(**copied))
    grouped = width(Predictions(**copied, groups=rows))
    assert grouped == pytest.approx(width(once), rel=0.15)
    assert blind == pytest.approx(width(once) / 3, rel=0.25)


def test_intervals_hold_the_truth_as_often_as_they_say():
    # Calibrated by construction: the label is drawn from the probability, so the accuracy of
    # max(p, 1 - p) and the Brier score are known integrals of a uniform p.
    truth = {"accuracy": 0.75, "brier": 1 / 6}
    held = dict.fromkeys(truth, 0)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p = rng.random(200)
        labels = (rng.random(200) < p).astype(np.int64)
        given = Predictions(
            truth=labels,
            probabilities=np.stack([1 - p, p], 1),
            classes=("a", "b"),
            positive="b",
        )
        found = measure_classes(given, resamples=150, seed=seed).overall
        for name, value in truth.items():
            held[name] += found[name].low <= value <= found[name].high
    assert all(count >= 86 for count in held.values()), held


def test_calibration_error_is_small_where_probabilities_are_true_and_large_where_not():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    labels = (rng.random(len(p)) < p).astype(np.int64)
    for sharpen, low, high in ((1.0, 0.0, 0.02), (4.0, 0.1, 0.3)):
        odds = (p / (1 - p)) ** sharpen
        said = odds / (1 + odds)
        given = Predictions(
            truth=labels,
            probabilities=np.stack([1 - said, said], 1),
            classes=("a", "b"),
            positive="b",
        )
        error = measure_classes(given, resamples=20).overall["calibration_error"].value
        assert low <= error <= high
        best = np.maximum(said, 1 - said)
        bins = np.digitize(best, np.linspace(0, 1, 16)[1:-1], right=True)
        right = given.predicted == labels
        direct = sum(
            (bins == b).mean() * abs(right[bins == b].mean() - best[bins == b].mean())
            for b in np.unique(bins)
        )
        assert error == pytest.approx(direct)


def test_twenty_thousand_rows_of_three_classes_take_seconds():
    given = predictions(20_000)
    begun = time.process_time()
    measure_classes(given, resamples=100)
    assert time.process_time() - begun < 6  # some 0.5 s; 1,000 resamples must stay under 20 s


def test_slices_add_up_to_the_whole():
    given = predictions(3000, 2)
    kinds = np.random.default_rng(1).choice(["red", "spiral", ""], 3000)
    found = measure_slices(given, kinds.tolist())
    whole = measure_classes(given, resamples=5)
    for cut, of_class, value in (
        ("argmax", "class 1", whole.by_class["class 1"]["completeness"].value),
        ("fpr_0.01", "class 1", whole.by_class["class 1"]["completeness_at_fpr_0.01"].value),
    ):
        mine = [each for each in found if (each.cut, each.of_class) == (cut, of_class)]
        assert {each.value for each in mine} == {"red", "spiral", "(none)"}
        total = sum(each.share * each.n for each in mine) / sum(each.n for each in mine)
        assert total == pytest.approx(value)
    false = [each for each in found if (each.cut, each.of_class) == ("fpr_0.01", "class 0")]
    n_negative = int(given.counts[0])
    passed = sum(each.share * each.n for each in false)
    assert passed <= 0.01 * n_negative < passed + 1
    with pytest.raises(InputError, match="3,000 different values"):
        measure_slices(given, [str(k) for k in range(3000)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"truth": np.array([0, 0])}, "No row is of the class b"),
        ({"truth": np.array([0, 2])}, "no name"),
        ({"probabilities": np.array([[0.5, np.nan], [0.5, 0.5]])}, r"\[0, 1\]"),
        ({"probabilities": np.full((2, 3), 0.3)}, "shape"),
        ({"positive": "c"}, "none of"),
        ({"groups": np.array([1])}, "groups"),
        ({"classes": ("a", "a")}, "different names"),
    ],
)
def test_what_cannot_be_measured_is_refused(change, words):
    good = {
        "truth": np.array([0, 1]),
        "probabilities": np.full((2, 2), 0.5),
        "classes": ("a", "b"),
        "positive": "b",
    }
    Predictions(**good)
    with pytest.raises(InputError, match=words):
        Predictions(**(good | change))
