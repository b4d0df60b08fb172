from roseq_allennlp.data.dataset_readers.column_reader import ColumnReader as ColumnReader
from roseq_allennlp.data.dataset_readers.conll2002 import Conll2002Reader as Conll2002Reader
from roseq_allennlp.data.dataset_readers.conll2003_ner import Conll2003NerReader as Conll2003NerReader
from roseq_allennlp.data.dataset_readers.ner_reader import NerReader as NerReader
from roseq_allennlp.data.dataset_readers.spans_reader import SpansReader as SpansReader
from roseq_allennlp.data.dataset_readers.wnut import WnutReader as WnutReader
