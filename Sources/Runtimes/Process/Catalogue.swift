// SPDX-License-Identifier: MIT

public import RuntimeContract

/// Maps an image's name and version to a command of this machine.
public struct Catalogue: Hashable, Sendable {
    /// One image.
    public struct Image: Hashable, Sendable {
        /// The image's name.
        public var name: String
        /// The image's version, compared as text.
        public var version: String
        /// What is run for it.
        public var command: Command
        /// Variables that every instance of it gets; those of the workload win.
        public var environment: [String: String]
        /// How the server speaks; `nil` leaves it to the workload.
        public var transport: Transport?
        /// Where its MCP endpoint is; `nil` leaves it to the workload.
        public var path: String?

        /// Describes an image.
        public init(
            name: String, version: String, command: Command, environment: [String: String] = [:],
            transport: Transport? = nil, path: String? = nil
        ) {
            self.name = name
            self.version = version
            self.command = command
            self.environment = environment
            self.transport = transport
            self.path = path
        }
    }

    /// The images, in the order given.
    public let images: [Image]

    /// A catalogue of these images; of two with the same name and version, the first one counts.
    public init(_ images: [Image] = []) {
        self.images = images
    }

    /// The image of that name and version, or `nil`.
    public func image(name: String, version: String) -> Image? {
        images.first { $0.name == name && $0.version == version }
    }

    /// The image of that name and version.
    ///
    /// - Throws: `invalidSpec`, naming what there is.
    func requireImage(name: String, version: String, for workload: WorkloadID) throws(RuntimeError) -> Image {
        if let image = image(name: name, version: version) { return image }
        let versions = images.filter { $0.name == name }.map(\.version)
        guard versions.isEmpty else {
            throw RuntimeError(
                .invalidSpec,
                "image: version '\(version)' of '\(name)' is not in the catalogue, which has \(Self.list(versions))",
                workload: workload)
        }
        var names: [String] = []
        for image in images where !names.contains(image.name) { names.append(image.name) }
        throw RuntimeError(
            .invalidSpec,
            "image: '\(name)' is not in the catalogue, which "
                + (names.isEmpty ? "is empty" : "has \(Self.list(names))"),
            workload: workload)
    }

    /// The first few of many.
    private static func list(_ words: [String]) -> String {
        let shown = words.prefix(10).map { "'\($0)'" }.joined(separator: ", ")
        return words.count > 10 ? "\(shown) and \(words.count - 10) more" : shown
    }
}
