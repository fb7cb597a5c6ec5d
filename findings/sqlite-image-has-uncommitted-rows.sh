#!/usr/bin/env bash
# sqlite3 of CPython 3.11 to 3.13 (SQLite 3.40 and later): `Connection.serialize()` returns rows that nobody has committed.
#
# The image is taken through the connection's own page cache. In an open transaction it has that transaction's changes, and
# as a database of its own it has them as committed rows. If the transaction is then rolled back, the image holds a
# state that the database never had. Whoever takes snapshots with `serialize` while other code of the same process
# shares the connection gets dirty reads in a backup.
#
# Guess before the run: the last committed state, or an error because a transaction is open.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/program.py" <<'PYTHON'
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
database.execute("create table accounts (owner text, balance int)")
database.commit()
database.execute("insert into accounts values ('eve', 1000000)")
image = database.serialize()
database.rollback()

restored = sqlite3.connect(":memory:")
restored.deserialize(image)
print("database", database.execute("select * from accounts").fetchall())
print("image", restored.execute("select * from accounts").fetchall(), "in transaction:", restored.in_transaction)
PYTHON
told=$(python3 "$folder/program.py" "$folder/accounts.db")
echo "$told"
[ "$told" = "database []
image [('eve', 1000000)] in transaction: False" ] || { echo "that has changed"; exit 1; }
echo "as found: the image has a row that was rolled back"
