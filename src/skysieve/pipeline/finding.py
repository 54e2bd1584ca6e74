"""From images to a ranking with its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skysieve.core.errors import MismatchError
from skysieve.core.watch import Watch, ignore
from skysieve.finder.bundle import list_finders, load
from skysieve.finder.card import FinderCard
from skysieve.finder.cascade import Finder
from skysieve.images import Listing, ReadOptions, could_have, describe_bands, scan
from skysieve.pipeline.reporting import REPORT, report
from skysieve.search.plan import Prior, make_plan, open_run
from skysieve.search.run import RunSummary, search


def find(  # noqa: PLR0913  what is asked of a run, and how it is done
    inputs: Sequence[str | Path],
    finder: str | Path | Finder,
    out: str | Path,
    *,
    options: ReadOptions = ReadOptions(),  # noqa: B008  it is frozen
    prior: Prior | None = None,
    confidence: float | None = None,
    workers: int = 1,
    watch: Watch = ignore,
) -> RunSummary:
    """Rank images: every row of the input has one row in the ranking.

    A run that was stopped goes on when it is called again in the same way, and ends with the
    same bytes as one that was not.

    Args:
        inputs: Folders, globs or files.
        finder: A shipped finder's name, the folder of a bundle, or one that is loaded.
        out: The run's folder: new, empty, or that of the same run.
        options: What the images do not say themselves.
        prior: The fraction of lenses that is expected, in (0, 1); adds ``p_survey``. With
            ``auto`` the scores tell it, if the finder keeps calibration rows and these are like them.
        confidence: How often the set of classes in the column ``conformal`` is to hold the true one,
            in (0, 1), whatever the share of lenses; None has no such column.
        workers: Processes; 1 uses threads.
        watch: Called with the progress.

    Raises:
        InputError: The folder holds something else, or an option cannot be.
        MismatchError: The folder holds another run, no image can have the finder's bands, or the
            finder can promise no confidence.
        MissingError: There is no such finder or input, or no image.
    """
    run = Path(out).absolute()
    loaded = finder if isinstance(finder, Finder) else load(finder)
    listing = scan(inputs, options, watch=watch)
    check_bands(listing, loaded.card)
    plan = make_plan(listing, loaded, prior, confidence)
    open_run(run, plan)
    summary = search(run, plan, loaded, workers=workers, watch=watch)
    if not (run / REPORT).exists():  # one that was made with labels stays
        report(run, watch=watch)
    return summary


def check_bands(listing: Listing, card: FinderCard) -> None:
    """Refuse before anything is written if no image can have the bands of the finder.

    Raises:
        MismatchError: None can.
    """
    if could_have(listing, card.input.bands):
        return
    fitting = [one.name for one in list_finders() if could_have(listing, one.input.bands)]
    raise MismatchError(
        f"{card.name} needs the bands {', '.join(card.input.bands)}; the images have "
        f"{describe_bands(listing)}",
        f"Use --finder {' or '.join(fitting)}"
        if fitting
        else "Name the planes with --bands if that is wrong; no shipped finder fits these bands: "
        "train one",
    )
