from os import PathLike
from typing import Any, Optional, Union

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.models.archive import load_described
from roseq_allennlp.models.archive_files import MAX_SIZE
from roseq_allennlp.models.hub import HUB
from roseq_allennlp.predictors.forking import gate
from roseq_allennlp.predictors.ner_tagger import NerTagger


def load(
    archive_path: Union[str, PathLike],
    cuda_device: int = -1,
    processes: int = 1,
    bfloat16: bool = False,
    sentence_pipe: str = "sentencizer",
    encoder: Optional[str] = None,
    max_size: int = MAX_SIZE,
    revision: Optional[str] = None,
) -> NerTagger:
    """
    Loads a trained archive for tagging. Nothing in it is executed, so it may be untrusted.

    # Parameters

    archive_path : `Union[str, PathLike]`
        A `model.tar.gz`, the directory of a run, or `hf://user/model` on the Hugging Face Hub.
    cuda_device : `int`, optional (default = `-1`)
        Number of the GPU, -1 for the CPU.
    processes, bfloat16, sentence_pipe, encoder : `int`, `bool`, `str` and `str`, optional
        See `NerTagger`.
    max_size : `int`, optional (default = `2**32`)
        Limit of the unpacked archive's size, in bytes.
    revision : `str`, optional
        Branch, tag or commit on the Hub.

    # Returns

    `NerTagger`
        With `tag("…")`, `tag_document("…")`, `tag_tokens([…])` and `tag_many(iterable)`.

    # Raises

    `ConfigurationError`, see `roseq_allennlp.models.archive.load_archive`.
    """
    if revision is not None:
        if not str(archive_path).startswith(HUB) or "@" in str(archive_path):
            raise ConfigurationError(f"{archive_path} has no revision {revision}: only hf://USER/MODEL has revisions.")
        archive_path = f"{archive_path}@{revision}"
    with gate.inside():  # loading holds locks of torch and of imports, which a fork must not inherit
        archive, description = load_described(archive_path, cuda_device, max_size=max_size)
        options: dict[str, Any] = {"processes": processes, "bfloat16": bfloat16, "sentence_pipe": sentence_pipe}
        tagger = NerTagger.from_archive(archive, extra_args={**options, "encoder": encoder})
    assert isinstance(tagger, NerTagger)
    tagger.description, tagger.source = description, archive_path
    return tagger
