#!/usr/bin/env bash
# Node.js 20: with NODE_EXTRA_CA_CERTS each start takes more than twice the processor time, also of programs without TLS.
#
# Guessed: the certificates that NODE_EXTRA_CA_CERTS names are read when a program first makes a TLS connection; a program that
# makes none starts as fast with the variable as without.
# In fact Node.js 20 reads and parses them at each start. With the 140 or so certificates of an ordinary bundle, which images of
# containers name there, `node -e 0` takes some 45 ms more. That adds up where a program starts many processes, and it distorts
# a comparison of how fast two programs start. Node.js 22, 24 and 26 read them later.
# What helps: unset the variable for processes that need no TLS, or a Node.js from 22 on.
#
# Seen on 2026-11-29 with the Node.js of npm's package `node`, Linux x64, with Node's own root certificates as the bundle:
#   v20.20.2 at each start: yes
#   v22.23.3 at each start: no
#   v24.21.0 at each start: no
#   v26.10.0 at each start: no
# "yes" was 21 ms of processor time without the variable and 68 to 71 ms with it; the others took 20 to 24 ms either way.
#
# Needs npm. Fails if any of these Nodes behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset NODE_EXTRA_CA_CERTS NODE_OPTIONS

# The least processor time of a start in ten, with the bundle and without.
cat > starts.mjs <<'JS'
import { spawnSync } from 'node:child_process'

const times = { without: Infinity, with: Infinity }
for (let start = 0; start < 10; start++) {
  for (const [which, more] of [['without', {}], ['with', { NODE_EXTRA_CA_CERTS: process.argv[2] }]]) {
    const { stdout } = spawnSync(process.execPath, ['-p', 'process.cpuUsage().user + process.cpuUsage().system'],
      { env: { ...process.env, ...more }, encoding: 'utf8' })
    times[which] = Math.min(times[which], Number(stdout) / 1000)
  }
}
console.log(`${process.version} at each start: ${times.with > 1.4 * times.without ? 'yes' : 'no'}`)
console.error(`  ${times.without.toFixed(0)} ms without, ${times.with.toFixed(0)} ms with`)
JS

status=0
for row in 20.20.2:yes 22.23.3:no 24.21.0:no 26.10.0:no; do
  version=${row%%:*}
  npm install --silent --no-audit --no-fund --prefix "node-$version" "node@$version" >/dev/null
  node="node-$version/node_modules/node/bin/node"
  [ -f bundle.pem ] || "$node" -p "require('node:tls').rootCertificates.join('\n')" > bundle.pem
  seen=$("$node" starts.mjs "$folder/bundle.pem")
  echo "$seen"
  [ "$seen" = "v$version at each start: ${row##*:}" ] || { echo "this has changed: v$version"; status=1; }
done
exit "$status"
