from typing import Optional

from allennlp.data import DatasetReader

from roseq_allennlp.data.dataset_readers.column_reader import ColumnReader


@DatasetReader.register("conll2002")
class Conll2002Reader(ColumnReader):
    """
    CoNLL-2002, Dutch and Spanish: `token POS tag`, IOB2.

    # Parameters

    All those of `ColumnReader`, these with other defaults.

    tag_column : `int`, optional (default = `2`)
    tag_scheme : `str`, optional (default = `"IOB2"`)
    """

    def __init__(self, tag_column: int = 2, tag_scheme: Optional[str] = "IOB2", **kwargs) -> None:
        super().__init__(tag_column=tag_column, tag_scheme=tag_scheme, **kwargs)
