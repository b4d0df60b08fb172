// RoSeq on a corpus of the catalogue; `vectors` is a name of vectors.libsonnet, or an entry such as
// (import 'vectors.libsonnet').fixed('my.vec', 300); `switches` are those of roseq.libsonnet, and override those of `best`
// if that is on.
local corpora = import 'corpora.libsonnet';
local roseq = import 'roseq.libsonnet';
local named = (import 'vectors.libsonnet').named;

local entry(catalogue, name) =
  assert std.objectHas(catalogue, name) : 'there is no %s; known are %s' % [name, std.join(', ', std.objectFields(catalogue))];
  catalogue[name];

function(corpus, vectors=entry(corpora, corpus).vectors, switches={}, best=false)
  local data = entry(corpora, corpus);
  local words = if std.isString(vectors) then entry(named, vectors) else vectors;
  roseq(data, words, (if best then data.best else {}) + switches)
