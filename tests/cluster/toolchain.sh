#!/bin/bash
# toolchain.sh: prints the folder of a Go that can build Kubernetes. The `go` on the PATH if it is
# new enough; else any older one (Debian's golang-go) fetches a current one as a module.
set -euo pipefail
. "$(dirname "$0")/../../tools/again.sh"
needed=1.25.0 fetched=1.26.8

command -v go >/dev/null || { echo "toolchain: no go on the PATH (apt-get install golang-go)" >&2; exit 1; }
have=$(GOTOOLCHAIN=local go env GOVERSION)
if [[ $(printf '%s\n' "$needed" "${have#go}" | sort -V | head -n 1) == "$needed" ]]; then
  dirname "$(command -v go)"
  exit
fi
module=golang.org/toolchain@v0.0.1-go$fetched.linux-$(dpkg --print-architecture)
cd /  # no go.mod has a say
again go mod download "$module"
folder=$(go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
[[ -d $folder ]] || { echo "toolchain: cannot fetch $module" >&2; exit 1; }
chmod +x "$folder"/bin/* "$folder"/pkg/tool/*/*  # modules carry no such bits
echo "$folder/bin"
