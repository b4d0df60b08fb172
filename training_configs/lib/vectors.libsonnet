// Word vectors: `fixed(file, dim)` from any text-format file or address, `learned(dim)` with the model, and names for
// those of the catalogue.
local indexer = { type: 'folded_words', namespace: 'tokens' };
{
  // All words of the file are in the vocabulary, so that a word first met in new text has its vector; a word that the
  // file lacks is unknown in training too, where the tagger learns what to make of it.
  fixed(file, dim):: {
    dim: dim,
    indexer: indexer,
    embedder: { type: 'embedding', vocab_namespace: 'tokens', embedding_dim: dim, pretrained_file: file, trainable: false },
    vocabulary: {
      pretrained_files: { tokens: file },
      only_include_pretrained_words: true,
      min_pretrained_embeddings: { tokens: -1 },
    },
    initializer: { regexes: [] },
  },

  // Words seen once are unknown in training, so the vector of unknown words is learned. Uniform in ±sqrt(3 / dim): a
  // norm near 1.
  learned(dim):: {
    dim: dim,
    indexer: indexer,
    embedder: { type: 'embedding', vocab_namespace: 'tokens', embedding_dim: dim },
    vocabulary: { min_count: { tokens: 2 } },
    initializer: {
      regexes: [['_text_field_embedder\\.token_embedder_tokens\\.weight', { type: 'uniform', a: -std.sqrt(3 / dim), b: std.sqrt(3 / dim) }]],
    },
  },

  // fastText's files hold 2 million words: 2.4 GB in memory, and in the archive.
  named: {
    learned: $.learned(50),
    'glove-6b-100d': $.fixed('corpus://glove-6b-100d/vectors.txt', 100),
    'fasttext-cc-nl': $.fixed('corpus://fasttext-cc-nl/vectors.txt', 300),
    'fasttext-cc-es': $.fixed('corpus://fasttext-cc-es/vectors.txt', 300),
  },
}
