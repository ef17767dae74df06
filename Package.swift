// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT

import PackageDescription

/// Every target is built the same strict way: Swift 6 mode, `any` spelled out, imports as narrow as they can be.
///
/// In CI (`CI=true`) a warning in our own targets is an error. Elsewhere it is not, so that a newer compiler with new
/// warnings still builds the project.
let strict: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (Context.environment["CI"] == "true" ? [.treatAllWarnings(as: .error)] : [])

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
/// Only tests use it: the other reader of HTTP that ours is compared with.
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A folder is a target; the dependency list of a target is its place in the architecture (docs/architecture.md).
func room(_ name: String, _ path: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(path)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "mcp-gateway",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "mcp-gateway", targets: ["mcp-gateway"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "mcp-gateway",
            dependencies: ["Server", "Bridge", "Spawn", "Systemd", arguments, system, logging, lifecycle, signals],
            swiftSettings: strict),

        room("JSON", "JSON"),
        room("YAML", "YAML", ["CYAML"]),
        room("Curl", "Curl", ["CCurl"]),

        room("Wire", "Gateway/Wire"),
        room("HTTP", "Gateway/HTTP", ["Wire", nioCore, nioPosix, nioTLS, nioHTTP2, nioHPACK, logging, lifecycle]),
        room("TLS", "Gateway/TLS", [nioCore, nioTLS, nioSSL, logging, lifecycle]),
        room("MCPProtocol", "Gateway/Protocol", [crypto]),
        room("Model", "Gateway/Model", ["JSON", "RuntimeContract"]),
        room("Identity", "Gateway/Identity", ["Model", "Wire"]),
        room(
            "OAuth", "Gateway/OAuth",
            ["Identity", "Model", "MCPProtocol", "JSON", "Curl", crypto, cryptoExtras, logging, lifecycle]),
        room("Observability", "Gateway/Observability", [logging, metrics]),
        room(
            "DataPlane", "Gateway/DataPlane",
            [
                "JSON", "Wire", "HTTP", "MCPProtocol", "Model", "Identity", "Observability", "RuntimeContract",
                nioCore, nioPosix, logging, metrics, lifecycle,
            ]),
        room(
            "ControlPlane", "Gateway/ControlPlane",
            [
                "HTTP", "JSON", "Model", "Identity", "Observability", "Store", "RuntimeContract",
                nioCore, logging, metrics, tracing, lifecycle,
            ]),
        room(
            "ClusterAuthority", "Gateway/ClusterAuthority",
            ["ControlPlane", "JSON", "KubernetesRuntime", "Model", "Store", "RuntimeContract", logging]),
        room(
            "Server", "Gateway/Server",
            [
                "Wire", "HTTP", "TLS", "MCPProtocol", "Model", "Identity", "OAuth", "Observability", "DataPlane",
                "ControlPlane",
                "ClusterAuthority", "Store",
                "RuntimeContract", "ProcessRuntime", "KubernetesRuntime", "RemoteRuntime", "YAML", configuration,
                system, nioCore, nioPosix,
                logging,
                lifecycle, signals,
            ]),

        room("Bridge", "Bridge", ["Wire", "HTTP", "MCPProtocol", "Spawn", nioCore, nioPosix, logging, lifecycle]),

        room("RuntimeContract", "Runtimes/Contract", [lifecycle]),
        room("RuntimeConformance", "Runtimes/Conformance", ["RuntimeContract", logging, lifecycle]),
        room("Rollout", "Runtimes/Rollout", ["RuntimeContract"]),
        room("Supervision", "Runtimes/Supervision", ["RuntimeContract", "Rollout", lifecycle]),
        room("Probe", "Runtimes/Probe", ["RuntimeContract", nioCore, nioPosix]),
        room(
            "RemoteRuntime", "Runtimes/Remote",
            ["RuntimeContract", "Supervision", "Probe", nioCore, nioPosix, lifecycle]),
        room("MemoryRuntime", "Runtimes/Memory", ["RuntimeContract", "Supervision", lifecycle]),
        room(
            "ProcessRuntime", "Runtimes/Process",
            [
                "RuntimeContract", "Rollout", "Supervision", "Probe", "Spawn", "CSpawn", "Systemd", nioCore, nioPosix,
                crypto,
                logging,
                lifecycle,
            ]),

        room(
            "KubernetesRuntime", "Runtimes/Kubernetes",
            ["RuntimeContract", "Rollout", "Curl", "JSON", "YAML", "Spawn", logging, lifecycle]),

        room("Store", "Store", ["JSON", "Model", "RuntimeContract", "CSQLite"]),

        .systemLibrary(
            name: "CSQLite", path: "Sources/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CYAML", path: "Sources/CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(
            name: "CCurl", path: "Sources/CCurl",
            cSettings: Context.environment["CI"] == "true" ? [.treatAllWarnings(as: .error)] : [],
            linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        .target(
            name: "CSpawn", path: "Sources/CSpawn",
            cSettings: Context.environment["CI"] == "true" ? [.treatAllWarnings(as: .error)] : []),
        room("Spawn", "Spawn", ["CSpawn"]),
        .target(
            name: "CSystemd", path: "Sources/CSystemd",
            cSettings: Context.environment["CI"] == "true" ? [.treatAllWarnings(as: .error)] : [],
            linkerSettings: [.linkedLibrary("dl", .when(platforms: [.linux]))]),
        room("Systemd", "Systemd", ["CSystemd", "CSpawn", "Spawn", logging]),

        tests("SpawnTests", ["Spawn"]),
        tests("SystemdTests", ["Systemd", logging]),
        tests("WireTests", ["Wire", nioCore, nioEmbedded, nioHTTP1]),
        tests(
            "HTTPTests",
            ["HTTP", "Wire", nioCore, nioPosix, nioEmbedded, nioConcurrency, nioHTTP2, nioHPACK, logging, lifecycle]),
        tests("MCPProtocolTests", ["MCPProtocol"]),
        tests("IdentityTests", ["Identity", "Model"]),
        tests("OAuthTests", ["OAuth", "Identity", "Model", "MCPProtocol", "JSON", crypto, cryptoExtras, logging]),
        tests("ObservabilityTests", ["Observability", metrics]),
        tests("JSONTests", ["JSON"]),
        tests("YAMLTests", ["YAML"]),
        tests("CurlTests", ["Curl", nioCore, nioPosix]),
        tests("ModelTests", ["JSON", "Model", "RuntimeContract"]),
        tests(
            "DataPlaneTests",
            [
                "DataPlane", "HTTP", "Identity", "MCPProtocol", "Model", "RuntimeContract", nioCore, nioPosix,
                nioConcurrency, logging,
                lifecycle,
            ]),
        tests(
            "ControlPlaneTests",
            [
                "ControlPlane", "HTTP", "JSON", "Store", "Model", "Identity", "MemoryRuntime", "RuntimeContract",
                nioCore,
                logging,
            ]),
        tests(
            "ClusterAuthorityTests", ["ClusterAuthority", "ControlPlane", "JSON", "Model", "RuntimeContract", "Store"]),
        tests("StoreTests", ["Store", "Model", "RuntimeContract"]),
        tests("RuntimeContractTests", ["RuntimeContract"]),
        tests("RolloutTests", ["Rollout", "RuntimeContract"]),
        tests("SupervisionTests", ["Supervision", "RuntimeContract"]),
        tests("MemoryRuntimeTests", ["MemoryRuntime", "RuntimeConformance", "RuntimeContract"]),
        tests(
            "ProcessRuntimeTests",
            [
                "ProcessRuntime", "Supervision", "RuntimeConformance", "RuntimeContract", "Spawn", "Systemd", nioPosix,
                logging,
            ]),
        tests(
            "RemoteRuntimeTests",
            ["RemoteRuntime", "MemoryRuntime", "RuntimeContract", nioCore, nioPosix, lifecycle]),
        tests(
            "KubernetesRuntimeTests",
            [
                "KubernetesRuntime", "RuntimeConformance", "RuntimeContract", "Curl", "JSON", "Spawn", nioCore,
                nioPosix, logging,
            ]),
        tests("BridgeTests", ["Bridge", "HTTP", "MCPProtocol", nioCore, nioPosix]),
        // The properties that Fuzz/run fuzzes, held against the corpora it keeps.
        .testTarget(
            name: "FuzzTests", dependencies: ["Wire", "MCPProtocol", "JSON", "OAuth"], path: "Fuzz",
            exclude: ["README.md", "run", "corpus", "Entries"], swiftSettings: strict),
        tests("ServerTests", ["Server", "Model", "RuntimeContract", logging]),
    ]
)
