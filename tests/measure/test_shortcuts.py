"""The shortcut check: finds what gives a class away, and nothing where nothing does."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skysieve.core.errors import InputError
from skysieve.measure.cues import Cue, CueTable
from skysieve.measure.shortcuts import check_shortcuts, positive_classes


def table(**columns: np.ndarray) -> CueTable:
    """Cues by name; the family stands before the first underscore."""
    cues = tuple(Cue(key=k, family=k.partition("_")[0], meaning=k) for k in columns)
    return CueTable(cues=cues, values=np.stack(list(columns.values()), axis=1))


def noise(n: int, k: int = 0) -> np.ndarray:
    return np.random.default_rng(k).normal(size=n)


def halves(n: int) -> list[str]:
    return ["lens", "nonlens"] * (n // 2)


def by_key(check) -> dict:
    return {each.key: each for each in (*check.cues, *check.probes)}


@pytest.mark.parametrize("sign", [1, -1])
def test_an_auc_is_that_of_scikit_learn_in_its_better_direction(sign):
    classes = halves(200)
    truth = np.array([name == "lens" for name in classes])
    values = sign * (noise(200) + 0.8 * truth)
    found = by_key(check_shortcuts(table(color_x=values), classes, resamples=100))["color_x"]
    expected = roc_auc_score(truth, values)
    assert found.auc.value == pytest.approx(max(expected, 1 - expected))
    assert found.larger == (sign > 0)
    assert found.auc.low < found.auc.value < found.auc.high
    assert (found.positive, found.auc.n_positive, found.auc.n_negative) == ("lens", 100, 100)


def test_what_gives_a_class_away_is_said_to():
    classes = halves(400)
    truth = np.array([name == "lens" for name in classes])
    check = check_shortcuts(
        table(color_x=noise(400, 1), noise_y=noise(400, 2) + 3 * truth), classes, resamples=100
    )
    assert check.worst["noise"].verdict == "gives away"
    assert check.worst["color"].verdict == "clear"
    found = by_key(check)
    assert found["probe_noise"].auc.value == pytest.approx(check.worst["noise"].auc.value, abs=0.02)
    assert found["probe_all"].verdict == "gives away"
    assert found["probe_color"].auc.low < 0.5 < found["probe_color"].auc.high


def test_few_rows_leave_it_open():
    check = check_shortcuts(table(color_x=noise(20)), halves(20), resamples=100)
    assert check.worst["color"].verdict == "open"


def test_without_a_shortcut_cues_stay_below_chance_of_the_best():
    columns = {f"color_{k}": noise(300, k) for k in range(20)}
    check = check_shortcuts(table(**columns), halves(300), resamples=50)
    assert 0.53 < check.chance < 0.63
    assert check.cues[0].auc.value < check.chance + 0.03
    assert by_key(check)["probe_all"].auc.value < 0.6


def test_a_probe_adds_up_what_single_cues_hide():
    rng = np.random.default_rng(5)
    classes = halves(600)
    truth = np.array([name == "lens" for name in classes])
    shared = 5 * rng.normal(size=600)
    check = check_shortcuts(
        table(size_a=shared + truth, size_b=shared + 0.1 * rng.normal(size=600)),
        classes,
        resamples=50,
    )
    found = by_key(check)
    assert found["size_a"].auc.value < 0.6
    assert found["probe_size"].auc.value > 0.95


def test_a_missing_value_is_a_cue_too():
    classes = halves(100)
    values = noise(100)
    values[::2] = np.nan  # every lens lacks it
    check = check_shortcuts(table(color_x=values, color_y=noise(100, 1)), classes, resamples=50)
    found = by_key(check)
    assert "color_x" not in found
    assert found["frame_missing"].auc.value == 1
    assert found["probe_color"].auc.value == 1


def test_rows_without_a_value_are_counted():
    values = noise(100)
    values[:6] = np.nan
    check = check_shortcuts(table(color_x=values), halves(100), resamples=50)
    found = by_key(check)["color_x"]
    assert found.n_without == 6
    assert found.auc.n_positive + found.auc.n_negative == 94


def test_of_several_classes_the_worst_is_named():
    classes = ["no", "sphere", "vort"] * 60
    values = noise(180) + 4 * np.array([name == "vort" for name in classes])
    check = check_shortcuts(table(brightness_x=values), classes, resamples=50)
    found = by_key(check)["brightness_x"]
    assert found.positive == "vort"
    assert set(found.by_class) == {"no", "sphere", "vort"}
    assert found.by_class["vort"] == pytest.approx(found.auc.value)
    assert by_key(check)["probe_all"].positive == "vort"


def test_one_class_cannot_be_compared_and_small_ones_are_left_out():
    assert check_shortcuts(table(color_x=noise(9)), ["lens"] * 9) is None
    assert check_shortcuts(table(color_x=noise(9)), ["lens"] * 6 + ["nonlens"] * 3) is None
    classes = [*halves(40), *["ring"] * 3, None]
    check = check_shortcuts(table(color_x=noise(44)), classes, resamples=50)
    assert check.counts == {"lens": 20, "nonlens": 20}
    assert check.left_out == {"ring": 3}


def test_groups_are_not_split():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 10)
    truth = groups % 2
    mark = rng.normal(size=40)[groups]  # tells the group, and through it the class
    classes = ["lens" if each else "nonlens" for each in truth]
    columns = {f"color_{k}": np.where(groups == k, 5.0, 0.0) + 0 * mark for k in range(40)}
    free = by_key(check_shortcuts(table(**columns), classes, resamples=20))
    kept = by_key(
        check_shortcuts(
            table(**columns), classes, groups=[str(g) for g in groups.tolist()], resamples=20
        )
    )
    assert free["probe_color"].auc.value > 0.95
    assert kept["probe_color"].auc.value < 0.7


def test_a_class_in_one_group_has_no_probe_and_says_why():
    classes = halves(40)
    check = check_shortcuts(table(color_x=noise(40)), classes, groups=classes, resamples=20)
    assert check.probes == ()
    assert "single group" in check.no_probe
    assert check.cues


def test_the_same_seed_gives_the_same_check():
    given = table(color_x=noise(100), size_y=noise(100, 1))
    one, two, other = (
        check_shortcuts(given, halves(100), seed=seed, resamples=50) for seed in (3, 3, 4)
    )
    assert one == two
    assert one != other


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="9 classes"):
        check_shortcuts(table(color_x=noise(10)), ["lens"] * 9)


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        ({"lens": 9, "nonlens": 5}, "lens"),
        ({"lenses": 9, "not a lens": 5}, "lenses"),
        ({"no": 5, "sphere": 9}, "sphere"),
        ({"spiral": 9, "merger": 5}, "merger"),
        ({"north": 9, "south": 5}, "south"),
    ],
)
def test_of_two_classes_the_positive_one_is_set_against_the_other(classes, positive):
    assert positive_classes(classes) == (positive,)
