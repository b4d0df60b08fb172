import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.models import Model
from huggingface_hub import HfApi

from roseq_allennlp.models.archive import unpack_with_safetensors
from roseq_allennlp.models.description import Description, types_of
from roseq_allennlp.predictors.model_card import model_card


class Described:
    """What a tagger that `load` has opened says of itself, and how it is shared."""

    _model: Model
    description: Optional[Description] = None
    """`None` for one that `load` has not opened."""

    source: Optional[Union[str, PathLike]] = None
    """The archive it was loaded from."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Entity types, in alphabetical order."""
        tags = self._model.vocab.get_token_to_index_vocabulary(getattr(self._model, "label_namespace", "labels"))
        return types_of(tags)

    @property
    def metrics(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """
        Scores of the run by split, entity type or `overall`, and name: `metrics["development"]["overall"]["f1"]`, from 0 to
        1. Empty for archives that were written without them.
        """
        return {} if self.description is None else self.description.metrics

    def __repr__(self) -> str:
        if self.description is None:
            return f"{type(self).__name__}(labels: {', '.join(self.labels)})"
        return f"{type(self).__name__}({'; '.join(f'{name}: {value}' for name, value in self.description.lines())})"

    def _repr_html_(self) -> Optional[str]:
        """What a notebook shows; it takes the text where it is `None`."""
        return None if self.description is None else self.description._repr_html_()

    def push_to_hub(
        self,
        repo_id: str,
        private: Optional[bool] = None,
        license: Optional[str] = None,
        token: Optional[str] = None,
        revision: Optional[str] = None,
        commit_message: str = "Tagger of roseq-allennlp",
    ) -> str:
        """
        Uploads the archive that this tagger was loaded from, with its weights as safetensors and a model card, to the Hugging
        Face Hub. `load("hf://USER/MODEL")` opens it there.

        # Parameters

        repo_id : `str`
            `USER/MODEL`; made if it is not there.
        private : `bool`, optional
            Whether a new one is private; by default as the user's settings on the Hub say.
        license : `str`, optional
            Of the model, by its name on the Hub, such as `apache-2.0`. Licences of corpora of the catalogue are on the card.
        token : `str`, optional
            By default that of `hf auth login`, or `HF_TOKEN`.
        revision : `str`, optional
            Branch to upload to, which has to exist; the main one by default.
        commit_message : `str`, optional

        # Returns

        `str`
            The address of the commit.

        # Raises

        `ConfigurationError`: the tagger was not opened by `load`, or its archive has gone or changed.
        `huggingface_hub.errors.HfHubHTTPError`: the Hub refuses it.
        """
        if self.source is None:
            raise ConfigurationError("push_to_hub uploads the archive of a tagger: open it by roseq_allennlp.load.")
        with tempfile.TemporaryDirectory() as temporary:
            description = unpack_with_safetensors(self.source, Path(temporary))
            if description != self.description:
                raise ConfigurationError(f"{self.source} has changed since it was loaded: load it again.")
            model_card(repo_id, description, license).save(Path(temporary, "README.md"))
            api = HfApi(token=token)
            api.create_repo(repo_id, private=private, exist_ok=True)
            commit: Any = api.upload_folder(
                repo_id=repo_id, folder_path=temporary, revision=revision, commit_message=commit_message
            )
        return str(commit.commit_url)
