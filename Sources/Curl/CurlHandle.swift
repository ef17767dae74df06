// SPDX-License-Identifier: MIT

internal import CCurl

/// libcurl's handle of one transfer; used on curl's thread only, and freed there.
final class CurlHandle {
    let easy: UnsafeMutableRawPointer
    let transfer: CurlTransfer
    let headDeadline: ContinuousClock.Instant
    private var headers: UnsafeMutablePointer<curl_slist>?
    private let message: UnsafeMutablePointer<CChar>

    /// Prepares a request.
    ///
    /// - Throws: `invalidRequest`.
    init(_ transfer: CurlTransfer) throws(CurlError) {
        guard let easy = ccurl_easy_new() else { throw CurlError(.failed, "libcurl has no memory") }
        self.easy = easy
        self.transfer = transfer
        headDeadline = ContinuousClock.now + transfer.request.deadlines.head
        message = .allocate(capacity: Int(CURL_ERROR_SIZE))
        message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        do throws(CurlError) {
            try prepare()
        } catch {
            free()
            throw error
        }
    }

    func free() {
        ccurl_easy_free(easy)
        ccurl_list_free(headers)
        message.deallocate()
    }

    private func prepare() throws(CurlError) {
        let request = transfer.request
        for header in request.headers where (header.name + header.value).utf8.contains(where: { $0 == 10 || $0 == 13 })
        {
            throw CurlError(.invalidRequest, "a line break in the header \(header.name)")
        }
        func check(_ code: CURLcode, _ what: String) throws(CurlError) {
            guard code == CURLE_OK else {
                throw CurlError(.invalidRequest, "\(what): \(String(cString: ccurl_message(code)))")
            }
        }
        try check(ccurl_set_error_buffer(easy, message), "error buffer")
        try check(ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1), "signals")
        try check(ccurl_set_text(easy, CURLOPT_URL, request.url), "url")
        let allowed = Int(CURLPROTO_HTTP | CURLPROTO_HTTPS)
        try check(ccurl_set_long(easy, CURLOPT_PROTOCOLS, allowed), "protocols")
        try check(ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, request.method), "method")
        try check(ccurl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS)), "version")
        // A second request waits for the first one's connection, to share it.
        try check(ccurl_set_long(easy, CURLOPT_PIPEWAIT, 1), "sharing")
        try check(ccurl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1), "keep-alive")
        try check(ccurl_set_long(easy, CURLOPT_TCP_KEEPIDLE, 15), "keep-alive")
        try check(ccurl_set_long(easy, CURLOPT_TCP_KEEPINTVL, 15), "keep-alive")
        let deadlines = request.deadlines
        try check(ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(deadlines.connect)), "deadline")
        if let total = deadlines.total {
            try check(ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, Self.milliseconds(total)), "deadline")
        }
        if let body = request.body {
            let code = body.withUnsafeBytes { ccurl_set_bytes(easy, CURLOPT_COPYPOSTFIELDS, $0.baseAddress, $0.count) }
            try check(code, "body")
        }
        if request.method == "HEAD" { try check(ccurl_set_long(easy, CURLOPT_NOBODY, 1), "method") }
        try prepareTrust(request.trust, check)
        // No `Expect: 100-continue`, and no content type but the caller's.
        let names = Set(request.headers.map { $0.name.lowercased() })
        let lines = request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for line in lines + ["Expect:"] + (names.contains("content-type") ? [] : ["Content-Type:"]) {
            guard let longer = ccurl_list_append(headers, line) else {
                throw CurlError(.failed, "libcurl has no memory")
            }
            headers = longer
        }
        try check(ccurl_set_list(easy, CURLOPT_HTTPHEADER, headers), "headers")
        // Kept alive by the loop's table for as long as the handle is in use.
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        try check(ccurl_set_receivers(easy, Self.receiveHeader, Self.receiveBody, context), "receivers")
    }

    private func prepareTrust(
        _ trust: CurlTrust, _ check: (CURLcode, String) throws(CurlError) -> Void
    ) throws(CurlError) {
        func set(_ option: CURLoption, _ bytes: [UInt8], _ what: String) throws(CurlError) {
            try check(bytes.withUnsafeBytes { ccurl_set_bytes(easy, option, $0.baseAddress, $0.count) }, what)
        }
        try check(ccurl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1), "verification")
        try check(ccurl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2), "verification")
        try check(ccurl_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)), "verification")
        if let authorities = trust.authorities { try set(CURLOPT_CAINFO_BLOB, authorities, "authorities") }
        if let identity = trust.identity {
            try set(CURLOPT_SSLCERT_BLOB, identity.certificate, "certificate")
            try set(CURLOPT_SSLKEY_BLOB, identity.key, "key")
        }
    }

    /// What libcurl's result means; `nil` for a good end.
    func error(_ code: CURLcode) -> CurlError? {
        guard code != CURLE_OK else { return nil }
        let detail = String(cString: message)
        let text = detail.isEmpty ? String(cString: ccurl_message(code)) : detail
        return switch code {
        case CURLE_OPERATION_TIMEDOUT: CurlError(.timedOut, text)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            CurlError(.untrusted, text)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: CurlError(.invalidRequest, text)
        case CURLE_WRITE_ERROR: CurlError(.tooLarge, "the head of the answer is too large")
        case CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT: CurlError(.failed, text)
        default: CurlError(.unreachable, text)
        }
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(min(max((duration / .milliseconds(1)).rounded(.up), 1), 1e12))
    }

    private static let receiveHeader: ccurl_receiver = { bytes, _, count, context in
        guard let bytes, let context else { return 0 }
        let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
        let line = UnsafeRawBufferPointer(start: bytes, count: count)
        return transfer.receivedHeaderLine(Array(line)) ? count : 0
    }

    private static let receiveBody: ccurl_receiver = { bytes, _, count, context in
        guard let bytes, let context else { return 0 }
        guard count > 0 else { return 0 }
        let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
        let piece = UnsafeRawBufferPointer(start: bytes, count: count)
        return transfer.received(Array(piece)) ? count : Int(CURL_WRITEFUNC_PAUSE)
    }
}
