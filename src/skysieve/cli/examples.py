"""The examples under each ``--help``; the tests run them in a folder with ``cutouts/``."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "skysieve": (
        "skysieve demo",
        "skysieve find cutouts/ --finder lens-gri --out run",
    ),
    "demo": ("skysieve demo --out demo-run",),
    "find": (
        "skysieve find cutouts/ --finder lens-gri --out run",
        "skysieve find 'cutouts/*.npy' --finder lens-gri --bands g,r,i --prior 0.001 --out run-gri",
    ),
    "rank": (
        "skysieve rank run -n 10",
        "skysieve rank run -n 100 --json",
    ),
    "report": (
        "skysieve report run",
        "skysieve report run --labels labels.csv --where source=visual",
        "skysieve report run --labels labels.csv --by source --inspect 10 --completeness 0.9 --prior 0.001",
    ),
    "explore": (
        "skysieve explore cutouts/ --out explored",
        "skysieve explore cutouts/ --labels labels.csv --where source=visual --out explored-visual",
    ),
    "evaluate": (
        "skysieve evaluate lens-gri --data cutouts/ --labels labels.csv --out compared",
        "skysieve evaluate lens-gri --data cutouts/ --labels labels.csv --by source --out by-source",
    ),
    "simulate": (
        "skysieve simulate lens-gri -n 2000 --out sky",
        "skysieve simulate deeplense-lens --out set --layout deeplense --no-truth",
        "skysieve simulate substructure -n 3000 --out halos --layout deeplense --set model=II",
        "skysieve simulate compound -n 1200 --out kinds",
        "skysieve simulate survey -n 10000 --out faint --set lens.min_arc_snr=20 --seed 7",
    ),
    "inject": (
        "skysieve inject sky/images --out injected --survey cfhtls --zero-point 30",
        "skysieve inject 'cubes/*.fits' --out bright --survey des --snr 40 500 --copies 4",
        "skysieve inject 'hsc/*.npz' --out soft --bands g,r,i,z,y --survey hsc --seeing 0.9",
    ),
    "recover": (
        "skysieve recover lens-gri --scenario lens-gri -n 3000 --out recovered",
        "skysieve recover lens-gri --images 'cubes/*.fits' --survey des --fpr 0.05 --out recovered-des",
    ),
    "train": (
        "skysieve train lens-sieve --data labeled/ --out trained --set learn.phases.0.epochs=4",
        "skysieve train lens-finetune --data labeled/ --from lens-gri --out tuned",
    ),
    "tune": (
        "skysieve tune lens-cnn --data labeled/ --out tuned --trials 2 --set learn.phases.0.epochs=1",
    ),
    "list": (
        "skysieve list finders",
        "skysieve list surveys --json",
    ),
    "doctor": ("skysieve doctor",),
}
"""Commands that can be copied as they are, by the command whose help shows them."""


def examples(command: str) -> str:
    """Return the lines that stand below the options of a command's help."""
    lines = (f"[dim]$[/] [cyan]{line}[/]" for line in EXAMPLES[command])
    return "\n\n".join(("[bold]Examples[/]", *lines))
