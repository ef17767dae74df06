#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes everything in Azure and installs the gateway; may be run again, to change or to update.
#
#   azure-deploy.sh -ResourceGroupName NAME -ClientId ID [-Location westus3] [-AllowedSources CIDR,CIDR…]
#                   [-CertificateFile FILE.pfx] [-ImageTag TAG]
#
# -ClientId is the application (Entra ID) that callers sign in to. The gateway can't check that yet, so nobody on the Internet
# reaches it but the -AllowedSources. The password of -CertificateFile is read from CERTIFICATE_PASSWORD; without a file a
# certificate that nobody has signed is made. Needs az (signed in), kubectl, helm, openssl and, from there, no Docker.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$here/../..

usage() { sed -n '5,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { echo "error: $*" >&2; exit 1; }
say() { printf '\n==> %s\n' "$*"; }

group= client= location=westus3 sources= certificateFile= tag=
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    -ResourceGroupName) group=$2 ;;
    -ClientId) client=$2 ;;
    -Location) location=$2 ;;
    -AllowedSources) sources=$2 ;;
    -CertificateFile) certificateFile=$2 ;;
    -ImageTag) tag=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[ -n "$group" ] && [ -n "$client" ] || usage
[[ $group =~ ^[A-Za-z0-9_.()-]{1,80}$ ]] || fail "-ResourceGroupName $group: letters, digits and _ . ( ) - are needed"
[[ $client =~ ^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$ ]] || fail "-ClientId $client: the id of an application is needed"
[[ -z $sources || $sources =~ ^[0-9./,]+$ ]] || fail "-AllowedSources $sources: CIDR blocks, separated by commas, are needed"
for program in az kubectl helm openssl; do command -v "$program" >/dev/null || fail "$program is not installed"; done
az account show --output none || fail "sign in first: az login"
tag=${tag:-$(git -C "$source" rev-parse --short=12 HEAD)}

# Secrets go through files that nobody else can read, never through arguments.
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "$certificateFile" ]; then
    password=${CERTIFICATE_PASSWORD:-}
    cp "$certificateFile" "$work/certificate.pfx"
else
    say "Making a certificate that nobody has signed"
    password=$(openssl rand -hex 24)
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj "/CN=mg-$location" -addext "subjectAltName=DNS:*.$location.cloudapp.azure.com" \
        -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
    # The ciphers of PKCS #12 that the Application Gateway reads.
    printf '%s' "$password" >"$work/password"
    openssl pkcs12 -export -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -inkey "$work/key.pem" \
        -in "$work/certificate.pem" -passout "file:$work/password" -out "$work/certificate.pfx"
fi
blocks=
for block in ${sources//,/ }; do blocks="$blocks${blocks:+, }\"$block\""; done
cat >"$work/parameters.json" <<JSON
{
  "\$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "clientId": {"value": "$client"},
    "certificate": {"value": "$(base64 <"$work/certificate.pfx" | tr -d '\n')"},
    "certificatePassword": {"value": "$password"},
    "allowedSources": {"value": [$blocks]}
  }
}
JSON

say "Making the resources in $group ($location); the first time takes about a quarter of an hour"
az group create --name "$group" --location "$location" --output none
az deployment group create --resource-group "$group" --name mcp-gateway --template-file "$here/main.bicep" \
    --parameters "@$work/parameters.json" --output none
output() {
    az deployment group show --resource-group "$group" --name mcp-gateway --query "properties.outputs.$1.value" --output tsv
}
registry=$(output registryName)
server=$(output registryServer)

say "Building the image $server/mcp-gateway:$tag in Azure"
az acr build --registry "$registry" --image "mcp-gateway:$tag" --file "$source/deployment/container/Dockerfile" "$source" --output none

say "Installing the gateway in $(output clusterName)"
export KUBECONFIG=$work/kubeconfig
az aks get-credentials --resource-group "$group" --name "$(output clusterName)" --file "$KUBECONFIG" --output none
kubectl apply --filename "$source/deployment/kubernetes/base/namespace.yaml"
kubectl apply --server-side --filename "$source/deployment/kubernetes/base/adapters.mcp-gateway.dev.yaml"
helm upgrade --install mcp-gateway "$source/deployment/helm/mcp-gateway" --namespace adapter --skip-crds \
    --values "$here/gateway.values.yaml" --set-string "image.repository=$server/mcp-gateway" --set-string "image.tag=$tag" \
    --set-string "settings.kubernetes\.registry=$server" --set-string "workloadIdentity.clientId=$(output workloadClientId)" \
    --wait --timeout 10m

say "Ready"
echo "https://$(output hostName)/adapters   for ${sources:-nobody on the Internet (-AllowedSources)}"
echo "az aks get-credentials --resource-group $group --name $(output clusterName)"
echo "kubectl --namespace adapter port-forward service/mcp-gateway 8000:8000"
