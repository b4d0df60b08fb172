"""What `--min-probability` and `--review` of a command stand for."""

import argparse
from typing import Optional

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.thresholds import parsed_thresholds


def least_probabilities(args: argparse.Namespace, tagger: NerTagger) -> Optional[dict[str, float]]:
    """
    Returns the least probability by type; `None` where none was asked for.

    # Raises

    `ConfigurationError`: it has another form, or the tagger lacks its types or has no thresholds.
    """
    try:
        return tagger.thresholds(None if args.min_probability is None else parsed_thresholds(args.min_probability))
    except ValueError as error:
        raise ConfigurationError(f"--min-probability {args.min_probability}: {error}.") from error
