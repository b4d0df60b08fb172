// Table IV: any subset of the three components, on any corpus of the catalogue. Set both variables. Without components this
// is the base model; `best` among them adds what best_*.jsonnet add.
//
//   ROSEQ_CORPUS=wnut16 ROSEQ_COMPONENTS=lacrf,at \
//     allennlp train training_configs/ablation.jsonnet -s runs/wnut16_lacrf_at --include-package roseq_allennlp
//   ROSEQ_CORPUS=wnut16 ROSEQ_COMPONENTS= allennlp train …
local corpus = import 'lib/corpus.libsonnet';

local known = ['lacrf', 'fl', 'at', 'best'];
local components = std.filter(function(name) name != '', std.split(std.extVar('ROSEQ_COMPONENTS'), ','));
local unknown = std.setDiff(std.set(components), std.set(known));
assert unknown == [] : 'ROSEQ_COMPONENTS has %s; it may list %s, with commas between' % [unknown, known];

corpus(
  std.extVar('ROSEQ_CORPUS'),
  switches={ [name]: std.member(components, name) for name in ['lacrf', 'fl', 'at'] },
  best=std.member(components, 'best'),
)
