#!/bin/sh
# Validates, deploys and tests every *.flow.json in a folder: flows.sh [FOLDER]
#
# Straight to ScaiGrid:   SCAIGRID_API_KEY, and SCAIGRID_BASE_URL for another one than the public
# Through a ScaiFlow:     SCAIFLOW_API (its address) and SCAIFLOW_TOKEN
# MIN_COVERAGE            percent of each flow's nodes that its tests must run through (default: any)
# REPORTS                 folder for the JUnit reports (default: reports)
# SCAIFLOW                the command (default: scaiflow)
#
# Nothing is deployed unless all flows are sound. Then every flow is deployed and tested, whatever becomes of the others.
# Exits with 0 when all is well, with 1 when a flow has errors or was refused, or a test failed, and with 2 when something
# could not be tried: no flows, no key, tests that could not be run.
set -eu

folder=${1:-flows}
reports=${REPORTS:-reports}
scaiflow=${SCAIFLOW:-scaiflow}

set -- "$folder"/*.flow.json
if [ ! -e "$1" ]; then
    echo "there is no *.flow.json in $folder" >&2
    exit 2
fi
"$scaiflow" validate "$@"

mkdir -p "$reports"
worst=0
keep_worst() {
    if [ "$1" -gt "$worst" ]; then worst=$1; fi
}

for flow in "$@"; do
    echo "== $flow"
    if deployed=$("$scaiflow" deploy "$flow" ${SCAIFLOW_API:+--api "$SCAIFLOW_API"}); then
        echo "$deployed"
        core=$(echo "$deployed" | sed -n 's/^core_id=//p')
        report=$reports/$(basename "$flow" .flow.json).xml
        "$scaiflow" test "$flow" --core "$core" --junit "$report" \
            ${MIN_COVERAGE:+--min-coverage "$MIN_COVERAGE"} ${SCAIFLOW_API:+--api "$SCAIFLOW_API"} ||
            keep_worst $?
    else
        keep_worst $?
    fi
done
exit "$worst"
