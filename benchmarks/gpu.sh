#!/usr/bin/env bash
# Everything there is to learn from a GPU, within 8 minutes and without a network: see README.md.
#
#   benchmarks/gpu.sh [--device cuda|cpu] [--quick] [--steps "1 2 3"] [--seconds 465]
#
# Writes gpu.md, gpu.json and logs/ to $OUT, or runs/gpu/. Each step has a time limit of its own, and what one does is nothing
# to the next. The exit status is 0 if all steps passed, 1 if one failed or was stopped, 2 for wrong arguments.
set -uo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n 's/^#   //p' "$0" >&2; exit 2; }
device=cuda quick=() steps="" total=465
while (($#)); do
  case $1 in
    --quick) quick=(--quick) ;;
    --device | --steps | --seconds)
      (($# > 1)) || usage
      case $1 in --device) device=$2 ;; --steps) steps=$2 ;; --seconds) total=$2 ;; esac
      shift ;;
    *) usage ;;
  esac
  shift
done
[[ $device =~ ^(cuda|cpu)$ && $total =~ ^[1-9][0-9]*$ && $steps =~ ^[1-6\ ]*$ ]] || usage
if [[ ! $steps ]]; then
  steps="1 2 3 4 5 6"
  ((${#quick[@]})) && steps="1 2 3"
fi

python=$(command -v "${PYTHON:-python3}") || { echo "${PYTHON:-python3}: no such command" >&2; exit 2; }
mkdir -p "${OUT:-runs/gpu}" && out=$(cd "${OUT:-runs/gpu}" && pwd) || exit 2
logs=$out/logs
rm -rf "$logs" "$out"/{gpu,cuda,cpu}.{md,json} && mkdir "$logs"
TMPDIR=$(mktemp -d) && export TMPDIR && trap 'rm -rf "$TMPDIR"' EXIT
export PYTHONPATH=${PYTHONPATH:+$PYTHONPATH:}$PWD OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} TOKENIZERS_PARALLELISM=false
unset PYTHONDONTWRITEBYTECODE  # packages that were installed without bytecode would be compiled by each process anew
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 PYTHONUNBUFFERED=1 TQDM_DISABLE=1

factor=1  # a rehearsal may share its machine with others
[[ $device == cpu ]] && factor=4
begin=$SECONDS failed=0 running="" number="" name=""
summary() { "$python" -m benchmarks.gpu.summary "$out" || failed=1; }
record() { printf '%s\t%s\t%s\t%s\t%s\n' "$number" "$name" "$@" >> "$logs/steps.tsv"; }
stopped() {
  [[ $running ]] && kill "$running" && wait "$running"
  [[ $name ]] && record 143 $((SECONDS - started)) "" && summary
  exit 1
}
trap stopped TERM INT

step() {  # number, name, seconds that it may take, seconds that it needs at least, command
  number=$1 name=$2 started=$SECONDS
  local left=$((total * factor - (SECONDS - begin))) least=$4 status
  local most=$(($3 * factor < left ? $3 * factor : left))
  shift 4
  [[ " $steps " == *" $number "* ]] || return 0
  if ((left < least)); then
    record - 0 "it needs $least seconds, and $left are left"
  else
    echo "== $number. $name, at most $most seconds"
    timeout --kill-after 5 "$most" "$@" > "$logs/$name.step.log" 2>&1 &
    running=$!
    wait "$running"
    status=$?
    running=""
    record "$status" $((SECONDS - started)) ""
    ((status == 0)) || failed=1
    tail -n 3 "$logs/$name.step.log"
  fi
  summary
}

module() { step "$1" "$2" "$3" "$4" "$python" -m "benchmarks.gpu.$2" --device "$device" --output "$logs" "${quick[@]}"; }

tests=(-m gpu -n 4) sizes=(--repeats 2 --sentences 640)
if [[ $device == cpu ]]; then
  tests=(-m "not gpu") sizes=(--threads 1 --repeats 1 --sentences 64 --batch-sizes 16)
  ((${#quick[@]})) && tests+=(-k "parts or predictions")
elif ! "$python" -c "import xdist" 2> /dev/null; then
  tests=(-m gpu)
fi

module 1 environment 60 5
step 2 tests 110 30 "$python" -m pytest -q -p no:cacheprovider "${tests[@]}" tests/gpu
module 3 training 190 60
module 4 distributed 60 30
step 5 benchmark 130 60 "$python" -m benchmarks.run --device "$device" "${sizes[@]}" --seconds 100 --output "$out" \
  --only crf viterbi training step tagging bfloat16 batches
module 6 whole_run "$total" 120

echo "$out/gpu.md"
exit "$failed"
