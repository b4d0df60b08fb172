"""The systems whose runs are compared: those of Table IV, and some beside them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """
    # Parameters

    title : `str`
        Its name in Table IV.
    components : `Tuple[str, ...]`
        The switches that are on; `ROSEQ_COMPONENTS` lists them, separated by commas.
    in_table_iv : `bool`, optional (default = `True`)
        Whether the paper's Table IV has this system.
    """

    title: str
    components: tuple[str, ...]
    in_table_iv: bool = True


SYSTEMS = {
    "base": System("Base Model", ()),
    "base+lacrf": System("+LACRF", ("lacrf",)),
    "base+fl": System("+FL", ("fl",)),
    "base+at": System("+AT", ("at",)),
    "base+lacrf+fl": System("+LACRF +FL", ("lacrf", "fl")),
    "base+lacrf+at": System("+LACRF +AT", ("lacrf", "at")),
    "base+fl+at": System("+FL +AT", ("fl", "at")),
    "roseq": System("RoSeq Model", ("lacrf", "fl", "at")),
    "best": System("best", ("lacrf", "fl", "at", "best"), in_table_iv=False),
}
"""Systems by their name in results, in the order of Table IV; `best` is RoSeq with additions that the paper lacks."""

PEERS = {
    "token_classifier": "token classifier",
    "crf_tagger": "AllenNLP's crf_tagger",
    "flair": "Flair's BiLSTM-CRF",
    "spacy": "spaCy's tok2vec + ner",
}
"""The systems of others, which benchmarks/ trains on the same data."""

TITLES = {name: system.title for name, system in SYSTEMS.items()} | PEERS
"""What results call their systems."""

TABLE_IV = [name for name, system in SYSTEMS.items() if system.in_table_iv]
