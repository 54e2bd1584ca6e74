"""The verbs of the command line, composed from the parts below."""

from __future__ import annotations

from skysieve.measure.own_labels import own_labels
from skysieve.measure.thresholds import Intent
from skysieve.pipeline.asked import EvaluateLabels
from skysieve.pipeline.demonstrating import SAMPLE, demo
from skysieve.pipeline.evaluating import EvaluateSettings, evaluate
from skysieve.pipeline.exploring import ExploreLabels, explore
from skysieve.pipeline.finding import find
from skysieve.pipeline.injecting import inject
from skysieve.pipeline.recovering import RecoverSettings, recover, recover_simulated
from skysieve.pipeline.reporting import ReportPaths, ReportWants, rank, report
from skysieve.pipeline.simulating import simulate
from skysieve.pipeline.training import Trained, train
from skysieve.pipeline.tuning import tune
from skysieve.produce.inject_plan import InjectSummary
from skysieve.produce.plan import SetPlan, SetSummary, plan_set
from skysieve.recipe.injection import InjectionPlan
from skysieve.search.run import RunSummary

__all__ = [
    "SAMPLE",
    "EvaluateLabels",
    "EvaluateSettings",
    "ExploreLabels",
    "InjectSummary",
    "InjectionPlan",
    "Intent",
    "RecoverSettings",
    "ReportPaths",
    "ReportWants",
    "RunSummary",
    "SetPlan",
    "SetSummary",
    "Trained",
    "demo",
    "evaluate",
    "explore",
    "find",
    "inject",
    "own_labels",
    "plan_set",
    "rank",
    "recover",
    "recover_simulated",
    "report",
    "simulate",
    "train",
    "tune",
]
