"""Archives on the Hugging Face Hub: `hf://user/model`, or `hf://user/model@revision`."""

import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Optional

import requests
from allennlp.common.checks import ConfigurationError
from allennlp.common.meta import META_NAME
from allennlp.models.archival import CONFIG_NAME
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from roseq_allennlp.data.encoder_files import ENCODER
from roseq_allennlp.models.archive_config import ArchiveError
from roseq_allennlp.models.archive_files import MEMBERS, SIZES
from roseq_allennlp.models.archive_weights import SAFETENSORS
from roseq_allennlp.models.description import METRICS_NAME

HUB = "hf://"
_FILES = (CONFIG_NAME, META_NAME, METRICS_NAME, SAFETENSORS)
_FOLDERS = ("vocabulary", ENCODER)
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def download(address: str, max_size: int) -> Path:
    """
    The files of an archive in the Hub's cache; with `HF_HUB_OFFLINE`, and where the Hub does not answer, as they were
    fetched before. Pickled weights are not fetched.

    # Parameters

    address : `str`
        `hf://user/model`, or `hf://user/model@revision`: a branch, a tag or a commit.
    max_size : `int`
        Limit of all files, in bytes, as the Hub states them; `copy_snapshot` counts again.

    # Raises

    `ConfigurationError`: there is no such model, revision or connection, or it is no archive.
    """
    name, _, revision = address.removeprefix(HUB).partition("@")
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{address}: give hf://USER/MODEL, or hf://USER/MODEL@REVISION.")
    patterns = [*_FILES, *(f"{folder}/*" for folder in _FOLDERS)]
    try:
        if not constants.HF_HUB_OFFLINE:
            try:
                _check_files(address, name, revision or None, max_size)
            except (requests.ConnectionError, requests.Timeout):
                return Path(snapshot_download(name, revision=revision or None, local_files_only=True))
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=patterns))
    except GatedRepoError as error:
        reason = "its owner has to let you in. Ask on its page, and log in: hf auth login"
        raise ConfigurationError(f"{address}: {reason}.") from error
    except RepositoryNotFoundError as error:
        reason = "the Hub has no such model, or it is private. Look at the name, or log in: hf auth login"
        raise ConfigurationError(f"{address}: {reason}.") from error
    except RevisionNotFoundError as error:
        raise ConfigurationError(f"{address}: the model has no revision {revision}.") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        reason = "it is not in the Hub's cache here, and there is no connection. Load it once with one"
        raise ConfigurationError(f"{address}: {reason}.") from error
    except (HfHubHTTPError, requests.RequestException, OSError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ConfigurationError(f"{address}: it could not be fetched ({reason}).") from error


def _check_files(address: str, name: str, revision: Optional[str], max_size: int) -> None:
    siblings = HfApi().model_info(name, revision=revision, files_metadata=True).siblings or []
    if not {CONFIG_NAME, SAFETENSORS} <= {file.rfilename for file in siblings}:
        raise ConfigurationError(
            f"{address}: it has no {CONFIG_NAME} or no {SAFETENSORS}, so it is no tagger that push_to_hub wrote."
        )
    size = sum(file.size or 0 for file in siblings if _is_wanted(PurePosixPath(file.rfilename)))
    if size > max_size or len(siblings) > MEMBERS:
        raise ConfigurationError(
            f"{address}: refused, it has {len(siblings):,} files and {size:,} bytes, and at most {MEMBERS:,} and {max_size:,}"
            " are allowed. If you trust it, give a larger max_size."
        )


def _is_wanted(path: PurePosixPath) -> bool:
    return str(path) in _FILES or (len(path.parts) == 2 and path.parts[0] in _FOLDERS)


def is_snapshot(path: Path) -> bool:
    """Whether a path is a directory in the Hub's cache."""
    return path.parent.name == "snapshots" and path.is_relative_to(constants.HF_HUB_CACHE)


def copy_snapshot(path: Path, directory: Path, max_size: int) -> None:
    """
    Copies an archive out of the Hub's cache, where its files are links.

    # Raises

    `ArchiveError`: a link leads out of the model's part of the cache, or the files are larger than `max_size`.
    """
    root, size = path.parents[1].resolve(), 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            relative = file.relative_to(path)
            if not _is_wanted(PurePosixPath(relative)):
                continue
            target = file.resolve()
            if not target.is_relative_to(root) or not target.is_file():
                raise ArchiveError(f"refused, its {relative} is a link to a file elsewhere. Fetch it again.")
            bytes_of_file = target.stat().st_size
            size += bytes_of_file
            if size > max_size or bytes_of_file > SIZES.get(str(relative), max_size):
                raise ArchiveError(
                    f"refused, its {relative} has {bytes_of_file:,} bytes, and its files {size:,} up to here. If you trust it,"
                    " give a larger max_size."
                )
            (directory / relative).parent.mkdir(exist_ok=True)
            shutil.copyfile(target, directory / relative)
