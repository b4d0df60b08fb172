// A trained archive, trained on with new data, as `roseq finetune` does: a config for `roseq train`. It is replaced in the
// directory of the run by the plain config that it comes to, and the run needs the archive no more. docs/archives.md has it all.
//
//   local corpora = import 'lib/corpora.libsonnet';
//   finetune('runs/wnut16/model.tar.gz', corpora.wnut17, { replay: { 'corpus://wnut16/train': 0.3 } })
//
//   archive: a model.tar.gz, or the directory of a run
//   data:    { train, dev }, such as an entry of corpora.libsonnet; dev may be left out
//   options: any of `defaults` with another value
local defaults = {
  types: null,  // those that are taken from the new data; null for all
  replay: {},  // file: share of its sentences
  vectors: null,  // a file of word vectors
  layer_decay: 1,
  unmarked: null,  // 'unknown' or 'O': unmarked tokens to which the archive gives a type that the new data lacks
  overrides: {},  // of the archive's config, with dotted keys
};

function(archive, data, options={})
  local unknown = std.setDiff(std.objectFields(options), std.objectFields(defaults));
  assert unknown == [] : 'finetune has no option %s; it has %s' % [std.join(', ', unknown), std.join(', ', std.objectFields(defaults))];
  {
    type: 'finetune',
    archive: archive,
    train_data_path: data.train,
    validation_data_path: std.get(data, 'dev'),
    datasets_for_vocab_creation: [],
  } + defaults + options
