from os import PathLike
from typing import Union

from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.models.archive_files import MAX_SIZE
from roseq_allennlp.predictors.forking import gate
from roseq_allennlp.predictors.ner_tagger import NerTagger


def load(
    archive_path: Union[str, PathLike],
    cuda_device: int = -1,
    processes: int = 1,
    bfloat16: bool = False,
    sentence_pipe: str = "sentencizer",
    max_size: int = MAX_SIZE,
) -> NerTagger:
    """
    Loads a trained archive (`model.tar.gz`, or the directory of a run) for tagging. Nothing in it is executed, so it
    may be untrusted.

    # Parameters

    archive_path : `Union[str, PathLike]`
    cuda_device : `int`, optional (default = `-1`)
        Number of the GPU, -1 for the CPU.
    processes, bfloat16, sentence_pipe : `int`, `bool` and `str`, optional
        See `NerTagger`.
    max_size : `int`, optional (default = `2**32`)
        Limit of the unpacked archive's size, in bytes.

    # Returns

    `NerTagger`
        With `tag("…")`, `tag_document("…")`, `tag_tokens([…])` and `tag_many(iterable)`.

    # Raises

    `ConfigurationError`, see `roseq_allennlp.models.archive.load_archive`.
    """
    with gate.inside():  # loading holds locks of torch and of imports, which a fork must not inherit
        archive = load_archive(archive_path, cuda_device, max_size=max_size)
        options = {"processes": processes, "bfloat16": bfloat16, "sentence_pipe": sentence_pipe}
        tagger = NerTagger.from_archive(archive, extra_args=options)
    assert isinstance(tagger, NerTagger)
    return tagger
