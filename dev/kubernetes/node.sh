#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Sourced by dev/cluster: containerd, the network of pods, the kubelet, and images.

start_node() {
    say "Starting the node"
    write_container_settings
    start containerd containerd -c "$containers/config.toml"
    wait_for containerd "containerd answers" containers version
    if [ -n "$(containers containers list -q)" ]; then
        # Pods that were not ended: nobody is to find them, and containerd itself has read of them at its start.
        remove_containers
        # shellcheck disable=SC2046
        end_processes TERM 10 $(processes_of_cluster containerd)
        start containerd containerd -c "$containers/config.toml"
        wait_for containerd "containerd answers" containers version
    fi
    if ! containers images list -q | grep -q '^cluster.local/pause:1$'; then
        # What holds the network of a pod: a busybox that sleeps.
        local folder
        folder=$(mktemp -d)
        mkdir -p "$folder/bin"
        cp "$(command -v busybox)" "$folder/bin/busybox"
        load_image "$folder" cluster.local/pause:1 /bin/busybox sleep 2000000000
        rm -rf "$folder"
    fi
    write_kubelet_settings
    start_kubelet
    wait_for kubelet "the node is ready" node_is_ready
}

start_kubelet() {
    start kubelet "$cluster/bin/kubelet" --config="$running/kubelet.yaml" --kubeconfig="$running/node.kubeconfig" \
        --hostname-override=localhost --root-dir="$running/kubelet" --cert-dir="$running/pki" \
        --container-runtime=remote --container-runtime-endpoint="unix://$containers/containerd.sock"
}

containers() { ctr --address "$containers/containerd.sock" --namespace k8s.io "$@"; }

node_is_ready() { kubectl get node localhost 2>/dev/null | grep -q ' Ready'; }

# load_image FOLDER NAME:TAG COMMAND...
load_image() {
    local folder=$1 name=$2 archive
    shift 2
    archive=$(mktemp --suffix .tar)
    python3 "$here/kubernetes/make-image.py" "$folder" "$name" "$archive" "$@"
    containers images import "$archive" >/dev/null
    rm -f "$archive"
}

write_container_settings() {
    mkdir -p "$containers/networks"
    cat >"$containers/config.toml" <<CONFIG
version = 2
root = "$containers/root"
state = "$containers/state"
[grpc]
  address = "$containers/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "cluster.local/pause:1"
  enable_selinux = false
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$containers/networks"
CONFIG
    cat >"$containers/networks/10-pods.conflist" <<CONFIG
{"cniVersion": "0.4.0", "name": "mcp-gateway-cluster", "plugins": [{"type": "bridge", "bridge": "mcpgw0",
  "isGateway": true, "ipMasq": false, "hairpinMode": true, "ipam": {"type": "host-local",
  "ranges": [[{"subnet": "10.88.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
CONFIG
}

write_kubelet_settings() {
    local pki=$running/pki
    cat >"$running/kubelet.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: $((port + 20))
healthzPort: 0
readOnlyPort: 0
cgroupDriver: cgroupfs
failSwapOn: false
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/node.crt
tlsPrivateKeyFile: $pki/node.key
makeIPTablesUtilChains: false
enforceNodeAllocatable: []
resolvConf: /etc/resolv.conf
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100
# Pods that have ended are looked at once in this time before they are gone.
syncFrequency: 5s
CONFIG
}
