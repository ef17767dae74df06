#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Sourced by dev/cluster: builds Kubernetes 1.20.2 from Debian 12's source package with Debian's Go, once.

# require_cluster: the programs of a cluster in $cluster/bin; about six minutes on two cores the first time.
require_cluster() {
    local name missing=
    for name in kube-apiserver kube-controller-manager kube-scheduler kubelet; do
        [ -x "$cluster/bin/$name" ] || missing=1
    done
    require_packages "for the cluster" \
        busybox-static conntrack containerd containernetworking-plugins etcd-server iproute2 iptables openssl runc
    command -v kubectl >/dev/null || require_packages "for the cluster" kubernetes-client
    if [ -z "$missing" ]; then return; fi
    require_packages "to build Kubernetes" \
        dpkg-dev golang-1.19-go golang-github-modern-go-reflect2-dev jq make rsync
    say "Building Kubernetes into $cluster/bin; about six minutes, once"
    mkdir -p "$cluster/bin" "$cluster/src"
    fetch_source
    compile_source
    rm -rf "$cluster/src" "$cluster/apt"
}

# The source package, through package lists of its own, so that those of the system stay as they are.
fetch_source() {
    local lists=$cluster/apt file options
    mkdir -p "$lists/parts" "$lists/lists/partial"
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null \
        >"$lists/parts/debian.list" || true
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$lists/parts/$(basename "$file")"
    done
    options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$lists/parts" -o "Dir::State::lists=$lists/lists")
    # Only Debian's own lists matter; a foreign one without sources is no reason to fail.
    apt-get "${options[@]}" -qq update || true
    (cd "$cluster/src" && rm -rf kubernetes-* && apt-get "${options[@]}" -qq source kubernetes >/dev/null)
}

compile_source() (
    cd "$cluster"/src/kubernetes-*/
    # The vendored copy is older than this Go.
    local reflect=vendor/github.com/modern-go/reflect2 packaged=/usr/share/gocode/src/github.com/modern-go/reflect2
    rm -f "$reflect"/*.go "$reflect"/*.s
    cp "$packaged"/*.go "$packaged"/*.s "$reflect/"
    rm -f "$reflect"/*_test.go
    export HOME=$cluster/src PATH=/usr/lib/go-1.19/bin:$PATH GOPATH=$PWD/.go GOFLAGS= CGO_ENABLED=0
    export KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=clean
    mkdir -p .go/src/k8s.io
    [ -L .go/src/k8s.io/kubernetes ] || ln -s ../../.. .go/src/k8s.io/kubernetes
    make generated_files
    make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet"
    cp _output/bin/kube-apiserver _output/bin/kube-controller-manager _output/bin/kube-scheduler _output/bin/kubelet \
        "$cluster/bin/"
)
