#!/bin/bash
# certs.sh: two CAs, the certificates of every part, the service accounts' key and the kubeconfigs,
# into $KRUN/pki and $KRUN/*.kubeconfig.
set -euo pipefail
. "$(dirname "$0")/env.sh"
pki=$KRUN/pki
mkdir -p "$pki"
chmod 700 "$pki"
cd "$pki"
[[ -f done ]] && exit 0

new_key() { echo -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes; }

ca() {  # ca <file> <name>
  openssl req -x509 $(new_key) -keyout "$1.key" -out "$1.crt" -days 3650 -subj "/CN=$2" \
    -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
}

leaf() {  # leaf <file> <ca> <subject> [names and addresses]
  openssl req $(new_key) -keyout "$1.key" -out "$1.csr" -subj "$3" 2>/dev/null
  {
    echo "basicConstraints=critical,CA:FALSE"
    echo "keyUsage=critical,digitalSignature"
    echo "extendedKeyUsage=serverAuth,clientAuth"
    [[ -z ${4:-} ]] || echo "subjectAltName=$4"
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -set_serial "0x$(openssl rand -hex 8)" \
    -days 3650 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

kubeconfig() {  # kubeconfig <name>: for whom the certificate of that name was made
  cat >"$KRUN/$1.kubeconfig" <<TEXT
apiVersion: v1
kind: Config
clusters: [{name: k, cluster: {server: "https://$NODE_IP:6443", certificate-authority: $pki/ca.crt}}]
users: [{name: u, user: {client-certificate: $pki/$1.crt, client-key: $pki/$1.key}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
current-context: c
TEXT
}

ca ca kube-ca
ca front-ca front-proxy-ca
service=DNS:kubernetes.default.svc
leaf apiserver ca /CN=kube-apiserver \
  "DNS:kubernetes,DNS:kubernetes.default,$service,$service.$DOMAIN,DNS:localhost,IP:$API_IP,IP:$NODE_IP,IP:127.0.0.1"
leaf kubelet ca "/O=system:nodes/CN=system:node:$NODE" "DNS:$NODE,IP:$NODE_IP,IP:127.0.0.1"
leaf apiserver-kubelet-client ca "/O=system:masters/CN=kube-apiserver-kubelet-client"
leaf front-proxy-client front-ca /CN=front-proxy-client
leaf admin ca "/O=system:masters/CN=admin"
for part in controller-manager scheduler proxy; do leaf $part ca "/CN=system:kube-$part"; done
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
for who in admin controller-manager scheduler kubelet proxy; do kubeconfig $who; done
touch done
