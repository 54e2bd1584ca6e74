"""The verbs of the command line, composed from the parts below."""

from __future__ import annotations

from skysieve.pipeline.demonstrating import SAMPLE, demo
from skysieve.pipeline.exploring import ExploreLabels, explore
from skysieve.pipeline.finding import find
from skysieve.pipeline.injecting import inject
from skysieve.pipeline.reporting import ReportPaths, rank, report
from skysieve.pipeline.simulating import simulate
from skysieve.produce.inject_plan import InjectSummary
from skysieve.produce.plan import SetPlan, SetSummary, plan_set
from skysieve.recipe.injection import InjectionPlan
from skysieve.search.run import RunSummary

__all__ = [
    "SAMPLE",
    "ExploreLabels",
    "InjectSummary",
    "InjectionPlan",
    "ReportPaths",
    "RunSummary",
    "SetPlan",
    "SetSummary",
    "demo",
    "explore",
    "find",
    "inject",
    "plan_set",
    "rank",
    "report",
    "simulate",
]
