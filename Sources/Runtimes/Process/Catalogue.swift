// SPDX-License-Identifier: MIT

public import RuntimeContract

/// Which local command stands for which image.
public struct Catalogue: Hashable, Sendable {
    /// One image.
    public struct Image: Hashable, Sendable {
        /// The image's name.
        public var name: String
        /// The image's version.
        public var version: String
        /// What is run.
        public var command: Command
        /// What is added to the environment.
        public var environment: [String: String]

        /// Describes an image.
        public init(name: String, version: String, command: Command, environment: [String: String] = [:]) {
            self.name = name
            self.version = version
            self.command = command
            self.environment = environment
        }
    }

    /// The images; name and version together are unique.
    public var images: [Image]

    /// A catalogue of `images`.
    public init(_ images: [Image] = []) {
        self.images = images
    }

    /// The image of that name and version.
    func image(_ name: String, _ version: String) -> Image? {
        images.first { $0.name == name && $0.version == version }
    }

    /// Says what there is instead of an image that there is not.
    func absence(of name: String, _ version: String) -> String {
        let versions = images.filter { $0.name == name }.map(\.version).sorted()
        if !versions.isEmpty {
            return
                "the catalogue has no version \(version) of the image \(name); it has \(versions.joined(separator: ", "))"
        }
        let names = Set(images.map(\.name)).sorted()
        let known = names.isEmpty ? "it is empty" : "it has \(names.joined(separator: ", "))"
        return "the catalogue has no image \(name); \(known)"
    }
}
