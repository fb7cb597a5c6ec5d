#!/usr/bin/env bash
# Sphinx 9.0.4: `--fail-on-warning` fails for a page once; the same command passes the second time, with the page unchanged.
#
# A page that refers to a document which does not exist makes the first build end with status 1. That build has written its
# pickled environment all the same. The next build finds no page that is out of date, so it reads none, warns of nothing and
# ends with status 0, although the reference is still broken. A gate that builds into a folder which is kept between runs
# passes as soon as it is asked twice. `--fresh-env` warns every time.
#
# What the name of the option leads one to expect: the command fails as long as there is something to warn of.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sphinx==9.0.4
mkdir "$folder/docs"
: >"$folder/docs/conf.py"
printf 'Index\n=====\n\nSee :doc:`nowhere`.\n' >"$folder/docs/index.rst"
build() {
    local status=0
    "$folder/venv/bin/sphinx-build" --quiet --fail-on-warning "$@" "$folder/docs" "$folder/built" 2>"$folder/said" ||
        status=$?
    echo "status $status, $(grep -c WARNING "$folder/said" || true) warnings"
}
seen=$(
    build
    build
    build --fresh-env
)
echo "$seen"
test "$seen" = "status 1, 1 warnings
status 0, 0 warnings
status 1, 1 warnings"
