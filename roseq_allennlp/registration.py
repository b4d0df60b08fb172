"""
Imports all that the package registers: models, readers, callbacks, commands with AllenNLP, `corpus://` with `cached_path`.

`import roseq_allennlp` imports this module; the program `roseq` does so when a command needs AllenNLP.
"""

import os
import warnings

from roseq_allennlp import errors
from roseq_allennlp.text import LOGS_VARIABLE, show_logs

with warnings.catch_warnings():
    # Those of AllenNLP's and fairscale's own imports are not for the users of a command to mend.
    warnings.simplefilter("ignore", FutureWarning)
    from allennlp.common import checks

    errors.ConfigurationError.__bases__ = (checks.ConfigurationError,)  # so that AllenNLP's is caught for ours

    from roseq_allennlp import data, evaluation, experiments, models, modules, predictors, scoring, training
    from roseq_allennlp.commands import subcommands
    from roseq_allennlp.data import components
    from roseq_allennlp.predictors import load as load

if os.environ.get(LOGS_VARIABLE):  # a process that one of this package's commands started
    show_logs()

__all__ = [
    "components",
    "data",
    "evaluation",
    "experiments",
    "load",
    "models",
    "modules",
    "predictors",
    "scoring",
    "subcommands",
    "training",
]
