"""
The factory `roseq` of spaCy's pipelines, which every program with spaCy imports: so it stands beside the package, and imports
that, with AllenNLP and torch, only when a pipe is made.
"""

from typing import Any, Dict, Optional, Union

from spacy.language import Language

_DEFAULTS = {"archive": None, "min_probability": 0.0, "spans_key": None, "overwrite_ents": False}


@Language.factory("roseq", assigns=["doc.ents"], default_config=_DEFAULTS)
def make_roseq(
    nlp: Language,
    name: str,
    archive: Optional[str],
    min_probability: Union[float, Dict[str, float]],
    spans_key: Optional[str],
    overwrite_ents: bool,
) -> Any:
    """A pipe that tags with a trained archive, see `roseq_allennlp.integrations.spacy_pipe.RoseqPipe`."""
    from roseq_allennlp.integrations.spacy_pipe import RoseqPipe

    return RoseqPipe(nlp.vocab, name, archive, min_probability, spans_key, overwrite_ents)
