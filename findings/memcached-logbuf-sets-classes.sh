#!/usr/bin/env bash
# memcached 1.6.18 (Debian 12): -o worker_logbuf_size=N sets the slab classes too, to one of N bytes.
#
# Guessed: the option sets the buffer for `watch` and nothing else, so that naming its default, 64 (KiB), changes nothing.
# In fact the number is also taken for `slab_sizes`, one chunk size in bytes. With 64 there are two classes: chunks of 64
# bytes and of 512 KiB. Every item over 64 bytes then takes half a megabyte, and 64 MiB of cache hold some hundred of them.
# `stats settings` shows nothing of it. 32 is refused with a message about slab sizes.
# What helps: leave the option out; `stats slabs` shows the classes that there are.
#
# Seen on 2026-11-28 with Debian's memcached 1.6.18-1+deb12u1, amd64; the same 1,000 values of 300 bytes, -m 64:
#   without the option: 1000 items, largest chunk in use 384
#   worker_logbuf_size=64: 128 items, largest chunk in use 524288
#   worker_logbuf_size=32: slab size 32 is out of valid range
#
# Needs apt-get, dpkg and Node.js on Debian 12 (libevent is fetched too). Fails if any of this has changed.
set -euo pipefail

folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get download -qq memcached=1.6.18-1+deb12u1 libevent-2.1-7 libsasl2-2 2>/dev/null
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH="$folder/root/usr/lib/$(uname -m)-linux-gnu"
memcached=root/usr/bin/memcached
user=$(id -un)

cat > fill.cjs <<'JS'
// stores 1,000 values of 300 bytes and prints how many are there, and the size of the largest chunk
const socket = require('node:net').connect(process.argv[2])
const value = 'x'.repeat(300)
for (let i = 0; i < 1000; i++) socket.write(`set k${i} 0 0 300 noreply\r\n${value}\r\n`)
socket.write('stats\r\nstats slabs\r\nquit\r\n')
let text = ''
socket.on('data', bytes => { text += bytes })
socket.on('end', () => {
  const chunks = [...text.matchAll(/:chunk_size (\d+)/g)].map(([, bytes]) => Number(bytes))
  console.log(`${/ curr_items (\d+)/.exec(text)[1]} items, largest chunk in use ${Math.max(...chunks)}`)
})
JS

hold() {
  "$memcached" -u "$user" -m 64 -s "$folder/socket" "$@" & pid=$!
  until [ -S socket ]; do sleep 0.05; done
  sleep 0.2
  node fill.cjs socket
  kill "$pid"; wait "$pid" 2>/dev/null || true; pid=
  rm -f socket
}

status=0
expect() {
  echo "$1: $3"
  [ "$3" = "$2" ] || { echo "this has changed; it was: $2"; status=1; }
}

expect 'without the option' '1000 items, largest chunk in use 384' "$(hold)"
expect 'worker_logbuf_size=64' '128 items, largest chunk in use 524288' "$(hold -o worker_logbuf_size=64)"
expect 'worker_logbuf_size=32' 'slab size 32 is out of valid range' \
  "$("$memcached" -u "$user" -s "$folder/socket" -o worker_logbuf_size=32 2>&1 || true)"
exit "$status"
