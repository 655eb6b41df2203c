#!/bin/sh
# CI and the newcomer run the same line.
tail -n 1 .ci/run | grep -Fxf - README.md
