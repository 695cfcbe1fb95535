"""`pulsoid-rec together`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pulsoid_rec.analysis.cli import options
from pulsoid_rec.analysis.cli.report import Format, infer_format
from pulsoid_rec.recorder.cli.options import DbOption, MembersOption, path_option, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_DB
from pulsoid_rec.recorder.contract.errors import UsageError

Measure = Literal["isc", "eigenvalue", "wcc", "wcc-absolute", "mdrqa"]
Preparation = Literal["high-pass", "differences", "raw"]
