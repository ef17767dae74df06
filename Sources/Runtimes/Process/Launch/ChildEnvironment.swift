// SPDX-License-Identifier: MIT

import Glibc

/// The part of this process's environment that instances get.
///
/// A short list of names: what is in the gateway's environment besides, its own secrets included, is none of theirs.
public enum ChildEnvironment {
    private static let names: Set<String> = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR",
        "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
        "no_proxy",
    ]

    /// The variables of `environment` that are passed on: `PATH`, `HOME`, locale, time zone, temporary directory,
    /// certificates and proxies.
    ///
    /// Without a `PATH` there, a usual one is set.
    public static func inherited(from environment: [String: String] = current()) -> [String: String] {
        var inherited = environment.filter { names.contains($0.key) || $0.key.hasPrefix("LC_") }
        if inherited["PATH"] == nil { inherited["PATH"] = "/usr/local/bin:/usr/bin:/bin" }
        return inherited
    }

    /// The whole environment of this process.
    public static func current() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }
}
