"""
RoSeq for AllenNLP. Importing the package registers its components, so `--include-package roseq_allennlp` is all a
config needs; `load` opens a trained archive.
"""

import os
import sys
import warnings

# `python -m roseq_allennlp` has the working directory first on the path of imports, where no code of others must be found.
if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()] != [os.path.dirname(os.path.dirname(__file__))]:
    del sys.path[0]

with warnings.catch_warnings():
    # Those of AllenNLP's and fairscale's own imports are not for the users of a command to mend.
    warnings.simplefilter("ignore", FutureWarning)
    from roseq_allennlp import commands, data, evaluation, experiments, models, modules, predictors, scoring, training
    from roseq_allennlp.predictors import load
    from roseq_allennlp.text import LOGS_VARIABLE, show_logs

if os.environ.get(LOGS_VARIABLE):  # a process that one of this package's commands started
    show_logs()

__all__ = [
    "commands",
    "data",
    "evaluation",
    "experiments",
    "load",
    "models",
    "modules",
    "predictors",
    "scoring",
    "training",
]
