from allennlp.data import DatasetReader

from roseq_allennlp.data.dataset_readers.column_reader import ColumnReader


@DatasetReader.register("conll2003_ner")
class Conll2003NerReader(ColumnReader):
    """
    CoNLL-2003, English: `token POS chunk tag`. The scheme is detected: IOB1 in the original, IOB2 in many copies.
    The name `conll2003` is that of AllenNLP's own reader.

    # Parameters

    All those of `ColumnReader`, these with other defaults.

    tag_column : `int`, optional (default = `3`)
    language : `str`, optional (default = `"en"`)
    """

    def __init__(self, tag_column: int = 3, language: str = "en", **kwargs) -> None:
        super().__init__(tag_column=tag_column, language=language, **kwargs)
