#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Sourced by dev/cluster: ends and removes whatever is left of a cluster, however that ended: stopped in order, its
# processes killed one by one, or the machine started anew. Nothing is believed because a file says so: processes are
# found by what they are, and only what belongs to this cluster's own folders is touched.

# identity PID: what tells a process from another one that has the same number later, also after a restart of the machine.
identity() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name in parentheses may hold anything. What has ended and is only not yet waited for is nobody.
    read -ra stat <<<"${stat##*) }"
    case ${stat[0]} in Z | X) return 1 ;; esac
    echo "${stat[19]} $(cat /proc/sys/kernel/random/boot_id)"
}

# The ids of the processes that make up this cluster: those of the given names whose command names one of its folders.
processes_of_cluster() {
    local folder words name
    for folder in /proc/[0-9]*; do
        words=()
        { mapfile -d '' -t words <"$folder/cmdline"; } 2>/dev/null || continue
        [ ${#words[@]} -gt 0 ] || continue
        for name in "$@"; do
            if [ "${words[0]##*/}" = "$name" ] && [[ "${words[*]}" == *"$cluster/"* ]]; then echo "${folder#/proc/}"; fi
        done
    done
}

# The ids of the processes inside of pods: their root directory is a layer of this cluster's images.
processes_in_pods() {
    grep -lsE "^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ / .* - overlay .*upperdir=$containers/" /proc/[0-9]*/mountinfo |
        cut -d / -f 3 || true
}

# end_processes SIGNAL SECONDS PID...: sends the signal and waits; what is there after that time is killed.
end_processes() {
    local signal=$1 tries=$(($2 * 5)) id try
    shift 2
    for id in "$@"; do kill "-$signal" "$id" 2>/dev/null || true; done
    for id in "$@"; do
        for try in $(seq $((tries + 50))); do
            identity "$id" >/dev/null || break
            if [ "$try" -eq "$tries" ]; then kill -9 "$id" 2>/dev/null || true; fi
            sleep 0.2
        done
    done
}

# Ends what is left of processes, mounts and networks, and forgets the data. Images stay.
end_leftovers() {
    local name
    # What would start the others again comes first.
    for name in kubelet kube-scheduler kube-controller-manager kube-apiserver etcd; do
        # shellcheck disable=SC2046
        end_processes TERM 10 $(processes_of_cluster "$name")
    done
    remove_containers
    # shellcheck disable=SC2046
    end_processes TERM 10 $(processes_of_cluster containerd)
    # shellcheck disable=SC2046
    end_processes KILL 5 $(processes_of_cluster containerd-shim-runc-v2 containerd-shim) $(processes_in_pods)
    remove_networks
    remove_mounts
    rm -rf "$running"
}

# What containerd knows of pods, as long as it answers.
remove_containers() {
    local item
    timeout 5 ctr --address "$containers/containerd.sock" version >/dev/null 2>&1 || return 0
    for item in $(containers tasks list -q 2>/dev/null); do
        timeout 10 ctr --address "$containers/containerd.sock" --namespace k8s.io tasks kill --signal 9 "$item" 2>/dev/null || true
    done
    for item in $(containers containers list -q 2>/dev/null); do
        timeout 10 ctr --address "$containers/containerd.sock" --namespace k8s.io tasks rm --force "$item" >/dev/null 2>&1 || true
        timeout 10 ctr --address "$containers/containerd.sock" --namespace k8s.io containers rm "$item" 2>/dev/null || true
    done
}

# The network namespaces of pods, their bridge, and the addresses that were given out.
remove_networks() {
    local file place
    for file in /var/lib/cni/results/mcp-gateway-cluster-*; do
        [ -e "$file" ] || continue
        for place in $(grep -o '/run/netns/cni-[0-9a-f-]*' "$file" | sort -u); do
            umount -l "$place" 2>/dev/null || true
            rm -f "$place"
        done
        # And of the loopback interface of the same pod.
        file=${file##*/mcp-gateway-cluster-}
        rm -f "/var/lib/cni/results/mcp-gateway-cluster-$file" "/var/lib/cni/results/cni-loopback-${file%-*}-lo"
    done
    if ip link show mcpgw0 >/dev/null 2>&1; then ip link delete mcpgw0 || true; fi
    rm -rf /var/lib/cni/networks/mcp-gateway-cluster
}

# The deepest first. The kubelet mounts its own folder, too, which could not be removed otherwise.
remove_mounts() {
    awk -v one="$running/" -v two="$containers/" 'index($2, one) == 1 || index($2, two) == 1 {print $2}' /proc/mounts |
        sort -r | while read -r place; do
        umount "$place" 2>/dev/null || umount -l "$place" 2>/dev/null || true
    done
}

# Images are thrown away where they can't be trusted: the machine went down under them, and what they are made of may never
# have reached the disk. They are made again when somebody needs them.
forget_torn_images() {
    local boot
    boot=$(cat /proc/sys/kernel/random/boot_id)
    if [ -e "$containers/used-since" ] && [ "$(cat "$containers/used-since")" != "$boot" ]; then
        say "The machine was restarted under the last cluster: its images are thrown away"
        rm -rf "$containers"
    fi
    mkdir -p "$containers"
    echo "$boot" >"$containers/used-since"
}

# Says who has a port that the cluster needs.
require_ports() {
    local number
    for number in "$port" $((port + 1)) $((port + 2)) $((port + 14)) $((port + 16)) $((port + 20)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$number") 2>/dev/null; then
            fail "port $number is taken by something else ($(ss -Hltnp "sport = :$number" | sed -n 's/.*users:((\([^,]*,[^,]*\).*/\1/p' | head -n 1)); MCP_GATEWAY_CLUSTER_PORT chooses others"
        fi
    done
}
