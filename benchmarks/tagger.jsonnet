// The taggers that AllenNLP's trainer trains in the benchmark: RoSeq's, without word shapes unless asked for, and AllenNLP's
// `crf_tagger` of the same sizes, over the same reader, vocabulary and fixed vectors. `vectors` is empty, for GloVe's, or
// `fixed:FILE` (100-d), `frozen:NAME`, `tuned:NAME`, `wide:FILE` (fixed vectors as wide as the encoder), or `mismatched:NAME`:
// AllenNLP's embedder and indexer for a frozen encoder, under all else that `frozen` has.
local corpora = import '../training_configs/lib/corpora.libsonnet';
local roseq = import '../training_configs/lib/roseq.libsonnet';
local corpus = corpora[std.extVar('corpus')];
local lib = import '../training_configs/lib/vectors.libsonnet';

local given = std.splitLimit(std.extVar('vectors'), ':', 1);
local name = given[std.length(given) - 1];
local vectors = {
  '': lib.named['glove-6b-100d'],
  fixed: lib.fixed(name, 100),
  frozen: lib.transformer(name),
  tuned: lib.transformer(name, tune=true),
  wide: lib.fixed(name, 384),
  mismatched: {
    local peer = { type: 'pretrained_transformer_mismatched', model_name: name },
    indexer: peer,
    embedder: peer { train_parameters: false },
    vocabulary: {},
    initializer: { regexes: [] },
  },
}[given[0]];

local components = std.split(std.extVar('components'), ',');
local on(name) = std.member(components, name);
local sentences = std.parseInt(std.extVar('sentences'));
local batch_size = std.parseInt(std.extVar('batch_size'));

local ours = roseq(
  corpus { shapes: on('shapes'), train: std.extVar('train'), dev: null },
  vectors,
  { lacrf: on('lacrf'), fl: on('fl'), at: on('at') },
);

// Spelled out: what makes RoSeq's configs fast must not reach the peer's.
local peer = {
  dataset_reader: (if std.isObject(corpus.reader) then corpus.reader else { type: corpus.reader }) + {
    language: corpus.language,
    token_indexers: { tokens: vectors.indexer, token_characters: { type: 'characters', min_padding_length: 4 } },
  },
  data_loader: { batch_size: batch_size, shuffle: true },
  model: {
    type: 'crf_tagger',
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'embedding',
          embedding_dim: 100,
          pretrained_file: if name == '' then 'corpus://glove-6b-100d/vectors.txt' else name,
          trainable: false,
        },
        token_characters: {
          type: 'character_encoding',
          embedding: { embedding_dim: 30, vocab_namespace: 'token_characters' },
          encoder: { type: 'cnn', embedding_dim: 30, num_filters: 20, ngram_filter_sizes: [2, 3, 4] },
        },
      },
    },
    encoder: { type: 'lstm', input_size: 160, hidden_size: 100, bidirectional: true },
    dropout: 0.5,
    label_encoding: 'BIOUL',
    constrain_crf_decoding: true,
  },
  trainer: { num_epochs: 50, grad_norm: 5.0, optimizer: { type: 'adam', lr: 0.001 } },
};

// Passes over the training data are all that is timed: no validation.
ours {
  validation_data_path:: null,
  validation_data_loader:: null,
  data_loader+: { batch_size: batch_size },
  dataset_reader+: { [if sentences > 0 then 'max_instances']: sentences },
  trainer+: {
    patience:: null,
    validation_metric:: null,
    cuda_device: std.parseInt(std.extVar('cuda_device')),
  },
} + (
  if std.extVar('system') == 'roseq' then {} else {
    dataset_reader: peer.dataset_reader { [if sentences > 0 then 'max_instances']: sentences },
    data_loader: peer.data_loader,
    model: peer.model,
    trainer: peer.trainer { cuda_device: std.parseInt(std.extVar('cuda_device')) },
  }
)
