#!/usr/bin/env bash
# Node.js 26: making a shared WebAssembly.Memory collects garbage, as if its size were garbage of the heap; growing one does not.
#
# Guessed: a WebAssembly.Memory with many pages only reserves addresses, takes microseconds, and leaves the heap alone; and a
# memory that is made with all its pages and one that is made empty and grows to them at once cost the same.
# In fact that holds for shared memory in Node.js 20, 22 and 24. Node.js 26 collects garbage again and again while a program makes
# such memories one after the other, for caches or for a pool of threads, for several milliseconds each time, though no page is in
# use and there is next to no garbage. A memory that is made without pages and grows to the same size starts no collection.
# What helps: `new WebAssembly.Memory({ initial: 0, maximum, shared: true })`, then `grow(maximum)`.
#
# Seen on 2026-11-29 with the Node.js of npm's package `node`, Linux x64:
#   v20.20.2 made: none; grown: none
#   v22.23.3 made: none; grown: none
#   v24.21.0 made: none; grown: none
#   v26.10.0 made: some; grown: none
# "some" was 6 collections for 20 memories of 64 MiB, in 14 to 21 ms instead of 0.3.
#
# Needs npm. Fails if any of these Nodes behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > memories.mjs <<'JS'
import { PerformanceObserver } from 'node:perf_hooks'

const PAGES = 1024
let collections = 0
new PerformanceObserver(list => { collections += list.getEntries().length }).observe({ entryTypes: ['gc'] })
const settle = () => new Promise(resolve => setTimeout(resolve, 100))

async function collectionsOf(make) {
  await settle()
  collections = 0
  const kept = Array.from({ length: 20 }, make)
  await settle()
  return kept.length > 0 && collections > 0 ? 'some' : 'none'
}

const grown = await collectionsOf(() => {
  const memory = new WebAssembly.Memory({ initial: 0, maximum: PAGES, shared: true })
  memory.grow(PAGES)
  return memory
})
const made = await collectionsOf(() => new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true }))
console.log(`${process.version} made: ${made}; grown: ${grown}`)
JS

status=0
for row in 20.20.2:none 22.23.3:none 24.21.0:none 26.10.0:some; do
  version=${row%%:*}
  npm install --silent --no-audit --no-fund --prefix "node-$version" "node@$version" >/dev/null
  seen=$(timeout 60 "node-$version/node_modules/node/bin/node" memories.mjs)
  echo "$seen"
  [ "$seen" = "v$version made: ${row##*:}; grown: none" ] || { echo "this has changed: v$version"; status=1; }
done
exit "$status"
