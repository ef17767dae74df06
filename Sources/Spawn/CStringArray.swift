// SPDX-License-Identifier: MIT

import Glibc

/// Arrays of C strings, as execve(2) takes them.
enum CStringArray {
    /// Calls `body` with pointers to the texts, ended by a null pointer; they are valid during the call only.
    static func with<R>(_ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R) -> R {
        var pointers = texts.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        return pointers.withUnsafeBufferPointer { buffer in
            // Never nil: there is at least the null pointer at the end.
            guard let base = buffer.baseAddress else { preconditionFailure("an empty list of pointers") }
            return body(base)
        }
    }
}
