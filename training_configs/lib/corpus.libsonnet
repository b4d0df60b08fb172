// RoSeq on a corpus of the catalogue; `vectors` is a name of vectors.libsonnet, or an entry such as
// (import 'vectors.libsonnet').fixed('my.vec', 300).
local corpora = import 'corpora.libsonnet';
local roseq = import 'roseq.libsonnet';
local named = (import 'vectors.libsonnet').named;

local entry(catalogue, name) =
  assert std.objectHas(catalogue, name) : 'there is no %s; known are %s' % [name, std.join(', ', std.objectFields(catalogue))];
  catalogue[name];

function(corpus, vectors=entry(corpora, corpus).vectors, lacrf=true, fl=true, at=true, bucketed=false, best=false)
  local data = entry(corpora, corpus) { train: 'corpus://' + corpus + '/train', dev: 'corpus://' + corpus + '/dev' };
  local paper = { ensemble: 1, augmented: false, bucketed: bucketed, num_epochs: 50, patience: 15 };
  local switches = paper + if best then data.best else {};
  roseq(
    data,
    if std.isString(vectors) then entry(named, vectors) else vectors,
    lacrf,
    fl,
    at,
    bucketed=switches.bucketed,
    ensemble=switches.ensemble,
    augmented=switches.augmented,
    num_epochs=switches.num_epochs,
    patience=switches.patience
  )
