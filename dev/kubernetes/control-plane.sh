#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Sourced by dev/cluster: certificates, etcd, API server, controllers and scheduler.

# Starts what runs behind a name; its log, its process id and what tells it from others are kept. The lock is not handed on.
start() {
    local name=$1
    shift
    setsid "$@" >"$running/log/$name.log" 2>&1 </dev/null 9>&- &
    echo $! >"$running/$name.pid"
    identity $! >"$running/$name.life" || true
}

# Whether the process behind a name is the one that was started, and not another one that has got its number.
is_running() {
    local id life
    id=$(cat "$running/$1.pid" 2>/dev/null) && life=$(cat "$running/$1.life" 2>/dev/null) || return 1
    [ -n "$life" ] && [ "$(identity "$id")" = "$life" ]
}

# Whether the whole cluster runs and answers.
is_up() {
    local name
    for name in etcd apiserver controllers scheduler containerd kubelet; do is_running "$name" || return 1; done
    kubectl --kubeconfig "$running/admin.kubeconfig" --request-timeout 10s get --raw /readyz >/dev/null 2>&1
}

# Waits until a command succeeds; fails with the log of the process when that ends, or after three minutes: a machine may
# have much else to do.
wait_for() {
    local name=$1 what=$2 deadline=$((SECONDS + 180))
    shift 2
    while [ "$SECONDS" -lt "$deadline" ]; do
        if "$@" >/dev/null 2>&1; then return; fi
        is_running "$name" || { tail -n 5 "$running/log/$name.log" >&2; fail "$name has ended; see $running/log/$name.log"; }
        sleep 0.2
    done
    tail -n 5 "$running/log/$name.log" >&2
    fail "$what: not within three minutes; see $running/log/$name.log"
}

# certificate FILE COMMON-NAME ORGANISATION [ALTERNATIVE-NAMES]
certificate() {
    openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/O=$3/CN=$2" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out "$1.crt" -extfile <(
        printf 'keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n'
        [ -z "${4:-}" ] || printf 'subjectAltName=%s\n' "$4"
    ) 2>/dev/null
}

make_certificates() (
    mkdir -p "$running/pki"
    cd "$running/pki"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 365 -subj /CN=cluster \
        -addext keyUsage=critical,keyCertSign,digitalSignature -addext basicConstraints=critical,CA:TRUE 2>/dev/null
    certificate apiserver kube-apiserver kubernetes \
        "IP:127.0.0.1,IP:::1,IP:10.0.0.1,IP:10.88.0.1,DNS:localhost,DNS:kubernetes.default.svc"
    certificate admin admin system:masters
    certificate controllers system:kube-controller-manager system:controllers
    certificate scheduler system:kube-scheduler system:scheduler
    certificate node system:node:localhost system:nodes "DNS:localhost,IP:127.0.0.1"
    certificate apiserver-kubelet kube-apiserver-kubelet-client system:masters
    openssl genrsa -out accounts.key 2048 2>/dev/null
    openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
)

# kubeconfig NAME: a file for the user of that certificate.
kubeconfig() {
    cat >"$running/$1.kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$port", certificate-authority: $running/pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $running/pki/$1.crt, client-key: $running/pki/$1.key}}]
contexts: [{name: local, context: {cluster: local, user: $1}}]
current-context: local
CONFIG
}

start_control_plane() {
    local pki=$running/pki etcd=$((port + 1)) name
    say "Starting the control plane"
    mkdir -p "$running/log"
    make_certificates
    for name in admin controllers scheduler node; do kubeconfig "$name"; done
    # The data is thrown away at the end, so nothing needs to reach the disk.
    start etcd etcd --unsafe-no-fsync --data-dir "$running/etcd" \
        --listen-client-urls "http://127.0.0.1:$etcd" --advertise-client-urls "http://127.0.0.1:$etcd" \
        --listen-peer-urls "http://127.0.0.1:$((etcd + 1))" \
        --initial-advertise-peer-urls "http://127.0.0.1:$((etcd + 1))" \
        --initial-cluster "default=http://127.0.0.1:$((etcd + 1))"
    start_api_server
    export KUBECONFIG=$running/admin.kubeconfig
    wait_for apiserver "the API server is ready" kubectl get --raw /readyz
    start controllers "$cluster/bin/kube-controller-manager" --kubeconfig="$running/controllers.kubeconfig" \
        --authentication-kubeconfig="$running/controllers.kubeconfig" \
        --authorization-kubeconfig="$running/controllers.kubeconfig" \
        --bind-address=127.0.0.1 --secure-port=$((port + 14)) --port=0 --cert-dir="$pki" \
        --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/accounts.key" \
        --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
        --use-service-account-credentials=true --leader-elect=false
    start scheduler "$cluster/bin/kube-scheduler" --kubeconfig="$running/scheduler.kubeconfig" \
        --authentication-kubeconfig="$running/scheduler.kubeconfig" \
        --authorization-kubeconfig="$running/scheduler.kubeconfig" \
        --bind-address=127.0.0.1 --secure-port=$((port + 16)) --port=0 --cert-dir="$pki" --leader-elect=false
    wait_for controllers "the controllers work" kubectl --namespace default get serviceaccount default
}

# Throw-away data and loopback only; otherwise as a cluster has it.
start_api_server() {
    local pki=$running/pki
    start apiserver "$cluster/bin/kube-apiserver" --etcd-servers="http://127.0.0.1:$((port + 1))" \
        --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$port" --cert-dir="$pki" \
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --client-ca-file="$pki/ca.crt" --authorization-mode=Node,RBAC --allow-privileged=true \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$pki/accounts.pub" --service-account-signing-key-file="$pki/accounts.key" \
        --service-cluster-ip-range=10.0.0.0/24 --endpoint-reconciler-type=none \
        --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
        --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=Hostname
}

stop_cluster() {
    export KUBECONFIG=$running/admin.kubeconfig
    if is_running kubelet && is_running apiserver; then
        # What runs is deleted first, so that its networks and control groups are released.
        timeout 15 kubectl delete statefulsets,deployments,daemonsets,replicasets,jobs,cronjobs --all-namespaces --all \
            --wait=false >/dev/null 2>&1 || true
        timeout 30 kubectl delete pods --all-namespaces --all --grace-period=1 >/dev/null 2>&1 || true
    fi
    end_leftovers
    # Ended in order: what there is of images is whole.
    rm -f "$containers/used-since"
}
