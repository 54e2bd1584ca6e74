"""The sieve: a coarse network sees every cutout, finer ones what it lets through."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int8

from skysieve.core.cutouts import Cutouts
from skysieve.core.inputs import InputSpec
from skysieve.core.scores import Scores, Status
from skysieve.finder.ahead import ahead
from skysieve.finder.calibration import at_prior, margin, spread
from skysieve.finder.card import FinderCard, Stage
from skysieve.finder.doubt import FLAG, UNUSUAL
from skysieve.finder.runtime import Network
from skysieve.images.fitting import fit_stack
from skysieve.images.sources import Group, Reading, Row

_CHUNK_ROWS, _CHUNK_BYTES = 256, 64 * 1024**2
_WAITING = 2  # readings ahead of the threads, so that none of them runs dry
NO_NUMBER = "the network gave no finite number for it"


@dataclass(frozen=True, eq=False, kw_only=True)
class Sieved:
    """What the sieve says of the rows of a reading, in their order.

    Args:
        rows: As they were read; one that the network could not make a number of has a new status.
        probabilities: Calibrated, in [0, 1]; NaN where the status is not ``ok``.
        stage: The finest stage that saw the row, from 1; 0 if none did.
        spread: How far apart the networks of that stage are: the standard deviation of their
            margins; NaN if it is a single one.
        ood: The share of calibration rows that look stranger to that stage, in [0, 1]; NaN if the
            bundle does not say.
    """

    rows: tuple[Row, ...]
    probabilities: Float64[np.ndarray, "n class"]
    stage: Int8[np.ndarray, " n"]
    spread: Float64[np.ndarray, " n"]
    ood: Float64[np.ndarray, " n"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Finder:
    """A finder that is ready to run; safe to call from several threads.

    Args:
        card: What it is.
        folder: Its bundle.
        sha256: Of the card, and with it of every file of the bundle.
        networks: One per stage.
    """

    card: FinderCard
    folder: Path
    sha256: str
    networks: tuple[Network, ...]

    def __call__(self, cutouts: Cutouts) -> Scores:
        """Return one row of scores per cutout, in their order; each is fitted first.

        Raises:
            InputError: The cutouts lack a band of the finder, are of the wrong kind or too small.
        """
        step = self.chunk_rows
        chunks = (cutouts[start : start + step] for start in range(0, len(cutouts), step))
        parts = list(self.stream(_fit_all(chunk, self.card.input) for chunk in chunks))
        n_class = len(self.card.classes)
        found = [part.probabilities for part in parts] or [np.empty((0, n_class))]
        stages = [part.stage for part in parts] or [np.empty(0, np.int8)]
        return Scores(
            ids=cutouts.ids,
            classes=self.card.classes,
            positive=self.card.positive,
            probabilities=np.concatenate(found).astype(np.float32),
            status=tuple(row.status for part in parts for row in part.rows),
            stage=np.concatenate(stages),
        )

    @property
    def chunk_rows(self) -> int:
        """How many cutouts to read and score together; the scores do not depend on it.

        It is less than 256, the row groups of a shard, only where cutouts may be large.
        """
        cutout_bytes = 4 * len(self.card.input.bands) * self.card.input.max_side**2
        return max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // cutout_bytes))

    def stream(self, readings: Iterable[Reading]) -> Iterator[Sieved]:
        """Score readings one after the other, several at once; the order is kept."""
        return ahead(self.score, readings, threads=self.networks[0].threads, waiting=_WAITING)

    def score(self, reading: Reading) -> Sieved:
        """Score the rows of one reading, in the calling thread.

        A row's numbers are the same to the last bit whatever other rows the reading holds.
        """
        probabilities = np.full((len(reading.rows), len(self.card.classes)), np.nan)
        doubt = np.full((len(reading.rows), 2), np.nan)
        stage = np.zeros(len(reading.rows), np.int8)
        for group in reading.groups:
            found = self._sieve(group.pixels)
            probabilities[group.index], doubt[group.index], stage[group.index] = found
        rows = list(reading.rows)
        for k in np.flatnonzero((stage > 0) & np.isnan(probabilities).any(axis=1)):
            rows[k] = _without_number(rows[k])
            probabilities[k], doubt[k], stage[k] = np.nan, np.nan, 0
        spread_, ood = doubt.T
        for k in np.flatnonzero(ood < UNUSUAL):
            rows[k] = replace(rows[k], flags=tuple(sorted({*rows[k].flags, FLAG})))
        return Sieved(
            rows=tuple(rows), probabilities=probabilities, stage=stage, spread=spread_, ood=ood
        )

    def p_survey(self, sieved: Sieved, prior: float) -> Float64[np.ndarray, " n"]:
        """Return the probability of the positive class where another fraction is positive.

        Args:
            sieved: What the sieve said.
            prior: The fraction of positives that is expected, in (0, 1).
        """
        fitted = np.array([0.5] + [stage.calibration.prior for stage in self.card.stages])
        p = sieved.probabilities[:, self.card.positive_index]
        return at_prior(p, fitted[sieved.stage], prior)

    def _sieve(
        self, pixels: Float32[np.ndarray, "n band y x"]
    ) -> tuple[Float64[np.ndarray, "n class"], Float64[np.ndarray, "n 2"], Int8[np.ndarray, " n"]]:
        """Return calibrated probabilities, spread and share, and the last stage of each row."""
        positive = self.card.positive_index
        probabilities = np.empty((len(pixels), len(self.card.classes)))
        doubt = np.empty((len(pixels), 2))
        reached = np.zeros(len(pixels), np.int8)
        left = np.arange(len(pixels))
        side = math.sqrt(pixels.shape[2] * pixels.shape[3])
        for k, (stage, network) in enumerate(zip(self.card.stages, self.networks, strict=True)):
            # The first stage sees all rows: no copy of them is made.
            numbers = network.numbers(pixels[left] if k else pixels).astype(np.float64)
            logits, extras = np.split(numbers, [len(self.card.classes)], axis=1)
            doubt[left] = _doubt(stage, extras)
            finite = np.isfinite(logits).all(axis=1)
            logits[~finite] = 0
            found = stage.field_size(margin(logits, positive), side)
            probabilities[left] = spread(stage.calibration(found), logits, positive)
            probabilities[left[~finite]] = np.nan
            reached[left] = k + 1
            if stage.pass_logit is None:
                break
            left = left[finite & (found >= stage.pass_logit)]
            if not len(left):
                break
        return probabilities, doubt, reached


def _doubt(stage: Stage, extras: Float64[np.ndarray, "n extra"]) -> Float64[np.ndarray, "n 2"]:
    """Return spread and the share of stranger calibration rows, NaN where the stage says neither."""
    said = np.full((len(extras), 2), np.nan)
    columns = dict(zip(stage.extras, extras.T, strict=True))
    if "spread" in columns:
        said[:, 0] = columns["spread"]
    if stage.strangeness is not None:
        said[:, 1] = stage.strangeness(columns["strangeness"])
    return said


def _without_number(row: Row) -> Row:
    return replace(row, status=Status.NONFINITE, message=NO_NUMBER)


def _fit_all(cutouts: Cutouts, spec: InputSpec) -> Reading:
    """Fit cutouts to what a finder wants, as a run does after reading them from files."""
    fitted = fit_stack(
        cutouts.pixels, cutouts.bands, cutouts.kind, cutouts.pixel_scale_arcsec, spec
    )
    rows = tuple(
        Row(
            id=cutouts.ids[k],
            source=cutouts.sources[k],
            row=cutouts.rows[k],
            ra_deg=float(cutouts.ra_deg[k]),
            dec_deg=float(cutouts.dec_deg[k]),
            status=fitted.status[k],
            message=fitted.messages[k],
            flags=tuple(sorted({*cutouts.flags[k], *fitted.flags[k]})),
        )
        for k in range(len(cutouts))
    )
    good = np.flatnonzero([row.status is Status.OK for row in rows])
    groups = (Group(index=good, pixels=fitted.pixels[good]),) if len(good) else ()
    return Reading(rows=rows, groups=groups)
