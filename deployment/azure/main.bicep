// SPDX-License-Identifier: MIT
//
// What the gateway needs of Azure, in one resource group; applied by azure-deploy.ps1 and azure-deploy.sh.
targetScope = 'resourceGroup'

@description('Where everything is.')
param location string = resourceGroup().location

@description('The application (Entra ID) that callers sign in to. Kept as a tag until the gateway can check who they are.')
@minLength(36)
@maxLength(36)
param clientId string

@description('The certificate of the HTTPS listener, a PFX file in base64.')
@secure()
param certificate string

@description('The password of that file.')
@secure()
param certificatePassword string

@description('Addresses that may reach the gateway from the Internet, as CIDR blocks. Without the setting oidc.issuer the gateway asks nobody who they are: none are allowed by default.')
param allowedSources array = []

@description('The size of the machines.')
param nodeSize string = 'Standard_D4ds_v5'

@description('How many machines there are at least.')
@minValue(1)
param minimumNodes int = 2

@description('How many machines there are at most.')
@maxValue(100)
param maximumNodes int = 10

@description('How long a request may take to be answered, streams included, in seconds.')
@minValue(60)
@maxValue(86400)
param requestTimeout int = 86400

@description('The namespace and the account of servers with an identity.')
param namespace string = 'adapter'
param workloadAccount string = 'workload-sa'

var group = resourceGroup().name
// Names of registries are letters and digits only, at most 50.
var registryName = take('acr${toLower(replace(replace(replace(replace(replace(group, '-', ''), '_', ''), '.', ''), '(', ''), ')', ''))}', 50)
var tags = { 'mcp-gateway-client-id': clientId }
var gatewayName = 'mg-aag-${group}'
// The internal address of the gateway's Service, in the subnet of the nodes; see gateway.values.yaml.
var serviceAddress = '10.240.255.10'
var pullRole = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')
var networkRole = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4d97b98b-1d4f-4787-a291-c67834d212e7')

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: registryName
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

resource logs 'Microsoft.OperationalInsights/workspaces@2022-10-01' = {
  name: 'mg-logs-${group}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'mg-ai-${group}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
  }
}

// What the cluster itself acts as.
resource clusterIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'mg-aks-identity-${group}'
  location: location
  tags: tags
}

// What servers with useWorkloadIdentity act as; it may do nothing until somebody grants it something.
resource workloadIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'mg-identity-${group}'
  location: location
  tags: tags
}

resource workloadFederation 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: workloadIdentity
  name: 'workload'
  properties: {
    issuer: cluster.properties.oidcIssuerProfile.issuerURL
    subject: 'system:serviceaccount:${namespace}:${workloadAccount}'
    audiences: ['api://AzureADTokenExchange']
  }
}

resource entryRules 'Microsoft.Network/networkSecurityGroups@2023-11-01' = {
  name: 'mg-nsg-${group}'
  location: location
  tags: tags
  properties: {
    securityRules: concat(
      [
        {
          // Without this the Application Gateway does not work.
          name: 'management'
          properties: {
            priority: 100
            direction: 'Inbound'
            access: 'Allow'
            protocol: 'Tcp'
            sourceAddressPrefix: 'GatewayManager'
            sourcePortRange: '*'
            destinationAddressPrefix: '*'
            destinationPortRange: '65200-65535'
          }
        }
        {
          name: 'probes'
          properties: {
            priority: 110
            direction: 'Inbound'
            access: 'Allow'
            protocol: '*'
            sourceAddressPrefix: 'AzureLoadBalancer'
            sourcePortRange: '*'
            destinationAddressPrefix: '*'
            destinationPortRange: '*'
          }
        }
        {
          name: 'nobody-else'
          properties: {
            priority: 4000
            direction: 'Inbound'
            access: 'Deny'
            protocol: '*'
            sourceAddressPrefix: 'Internet'
            sourcePortRange: '*'
            destinationAddressPrefix: '*'
            destinationPortRange: '*'
          }
        }
      ],
      empty(allowedSources)
        ? []
        : [
            {
              name: 'clients'
              properties: {
                priority: 200
                direction: 'Inbound'
                access: 'Allow'
                protocol: 'Tcp'
                sourceAddressPrefixes: allowedSources
                sourcePortRange: '*'
                destinationAddressPrefix: '*'
                destinationPortRange: '443'
              }
            }
          ]
    )
  }
}

resource network 'Microsoft.Network/virtualNetworks@2023-11-01' = {
  name: 'mg-vnet-${group}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.240.0.0/15'] }
    subnets: [
      {
        name: 'nodes'
        properties: { addressPrefix: '10.240.0.0/16' }
      }
      {
        name: 'entry'
        properties: {
          addressPrefix: '10.241.0.0/24'
          networkSecurityGroup: { id: entryRules.id }
        }
      }
    ]
  }

  resource nodes 'subnets' existing = {
    name: 'nodes'
  }

  resource entry 'subnets' existing = {
    name: 'entry'
  }
}

// The cluster's internal load balancer takes an address of the subnet.
resource networkAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(network.id, clusterIdentity.id, networkRole)
  scope: network
  properties: {
    roleDefinitionId: networkRole
    principalId: clusterIdentity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource cluster 'Microsoft.ContainerService/managedClusters@2024-05-01' = {
  name: 'mg-aks-${group}'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${clusterIdentity.id}': {} }
  }
  properties: {
    dnsPrefix: 'mg-${uniqueString(resourceGroup().id)}'
    disableLocalAccounts: false
    oidcIssuerProfile: { enabled: true }
    securityProfile: { workloadIdentity: { enabled: true } }
    networkProfile: {
      networkPlugin: 'azure'
      networkPluginMode: 'overlay'
      networkDataplane: 'cilium'
      // The gateway depends on policies being enforced.
      networkPolicy: 'cilium'
      podCidr: '10.244.0.0/16'
      serviceCidr: '10.0.0.0/16'
      dnsServiceIP: '10.0.0.10'
      loadBalancerSku: 'standard'
    }
    addonProfiles: {
      omsagent: {
        enabled: true
        config: { logAnalyticsWorkspaceResourceID: logs.id }
      }
    }
    autoUpgradeProfile: { upgradeChannel: 'patch', nodeOSUpgradeChannel: 'NodeImage' }
    agentPoolProfiles: [
      {
        name: 'nodes'
        mode: 'System'
        vmSize: nodeSize
        count: minimumNodes
        minCount: minimumNodes
        maxCount: maximumNodes
        enableAutoScaling: true
        osType: 'Linux'
        osSKU: 'AzureLinux'
        vnetSubnetID: network::nodes.id
      }
    ]
  }
  dependsOn: [networkAccess]
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, cluster.id, pullRole)
  scope: registry
  properties: {
    roleDefinitionId: pullRole
    principalId: cluster.properties.identityProfile.kubeletidentity.objectId
    principalType: 'ServicePrincipal'
  }
}

resource address 'Microsoft.Network/publicIPAddresses@2023-11-01' = {
  name: 'mg-pip-${group}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    publicIPAllocationMethod: 'Static'
    dnsSettings: { domainNameLabel: 'mg-${uniqueString(resourceGroup().id)}' }
  }
}

resource entryPoint 'Microsoft.Network/applicationGateways@2023-11-01' = {
  name: gatewayName
  location: location
  tags: tags
  properties: {
    sku: { name: 'Standard_v2', tier: 'Standard_v2' }
    autoscaleConfiguration: { minCapacity: 1, maxCapacity: 10 }
    sslPolicy: { policyType: 'Predefined', policyName: 'AppGwSslPolicy20220101' }
    gatewayIPConfigurations: [
      { name: 'entry', properties: { subnet: { id: network::entry.id } } }
    ]
    sslCertificates: [
      { name: 'certificate', properties: { data: certificate, password: certificatePassword } }
    ]
    frontendIPConfigurations: [
      { name: 'public', properties: { publicIPAddress: { id: address.id } } }
    ]
    frontendPorts: [
      { name: 'https', properties: { port: 443 } }
    ]
    backendAddressPools: [
      { name: 'gateway', properties: { backendAddresses: [{ ipAddress: serviceAddress }] } }
    ]
    probes: [
      {
        name: 'ready'
        properties: {
          protocol: 'Http'
          host: '127.0.0.1'
          path: '/readyz'
          interval: 5
          timeout: 5
          unhealthyThreshold: 2
          match: { statusCodes: ['200'] }
        }
      }
    ]
    backendHttpSettingsCollection: [
      {
        name: 'gateway'
        properties: {
          protocol: 'Http'
          port: 8000
          // No affinity by cookies: every replica of the gateway routes every session.
          cookieBasedAffinity: 'Disabled'
          requestTimeout: requestTimeout
          connectionDraining: { enabled: true, drainTimeoutInSec: 60 }
          probe: { id: resourceId('Microsoft.Network/applicationGateways/probes', gatewayName, 'ready') }
        }
      }
    ]
    httpListeners: [
      {
        name: 'https'
        properties: {
          protocol: 'Https'
          frontendIPConfiguration: { id: resourceId('Microsoft.Network/applicationGateways/frontendIPConfigurations', gatewayName, 'public') }
          frontendPort: { id: resourceId('Microsoft.Network/applicationGateways/frontendPorts', gatewayName, 'https') }
          sslCertificate: { id: resourceId('Microsoft.Network/applicationGateways/sslCertificates', gatewayName, 'certificate') }
        }
      }
    ]
    requestRoutingRules: [
      {
        name: 'all'
        properties: {
          ruleType: 'Basic'
          priority: 100
          httpListener: { id: resourceId('Microsoft.Network/applicationGateways/httpListeners', gatewayName, 'https') }
          backendAddressPool: { id: resourceId('Microsoft.Network/applicationGateways/backendAddressPools', gatewayName, 'gateway') }
          backendHttpSettings: { id: resourceId('Microsoft.Network/applicationGateways/backendHttpSettingsCollection', gatewayName, 'gateway') }
        }
      }
    ]
  }
}

output registryServer string = registry.properties.loginServer
output registryName string = registry.name
output clusterName string = cluster.name
output workloadClientId string = workloadIdentity.properties.clientId
output serviceAddress string = serviceAddress
output hostName string = address.properties.dnsSettings.fqdn
