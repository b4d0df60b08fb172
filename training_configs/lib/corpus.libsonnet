// RoSeq on a corpus of the catalogue; `vectors` is a name of vectors.libsonnet, or an entry such as
// (import 'vectors.libsonnet').fixed('my.vec', 300), or null: those of the corpus; `switches` are those of roseq.libsonnet,
// and override those of `best` if that is on.
local corpora = import 'corpora.libsonnet';
local roseq = import 'roseq.libsonnet';
local named = (import 'vectors.libsonnet').named;

local entry(catalogue, name) =
  assert std.objectHas(catalogue, name) : 'there is no %s; known are %s' % [name, std.join(', ', std.objectFields(catalogue))];
  catalogue[name];

function(corpus, vectors=null, switches={}, best=false)
  local data = entry(corpora, corpus);
  local chosen = if vectors == null then data.vectors else vectors;
  local words = if std.isString(chosen) then entry(named, chosen) else chosen;
  roseq(data, words, (if best then data.best else {}) + switches)
