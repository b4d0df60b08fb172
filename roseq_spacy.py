"""
The factory `roseq` of spaCy's pipelines, and where a doc keeps what the tagger says. It stands beside the package, and imports
that, with AllenNLP and torch, only when a pipe is made: every program with spaCy may import it.
"""

from bisect import bisect_left
from typing import Any, Dict, Mapping, Optional, Union

from spacy.language import Language
from spacy.tokens import Doc, Span

_DEFAULTS = {"archive": None, "min_probability": None, "review": False, "spans_key": None, "overwrite_ents": False}
_SCORES = {"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None}  # as of spaCy's ner


@Language.factory("roseq", assigns=["doc.ents"], default_config=_DEFAULTS, default_score_weights=_SCORES)
def make_roseq(
    nlp: Language,
    name: str,
    archive: Optional[str],
    min_probability: Union[float, Dict[str, float], str, None],
    review: bool,
    spans_key: Optional[str],
    overwrite_ents: bool,
) -> Any:
    """A pipe that tags with a trained archive, see `roseq_allennlp.integrations.spacy_pipe.RoseqPipe`."""
    from roseq_allennlp.integrations.spacy_pipe import RoseqPipe

    return RoseqPipe(nlp.vocab, name, archive, min_probability, review, spans_key, overwrite_ents)


def _entity_of(span: Span) -> Mapping[str, Any]:
    """What `doc._.roseq` has of a span; nothing if the tagger does not have it."""
    entities = (span.doc._.roseq or {}).get("entities", [])  # which do not overlap
    index = bisect_left(entities, span.start_char, key=lambda entity: entity["start"])
    for entity in entities[index : index + 1]:
        if (entity["start"], entity["end"], entity["label"]) == (span.start_char, span.end_char, span.label_):
            return dict(entity)
    return {}


def _probability(span: Span) -> Optional[float]:
    return _entity_of(span).get("probability")


def _review(span: Span) -> bool:
    return bool(_entity_of(span).get("review"))


# Named functions, which are sent to processes that are spawned.
for _class, _name, _extension in (
    (Doc, "roseq", {"default": None}),
    (Span, "probability", {"getter": _probability}),
    (Span, "review", {"getter": _review}),
):
    if not _class.has_extension(_name):  # of another package, or of this module before it was reloaded
        _class.set_extension(_name, **_extension)
