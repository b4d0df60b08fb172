"""
RoSeq for AllenNLP. Importing the package registers its components, so `--include-package roseq_allennlp` is all a
config needs; `load` opens a trained archive.
"""

import os
import sys
import warnings
from os import PathLike
from typing import Union

# `python -m roseq_allennlp` has the working directory first on the path of imports, where no code of others must be found.
if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()] != [os.path.dirname(os.path.dirname(__file__))]:
    del sys.path[0]

with warnings.catch_warnings():
    # Those of AllenNLP's and fairscale's own imports are not for the users of a command to mend.
    warnings.simplefilter("ignore", FutureWarning)
    from roseq_allennlp import commands, data, evaluation, models, modules, predictors, training
    from roseq_allennlp.models.archive import load_archive
    from roseq_allennlp.models.archive_files import MAX_SIZE
    from roseq_allennlp.predictors import NerTagger

__all__ = ["commands", "data", "evaluation", "load", "models", "modules", "predictors", "training"]


def load(
    archive_path: Union[str, PathLike],
    cuda_device: int = -1,
    processes: int = 1,
    bfloat16: bool = False,
    max_size: int = MAX_SIZE,
) -> NerTagger:
    """
    Loads a trained archive (`model.tar.gz`, or the directory of a run) for tagging. Nothing in it is executed, so it may
    come from a stranger.

    # Parameters

    archive_path : `Union[str, PathLike]`
    cuda_device : `int`, optional (default = `-1`)
        Number of the GPU, -1 for the CPU.
    processes, bfloat16 : `int` and `bool`, optional
        See `NerTagger`.
    max_size : `int`, optional (default = `2**32`)
        Of the unpacked archive, in bytes.

    # Returns

    `NerTagger`
        With `tag("…")`, `tag_tokens([…])` and `tag_many(iterable)`.

    # Raises

    `ConfigurationError`, see `roseq_allennlp.models.archive.load_archive`.
    """
    archive = load_archive(archive_path, cuda_device, max_size=max_size)
    tagger = NerTagger.from_archive(archive, extra_args={"processes": processes, "bfloat16": bfloat16})
    assert isinstance(tagger, NerTagger)
    return tagger
