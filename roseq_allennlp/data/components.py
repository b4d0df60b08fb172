"""All that this layer registers."""

import roseq_allennlp.data.corpus_client  # noqa: F401  the scheme corpus:// with cached_path
from roseq_allennlp.data.data_loaders import InMemoryDataLoader as InMemoryDataLoader
from roseq_allennlp.data.dataset_readers import ColumnReader as ColumnReader
from roseq_allennlp.data.dataset_readers import Conll2002Reader as Conll2002Reader
from roseq_allennlp.data.dataset_readers import Conll2003NerReader as Conll2003NerReader
from roseq_allennlp.data.dataset_readers import NerReader as NerReader
from roseq_allennlp.data.dataset_readers import SpansReader as SpansReader
from roseq_allennlp.data.dataset_readers import WnutReader as WnutReader
from roseq_allennlp.data.token_indexers import FoldedWordsIndexer as FoldedWordsIndexer
from roseq_allennlp.data.token_indexers import OrthographicCharactersIndexer as OrthographicCharactersIndexer
from roseq_allennlp.data.token_indexers import OrthographicIndexer as OrthographicIndexer
