// Table IV: any subset of the three components, on any corpus of the catalogue, with any vectors. Set all three variables.
// Without components this is the base model; `best` among them adds what best_*.jsonnet add, and `-bilstm` and `-characters`
// take away what an encoder may do without. Empty vectors are those of the corpus; others are a name of
// lib/vectors.libsonnet, `fixed:FILE:DIMENSION`, or an encoder, `frozen:NAME` or `tuned:NAME`.
//
//   ROSEQ_CORPUS=wnut16 ROSEQ_COMPONENTS=lacrf,at ROSEQ_VECTORS= \
//     roseq train training_configs/ablation.jsonnet -s runs/wnut16_lacrf_at
//   ROSEQ_CORPUS=wnut16 ROSEQ_COMPONENTS= ROSEQ_VECTORS=frozen:intfloat/multilingual-e5-small roseq train …
local corpus = import 'lib/corpus.libsonnet';
local vectors = import 'lib/vectors.libsonnet';

local known = ['lacrf', 'fl', 'at', 'best', '-bilstm', '-characters'];
local components = std.filter(function(name) name != '', std.split(std.extVar('ROSEQ_COMPONENTS'), ','));
local unknown = std.setDiff(std.set(components), std.set(known));
assert unknown == [] : 'ROSEQ_COMPONENTS has %s; it may list %s, with commas between' % [unknown, known];

local given = std.split(std.extVar('ROSEQ_VECTORS'), ':');
local last = std.length(given) - 1;
local name(end) =
  local joined = std.join(':', given[1:end]);
  assert joined != '' : 'ROSEQ_VECTORS is %s; a name or file is missing' % std.extVar('ROSEQ_VECTORS');
  joined;
local kinds = {
  fixed:
    assert last > 1 : 'ROSEQ_VECTORS is %s; fixed vectors are fixed:FILE:DIMENSION' % std.extVar('ROSEQ_VECTORS');
    vectors.fixed(name(last), std.parseInt(given[last])),
  frozen: vectors.transformer(name(last + 1)),
  tuned: vectors.transformer(name(last + 1), tune=true),
};
assert last == 0 || std.objectHas(kinds, given[0]) :
       'ROSEQ_VECTORS has %s:; it may have %s' % [given[0], std.join(', ', [kind + ':' for kind in std.objectFields(kinds)])];

corpus(
  std.extVar('ROSEQ_CORPUS'),
  if last > 0 then kinds[given[0]] else if given == [''] then null else given[0],
  switches={ [component]: std.member(components, component) for component in ['lacrf', 'fl', 'at'] }
           + { [part]: false for part in ['bilstm', 'characters'] if std.member(components, '-' + part) },
  best=std.member(components, 'best'),
)
