from typing import Optional

from allennlp.data import DatasetReader

from roseq_allennlp.data.dataset_readers.column_reader import ColumnReader


@DatasetReader.register("wnut")
class WnutReader(ColumnReader):
    """
    WNUT-2016 and WNUT-2017, English tweets and other noisy text: `token<TAB>tag`, IOB2.

    # Parameters

    All those of `ColumnReader`, these with other defaults.

    separator : `str`, optional (default = `"\\t"`)
    tag_column : `int`, optional (default = `1`)
    tag_scheme : `str`, optional (default = `"IOB2"`)
    language : `str`, optional (default = `"en"`)
    """

    def __init__(
        self,
        separator: Optional[str] = "\t",
        tag_column: int = 1,
        tag_scheme: Optional[str] = "IOB2",
        language: str = "en",
        **kwargs,
    ) -> None:
        super().__init__(separator=separator, tag_column=tag_column, tag_scheme=tag_scheme, language=language, **kwargs)
