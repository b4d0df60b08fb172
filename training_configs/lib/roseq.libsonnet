// RoSeq (Zhou et al., "RoSeq: Robust Sequence Labeling", TNNLS 2020), one definition for all configs, with the values
// of section IV-B. `lacrf`, `fl` and `at` switch the three components; with all three off this is the paper's base model,
// a BiLSTM-CNN-CRF. `bucketed` trains on batches of sentences of similar length, in place of random batches, for less
// padding. `ensemble` is the number of taggers that are trained side by side and decoded as one. `augmented` trains on a
// variant of each sentence too, so an epoch is twice as long, and fewer epochs suffice; with a frozen encoder, which reads each
// variant once, there are three of each sentence, and no new ones. `bilstm` and `characters` are for encoders, which may do
// without: then the emissions are computed from the embeddings, and words have no character vectors. `calibrated` fits the
// temperature of the probabilities to the development data at the end; it changes no tag and no score. `teacher`, an archive or
// the directory of a run, is a trained tagger whose probabilities are learned beside the gold tags.
//
// The paper lacks `late_start`, without which RoSeq ended with F1 0 on the first 339 sentences of WNUT-2017 (both of two
// seeds), and `augmented`, which raised the base model's development F1 by 2.0 (WNUT-2016, two seeds), 2.4 (WNUT-2017) and
// 2.5 (4 000 Dutch sentences), and RoSeq's by 0.9, 0.4 and 1.8. docs/results.md has the runs of both.
//
//   data:     { reader, language, types, shapes, train, dev }; the reader is a name, or an object with its options
//   vectors:  an entry of vectors.libsonnet, or a function that makes one for the data
//   switches: any of `defaults` with another value, such as { at: false }
local defaults = {
  lacrf: true,
  fl: true,
  at: true,
  augmented: false,
  calibrated: false,
  teacher: null,
  bucketed: false,
  ensemble: 1,
  bilstm: true,
  characters: true,
  epsilon: 5.0,
  batch_size: 16,
  num_epochs: 50,
  patience: 15,
  seed: 1,
};

local roseq(data, vectors, switches) =
  local unknown = std.setDiff(std.objectFields(switches), std.objectFields(defaults));
  assert unknown == [] : 'roseq has no switch %s; it has %s' % [std.join(', ', unknown), std.join(', ', std.objectFields(defaults))];
  local on = defaults + switches;
  local char_dim = 30;
  local shape_dim = 50;  // for a word's shape; a character's shape has char_dim
  local filter_widths = [2, 3, 4];
  local filters = 20;  // for each width
  local hidden = 100;  // for each direction, and after fusion
  local characters_dim = if on.characters then filters * std.length(filter_widths) else 0;
  local only(condition, object) = if condition then object else {};
  // The width of an encoder is known when it is there.
  local input_size = only('dim' in vectors, { input_size: vectors.dim + characters_dim + (if data.shapes then shape_dim else 0) });
  local tuned = 'parameter_groups' in vectors;
  local frozen = 'include_in_archive' in vectors && !tuned;

  local tagger = {
    type: 'label_aware_crf_tagger',
    text_field_embedder: {
      token_embedders: {
        tokens: vectors.embedder,
        [if on.characters then 'token_characters']: {
          type: 'char_cnn_highway',
          embedding_dim: char_dim,
          num_filters: filters,
          filter_widths: filter_widths,
          max_word_length: 64,  // bounds memory; 0.1 % of WNUT's tokens are longer, and no token of the news
        } + only(data.shapes, { orthographic_dim: char_dim }),
        [if data.shapes then 'orthographic']: {
          type: 'embedding',
          vocab_namespace: 'orthographic',
          embedding_dim: shape_dim,
        },
      },
    },
    [if on.bilstm then 'encoder']: { type: 'bidirectional_lstm', hidden_size: hidden } + input_size,
    [if on.bilstm then 'fusion']: { input_dim: 2 * hidden, num_layers: 1, hidden_dims: hidden, activations: 'tanh' },
    embedding_dropout: 0.2,
    dropout: 0.5,
    initializer: vectors.initializer,
  } + only(on.lacrf, { tau: 0.25 }) + only(on.fl, { gamma: 2.0 });

  {
    random_seed: on.seed,
    numpy_seed: on.seed,
    pytorch_seed: on.seed,
    dataset_reader: (if std.isObject(data.reader) then data.reader else { type: data.reader }) + {
      language: data.language,
      token_indexers: {
        tokens: vectors.indexer,
        [if on.characters then 'token_characters']: { min_padding_length: 4 } + (
          if data.shapes then { type: 'orthographic_characters', include_characters: true } else { type: 'characters' }
        ),
        [if data.shapes then 'orthographic']: { type: 'orthographic' },
      },
    },
    [if 'include_in_archive' in vectors then 'include_in_archive']: vectors.include_in_archive,
    train_data_path: data.train,
    validation_data_path: data.dev,
    // The labels are those of the tag scheme for the types of the corpus; words and characters are from the training split.
    datasets_for_vocab_creation: ['train'],
    vocabulary: vectors.vocabulary {
      // Characters and shapes seen once are unknown in training, so the vectors of unknown ones are learned.
      min_count+: {
        [if on.characters then 'token_characters']: 2,
        [if on.characters && data.shapes then 'orthographic_characters']: 2,
        [if data.shapes then 'orthographic']: 2,
      },
      tokens_to_add: { labels: ['O'] + [prefix + '-' + type for type in data.types for prefix in ['B', 'I', 'L', 'U']] },
    },
    data_loader: { type: 'in_memory' } + (
      if on.bucketed then { batch_sampler: { type: 'bucket', batch_size: on.batch_size, sorting_keys: ['tokens'] } }
      else { batch_size: on.batch_size, shuffle: true }
    ),
    validation_data_loader: { type: 'in_memory', batch_size: 64 },
    model: if on.ensemble == 1 then tagger else { type: 'tagger_ensemble', size: on.ensemble, member: tagger },
    trainer: {
      num_epochs: on.num_epochs,
      patience: on.patience,
      validation_metric: '+f1-measure-overall',
      grad_norm: 5.0 * std.sqrt(on.ensemble),  // the norm of all members together
      optimizer: { type: 'fused_adam', lr: 0.001 } + only(tuned, { parameter_groups: vectors.parameter_groups }),
      learning_rate_scheduler:
        if tuned then { type: 'linear_warmup', warmup: 0.1, passes: if on.augmented then 2 else 1 }
        else { type: 'inverse_time_decay', decay_rate: 0.05, min_lr: 1e-4 },
      checkpointer: { type: 'atomic' },
      callbacks: [{ type: 'exact_recovery' }, { type: 'finite_loss' }, { type: 'late_start' }, { type: 'score_table' }]
                 + [{ type: 'declared_types', types: data.types }]
                 + (if std.get(vectors, 'coverage', false) then [{ type: 'vector_coverage' }] else [])
                 + (if on.lacrf then [{ type: 'label_statistics' }] else [])
                 + (if on.at then [{ type: 'adversarial', epsilon: on.epsilon }] else [])
                 + (if on.augmented then [{ type: 'augmentation', mentions: 0.5, noise: 0.1 } + only(frozen, { variants: 3 })] else [])
                 + (if on.teacher != null then [{ type: 'distillation', teacher: on.teacher }] else [])
                 + (if on.calibrated then [{ type: 'calibration' }] else []),
    },
  };

function(data, vectors, switches={})
  roseq(data, if std.isFunction(vectors) then vectors(data) else vectors, switches)
