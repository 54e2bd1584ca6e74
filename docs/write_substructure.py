"""Print the table of difficulty of docs/substructure.md: ``python docs/write_substructure.py``."""

from __future__ import annotations

import numpy as np

from skysieve.recipe.substructure import SUBSTRUCTURE_MODELS
from skysieve.simulate.substructure import simulate_substructure

SEED, COUNT = 1, 48
SHARES = (16, 50, 84)


def main() -> None:
    """Print percentiles of the signal to noise of images, and of what clumps change in them."""
    print("| model | peak S/N | S/N of the difference, `sphere` | of `vort` |\n|---|---|---|---|")
    for name, plan in SUBSTRUCTURE_MODELS.items():
        flux = plan.model_copy(update={"scaled": False})
        no, *others = (
            simulate_substructure(flux, kind=kind, seed=SEED, first=0, count=COUNT, compiled=False)
            for kind in ("no", "sphere", "vort")
        )
        sky = (no.pixels - no.noise_free)[:, :, :12, :12].std((1, 2, 3), keepdims=True)
        time = no.parameters["exposure_s"][:, None, None, None]
        sigma = np.sqrt(sky**2 + np.maximum(no.noise_free, 0) / time)
        told = [no.parameters["peak_snr"]]
        for images in others:
            change = (images.noise_free - no.noise_free) / sigma
            told.append(np.sqrt(np.square(change).sum((1, 2, 3))))
        cells = (
            ", ".join(f"{value:.0f}" for value in np.percentile(column, SHARES)) for column in told
        )
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
