// Word vectors: `fixed(file, dim)` are read from a text-format file or address, `learned(dim)` are learned with the model,
// and `named` has those of the catalogue by name.
local catalogue = import 'catalogue.json';
local indexer = { type: 'folded_words', namespace: 'tokens', normalize: true };
{
  // All words of the file are in the vocabulary, so that a word first met in new text has its vector; a word that the
  // file lacks is unknown in training too, so the tagger learns how to tag unknown words.
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

  // Words seen once are unknown in training, so the vector of unknown words is learned. Initial values are uniform in
  // ±sqrt(3 / dim), so the norm is near 1.
  learned(dim):: {
    dim: dim,
    indexer: indexer,
    embedder: { type: 'embedding', vocab_namespace: 'tokens', embedding_dim: dim },
    vocabulary: { min_count: { tokens: 2 } },
    initializer: {
      regexes: [['_text_field_embedder\\.token_embedder_tokens\\.weight', { type: 'uniform', a: -std.sqrt(3 / dim), b: std.sqrt(3 / dim) }]],
    },
  },

  // The vectors of the catalogue. fastText's files hold 2 million words, which take 2.4 GB in memory and in the archive.
  named: { learned: $.learned(50) } + {
    [name]: $.fixed('corpus://' + name + '/vectors.txt', catalogue.vectors[name].dimension)
    for name in std.objectFields(catalogue.vectors)
  },
}
