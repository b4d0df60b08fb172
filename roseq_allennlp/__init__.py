"""
RoSeq for AllenNLP. Importing the package registers its components, so `--include-package roseq_allennlp` is all a
config needs; `load` opens a trained archive.
"""

import warnings
from os import PathLike
from typing import Union

with warnings.catch_warnings():
    # Those of AllenNLP's and fairscale's own imports are not for the users of a command to mend.
    warnings.simplefilter("ignore", FutureWarning)
    from roseq_allennlp import commands, data, evaluation, models, modules, predictors, training
    from roseq_allennlp.models.archive import load_archive
    from roseq_allennlp.predictors import NerTagger
    from roseq_allennlp.predictors.forking import gate

__all__ = ["commands", "data", "evaluation", "load", "models", "modules", "predictors", "training"]


def load(
    archive_path: Union[str, PathLike], cuda_device: int = -1, processes: int = 1, bfloat16: bool = False
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

    # Returns

    `NerTagger`
        With `tag("…")`, `tag_tokens([…])` and `tag_many(iterable)`.

    # Raises

    `ConfigurationError`, see `roseq_allennlp.models.archive.load_archive`.
    """
    with gate.inside():  # locks of torch and of imports are held there, which a fork must not inherit
        archive = load_archive(archive_path, cuda_device)
        tagger = NerTagger.from_archive(archive, extra_args={"processes": processes, "bfloat16": bfloat16})
    assert isinstance(tagger, NerTagger)
    return tagger
