// What each corpus of the catalogue (roseq_allennlp/data/corpora.py) needs in a config: its reader, spaCy's code of its
// language, its entity types, the word vectors of its runs, and whether the paper uses word shapes for it (both WNUT
// sets, section IV-B). `best` are the switches of roseq.libsonnet by which best_*.jsonnet go past the paper; the
// news, whose epochs are long, has fewer of them and batches without the padding.
{
  'conll2002-nl': $.news + { reader: 'conll2002', language: 'nl' },
  'conll2002-es': $.news + { reader: 'conll2002', language: 'es' },
  'conll2003-en': $.news + { reader: 'conll2003_ner', language: 'en', vectors: 'glove-6b-100d' },
  wnut16: $.tweets + { types: [
    'company', 'facility', 'geo-loc', 'movie', 'musicartist', 'other', 'person', 'product', 'sportsteam', 'tvshow',
  ] },
  wnut17: $.tweets + { types: ['corporation', 'creative-work', 'group', 'location', 'person', 'product'] },

  news:: $.all + {
    types: ['LOC', 'MISC', 'ORG', 'PER'],
    vectors: 'learned',
    shapes: false,
    best+: { num_epochs: 20, bucketed: true },
  },
  tweets:: $.all + { reader: 'wnut', language: 'en', vectors: 'glove-6b-100d', shapes: true },
  all:: { best: { ensemble: 3, augmented: true, bucketed: false, num_epochs: 35, patience: 10 } },
}
