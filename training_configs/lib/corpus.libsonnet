// RoSeq on a corpus of the catalogue; `vectors` is a name of vectors.libsonnet, or an entry such as
// (import 'vectors.libsonnet').fixed('my.vec', 300).
local corpora = import 'corpora.libsonnet';
local roseq = import 'roseq.libsonnet';
local named = (import 'vectors.libsonnet').named;

local entry(catalogue, name) =
  assert std.objectHas(catalogue, name) : 'there is no %s; known are %s' % [name, std.join(', ', std.objectFields(catalogue))];
  catalogue[name];

function(
  corpus,
  vectors=entry(corpora, corpus).vectors,
  lacrf=true,
  fl=true,
  at=true,
  bucketed=best && entry(corpora, corpus).best.bucketed,
  best=false,
)
  local data = entry(corpora, corpus) { train: 'corpus://' + corpus + '/train', dev: 'corpus://' + corpus + '/dev' };
  local words = if std.isString(vectors) then entry(named, vectors) else vectors;
  local past = data.best;
  if !best then roseq(data, words, lacrf, fl, at, bucketed=bucketed)
  else roseq(
    data,
    words,
    lacrf,
    fl,
    at,
    bucketed=bucketed,
    ensemble=past.ensemble,
    augmented=past.augmented,
    num_epochs=past.num_epochs,
    patience=past.patience
  )
