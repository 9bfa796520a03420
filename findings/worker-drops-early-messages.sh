#!/usr/bin/env bash
# Node.js: what a worker thread posts before anybody listens to the Worker object is lost.
#
# Guessed: a Worker keeps messages until its first 'message' listener, as the MessagePort below it and every port of a
# MessageChannel do. So a program may start its threads early and listen to them once the rest has been loaded.
# In fact the Worker reads its port from the moment it is made and emits 'message' to nobody: what came before the first
# listener is gone, without a warning or an error, and a program that waits for the worker's first word waits for ever.
# The same message on a port of a MessageChannel is kept until somebody listens.
# What helps: listen in the turn that makes the worker, or hand the worker a port of a MessageChannel.
#
# Seen on 2026-11-28 with the Node.js of npm's package `node`, Linux x64, the same lines from each:
#   v20.20.2 worker: second; port: first
#   v22.23.3 worker: second; port: first
#   v24.21.0 worker: second; port: first
#   v26.10.0 worker: second; port: first
#
# Needs npm. Fails if any of these Nodes behaves otherwise.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > early.mjs <<'JS'
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'

// says its first word at once, then repeats what it is told
const program = `
  const { parentPort } = require('node:worker_threads')
  parentPort.postMessage('first')
  parentPort.on('message', word => { parentPort.postMessage(word); parentPort.close() })`
const worker = new Worker(program, { eval: true })
const { port1, port2 } = new MessageChannel()
port1.postMessage('first')

// by then both words have long been posted
await once(worker, 'online')
await new Promise(resolve => setTimeout(resolve, 1000))
const heard = []
worker.on('message', word => heard.push(word))
worker.postMessage('second')
const [kept] = await once(port2, 'message')
port1.close()
await once(worker, 'exit')
console.log(`${process.version} worker: ${heard.join(', ')}; port: ${kept}`)
JS

status=0
for version in 20.20.2 22.23.3 24.21.0 26.10.0; do
  npm install --silent --no-audit --no-fund --prefix "node-$version" "node@$version" >/dev/null
  seen=$(timeout 60 "node-$version/node_modules/node/bin/node" early.mjs)
  echo "$seen"
  [ "$seen" = "v$version worker: second; port: first" ] || { echo "this has changed: v$version"; status=1; }
done
exit "$status"
