// Word vectors: `fixed(file, dim)` are read from a text-format file or address, `learned(dim)` are learned with the model,
// `transformer(name)` are those of an encoder that sees the whole sentence, and `named` has those of the catalogue by name.
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

  // An encoder of Hugging Face: `name` is one of the hub, or a folder. Frozen, a mix of its layers is learned, and each
  // sentence goes through it once; `augmented` sentences are new in each epoch. Tuned, it has a learning rate of its own,
  // which rises in the first tenth of the run and falls to 0, as that of the rest does. `layer_decay` below 1 multiplies it
  // once more for each layer below the last, of which the encoder has `layers`; the pieces' vectors are the lowest.
  transformer(name, tune=false, lr=5e-5, layer_decay=1, layers=0, pooling='mean', gradient_checkpointing=false, bfloat16=false)::
    assert layer_decay == 1 || tune && layers > 0 : 'vectors.transformer: layer_decay needs tune, and the number of layers';
    local of_encoder = 'token_embedder_tokens[.]encoder[.]';
    local layer = '(?<=[.])(h|block|layers?)[.]';
    local layer_at(number) = of_encoder + '((?!' + layer + '[0-9]).)*' + layer + number + '[.]';
    {
      indexer: { type: 'transformer', model_name: name },
      embedder: { type: 'transformer', model_name: name, pooling: pooling } + (
        if tune then { trainable: true, gradient_checkpointing: gradient_checkpointing, bfloat16: bfloat16 } else {}
      ),
      vocabulary: {},
      initializer: { regexes: [] },
      include_in_archive: ['encoder'],
      [if tune then 'parameter_groups']:
        if layer_decay == 1 then [[[of_encoder], { lr: lr }]]
        else [[[layer_at(i)], { lr: lr * std.pow(layer_decay, layers - 1 - i) }] for i in std.range(0, layers - 1)]
             + [[[of_encoder + '(?!.*' + layer + '[0-9])'], { lr: lr * std.pow(layer_decay, layers) }]],
    },

  // The vectors of the catalogue. fastText's files hold 2 million words, which take 2.4 GB in memory and in the archive.
  named: { learned: $.learned(50) } + {
    [name]: $.fixed('corpus://' + name + '/vectors.txt', catalogue.vectors[name].dimension)
    for name in std.objectFields(catalogue.vectors)
  },
}
