"""What a run of fine-tuning is to be."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from allennlp.common.checks import ConfigurationError

_READ = {"train": "train_data_path", "dev": "validation_data_path"}  # keys of a config, for those of a request
_IGNORED = {"type", "datasets_for_vocab_creation"}  # the latter is for AllenNLP's command, in distributed training


class FineTuning(NamedTuple):
    """
    # Parameters

    archive : `str`
        A `model.tar.gz`, also an address, or the directory of a run.
    train : `str`
        A labelled file, or `corpus://NAME/SPLIT`, in the archive's format or in another that is recognised.
    dev : `str`, optional
        Chooses the best epoch. Without it the last one is kept.
    types : `List[str]`, optional (default = those in `train`)
        The entity types that are taken from `train`; entities of others there are left out.
    replay : `Dict[str, float]`, optional
        Files with older training data, and the share of their sentences that is trained on too, above 0 and at most 1.
    vectors : `str`, optional
        A file of word vectors, of the kind that the archive was trained with, for the words that it lacks.
    layer_decay : `float`, optional (default = `1`)
        What the learning rate is multiplied by for each layer below the emissions, see `training.layer_rates`.
    overrides : `Dict[str, Any]`, optional
        For the archive's config, with dotted keys.
    unmarked : `str`, optional (default = `"unknown"` with `replay`, else `"O"`)
        What a token of `train` is that no entity marks and to which the archive gives a type that `train` lacks: `O`, or
        `unknown`, where any tag is possible, see `unannotated.with_unknown_tags`.
    """

    archive: str
    train: str
    dev: Optional[str] = None
    types: Optional[list[str]] = None
    replay: dict[str, float] = {}
    vectors: Optional[str] = None
    layer_decay: float = 1.0
    overrides: dict[str, Any] = {}
    unmarked: Optional[str] = None


def requested(config: Mapping[str, Any]) -> FineTuning:
    """
    # Parameters

    config : `Mapping[str, Any]`
        As `training_configs/lib/finetune.libsonnet` gives it.

    # Raises

    `ConfigurationError`: it has other keys, or a value of another type.
    """
    keys = {_READ.get(field, field): field for field in FineTuning._fields}
    unknown = sorted(config.keys() - keys.keys() - _IGNORED)
    missing = [key for key in ("archive", "train_data_path") if not isinstance(config.get(key), str)]
    if unknown or missing:
        what = f"there is no {unknown}" if unknown else f"{missing} must be the name of a file"
        raise ConfigurationError(f"finetune: {what}. Its keys are {', '.join(keys)}.")
    values = {keys[key]: value for key, value in config.items() if key in keys and value is not None}
    return FineTuning(**values)


def check_request(request: FineTuning) -> None:
    """Raises `ConfigurationError` for a value of another type or out of range."""
    if not isinstance(request.replay, dict):
        raise ConfigurationError(f"replay: must be an object of files and shares; got {request.replay!r}.")
    for path, share in request.replay.items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
            raise ConfigurationError(
                f"replay: the share of {path} must be above 0 and at most 1, such as 0.3; got {share!r}."
            )
    kinds = {"types": list, "overrides": dict, "archive": str, "train": str, "dev": str, "vectors": str}
    for field, kind in kinds.items():
        value = getattr(request, field)
        if value is not None and not isinstance(value, kind):
            raise ConfigurationError(f"{field}: must be of type {kind.__name__}; got {value!r}.")
    if not isinstance(request.layer_decay, (int, float)) or not 0 < request.layer_decay <= 1:
        raise ConfigurationError(f"layer_decay must be above 0 and at most 1; got {request.layer_decay!r}.")
    types = request.types
    if types is not None and not (types and all(isinstance(label, str) and label for label in types)):
        raise ConfigurationError(f"types: name at least one, or leave it out for all that the data has; got {types!r}.")
    if request.unmarked not in (None, "O", "unknown"):
        raise ConfigurationError(f"unmarked: must be O or unknown; got {request.unmarked!r}.")
