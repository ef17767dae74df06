# SPDX-License-Identifier: MIT
<#
.SYNOPSIS
Makes everything in Azure and installs the gateway; may be run again, to change or to update.
.DESCRIPTION
The gateway can't check yet who its callers are, so nobody on the Internet reaches it but the AllowedSources. Needs PowerShell 7, az
(signed in), kubectl and helm; no Docker.
.PARAMETER ResourceGroupName
The resource group of everything; made if there is none.
.PARAMETER ClientId
The application (Entra ID) that callers sign in to.
.PARAMETER Location
Where everything is.
.PARAMETER AllowedSources
Addresses that may reach the gateway from the Internet, as CIDR blocks.
.PARAMETER CertificateFile
The certificate of the HTTPS listener, a PFX file; its password is asked for. Without it, one that nobody has signed is made.
.PARAMETER ImageTag
The tag of the image; that of the commit if it is not given.
#>
#Requires -Version 7.0
[CmdletBinding()]
param(
    [Parameter(Mandatory)][ValidatePattern('^[A-Za-z0-9_.()-]{1,80}$')][string]$ResourceGroupName,
    [Parameter(Mandatory)][guid]$ClientId,
    [string]$Location = 'westus3',
    [ValidatePattern('^[0-9./]+$')][string[]]$AllowedSources = @(),
    [string]$CertificateFile,
    [string]$ImageTag
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
$source = Resolve-Path (Join-Path $PSScriptRoot '../..')

function Write-Step([string]$Text) { Write-Host "`n==> $Text" }

# Runs a program; its failure ends the script, in PowerShell before 7.4 too.
function Invoke-Program([string]$Program, [string[]]$Arguments) {
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) { throw "$Program $($Arguments[0]) failed with $LASTEXITCODE" }
}

foreach ($program in 'az', 'kubectl', 'helm', 'git') {
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) { throw "$program is not installed" }
}
Invoke-Program az @('account', 'show', '--output', 'none')
if (-not $ImageTag) { $ImageTag = Invoke-Program git @('-C', "$source", 'rev-parse', '--short=12', 'HEAD') }

# Secrets go through files that nobody else can read, never through arguments.
$work = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
New-Item -ItemType Directory -Path $work | Out-Null
if (-not $IsWindows) { Invoke-Program chmod @('700', $work) }
try {
    if ($CertificateFile) {
        $bytes = [IO.File]::ReadAllBytes((Resolve-Path $CertificateFile))
        $password = Read-Host -MaskInput "The password of $CertificateFile"
    }
    else {
        Write-Step 'Making a certificate that nobody has signed'
        $password = [Convert]::ToHexString([Security.Cryptography.RandomNumberGenerator]::GetBytes(24))
        $key = [Security.Cryptography.RSA]::Create(2048)
        $request = [Security.Cryptography.X509Certificates.CertificateRequest]::new(
            "CN=mg-$Location", $key, [Security.Cryptography.HashAlgorithmName]::SHA256,
            [Security.Cryptography.RSASignaturePadding]::Pkcs1)
        $names = [Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder]::new()
        $names.AddDnsName("*.$Location.cloudapp.azure.com")
        $request.CertificateExtensions.Add($names.Build())
        $now = [DateTimeOffset]::UtcNow
        $made = $request.CreateSelfSigned($now.AddMinutes(-5), $now.AddDays(365))
        $bytes = $made.Export([Security.Cryptography.X509Certificates.X509ContentType]::Pfx, $password)
    }
    $parameters = @{
        '$schema'      = 'https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#'
        contentVersion = '1.0.0.0'
        parameters     = @{
            clientId            = @{ value = "$ClientId" }
            certificate         = @{ value = [Convert]::ToBase64String($bytes) }
            certificatePassword = @{ value = $password }
            allowedSources      = @{ value = @($AllowedSources) }
        }
    }
    $file = Join-Path $work 'parameters.json'
    $parameters | ConvertTo-Json -Depth 5 | Set-Content -Path $file

    Write-Step "Making the resources in $ResourceGroupName ($Location); the first time takes about a quarter of an hour"
    Invoke-Program az @('group', 'create', '--name', $ResourceGroupName, '--location', $Location, '--output', 'none')
    Invoke-Program az @(
        'deployment', 'group', 'create', '--resource-group', $ResourceGroupName, '--name', 'mcp-gateway',
        '--template-file', (Join-Path $PSScriptRoot 'main.bicep'), '--parameters', "@$file", '--output', 'none')
    $text = Invoke-Program az @(
        'deployment', 'group', 'show', '--resource-group', $ResourceGroupName, '--name', 'mcp-gateway',
        '--query', 'properties.outputs', '--output', 'json')
    $outputs = $text | Out-String | ConvertFrom-Json
    $registry = $outputs.registryName.value
    $server = $outputs.registryServer.value
    $cluster = $outputs.clusterName.value

    Write-Step "Building the image $server/mcp-gateway:$ImageTag in Azure"
    Invoke-Program az @(
        'acr', 'build', '--registry', $registry, '--image', "mcp-gateway:$ImageTag",
        '--file', (Join-Path $source 'deployment/container/Dockerfile'), "$source", '--output', 'none')

    Write-Step "Installing the gateway in $cluster"
    $env:KUBECONFIG = Join-Path $work 'kubeconfig'
    Invoke-Program az @(
        'aks', 'get-credentials', '--resource-group', $ResourceGroupName, '--name', $cluster,
        '--file', $env:KUBECONFIG, '--output', 'none')
    $base = Join-Path $source 'deployment/kubernetes/base'
    Invoke-Program kubectl @('apply', '--filename', (Join-Path $base 'namespace.yaml'))
    Invoke-Program kubectl @('apply', '--server-side', '--filename', (Join-Path $base 'adapters.mcp-gateway.dev.yaml'))
    Invoke-Program helm @(
        'upgrade', '--install', 'mcp-gateway', (Join-Path $source 'deployment/helm/mcp-gateway'),
        '--namespace', 'adapter', '--skip-crds', '--values', (Join-Path $PSScriptRoot 'gateway.values.yaml'),
        '--set-string', "image.repository=$server/mcp-gateway", '--set-string', "image.tag=$ImageTag",
        '--set-string', "settings.kubernetes\.registry=$server",
        '--set-string', "workloadIdentity.clientId=$($outputs.workloadClientId.value)", '--wait', '--timeout', '10m')

    Write-Step 'Ready'
    $who = if ($AllowedSources) { $AllowedSources -join ', ' } else { 'nobody on the Internet (-AllowedSources)' }
    Write-Host "https://$($outputs.hostName.value)/adapters   for $who"
    Write-Host "az aks get-credentials --resource-group $ResourceGroupName --name $cluster"
    Write-Host 'kubectl --namespace adapter port-forward service/mcp-gateway 8000:8000'
}
finally {
    Remove-Item -Recurse -Force $work
    Remove-Item Env:KUBECONFIG -ErrorAction SilentlyContinue
}
